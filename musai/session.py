"""The only place that builds a SparkSession."""

from __future__ import annotations

import logging
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from musai.config import Config
from musai.errors import InputError
from musai.preflight import PreflightError, find_java
from musai.scratch import scratch

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

CLASSES = pathlib.Path(sys.prefix) / "share" / "musai" / "classes.jsa"  # Spark's, read in: see `class_archive`
# What plans a query is called some thousand times: as Java comes, its second compiler works on that for as long as all
# else takes in a small night. What is called for every row gets to twenty times as many calls within a second.
LATE_COMPILER = (
    "-XX:Tier4InvocationThreshold=100000 -XX:Tier4MinInvocationThreshold=12000 "
    "-XX:Tier4CompileThreshold=300000 -XX:Tier4BackEdgeThreshold=800000"
)


def build(config: Config, name: str = "musai") -> SparkSession:
    """Start Spark, or take the session that `spark-submit` or a test has started already.

    What a result depends on (time zone, ANSI mode, timestamp type) is set on the session in either case; what only
    a new session can take (master, name, memory) is left to `spark-submit` where that started it.
    Raises InputError where Java is missing or too old.
    """
    try:
        find_java()
    except PreflightError as fault:
        raise InputError(str(fault)) from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if config.spark.master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        log.info("master, name and driver memory are spark-submit's, not those of the configuration's section spark")
    else:
        builder = builder.appName(name).master(config.spark.master)
        builder = builder.config("spark.driver.memory", config.spark.driver_memory)
        for key, value in _of_a_new_session().items():
            builder = builder.config(key, value)
    for key, setting in config.spark.conf.items():
        builder = builder.config(key, setting)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR" if config.log.level != "debug" else "INFO")
    settings = {
        "spark.sql.session.timeZone": config.ingest.time_zone,
        "spark.sql.ansi.enabled": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",  # what is kept is read once or twice
        "spark.sql.shuffle.partitions": str(config.spark.shuffle_partitions or _shuffle_partitions(session)),
        "spark.sql.sources.partitionOverwriteMode": "static",
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
    }
    for key, value in settings.items():
        session.conf.set(key, value)
    return session


def _shuffle_partitions(session: SparkSession) -> int:
    """By the cores where they are known now; a cluster's executors may come later: as spark-submit says, or 200."""
    if is_local(session):
        return max(4, 2 * cores(session))
    return int(session.conf.get("spark.sql.shuffle.partitions") or 200)


def _of_a_new_session() -> dict[str, str]:
    folder = scratch("spark")
    options = [f"-Dderby.system.home={folder}", "-XX:+UseParallelGC", LATE_COMPILER]
    if CLASSES.is_file():  # of another Java or another Spark: left aside by the JVM
        options += [f"-XX:SharedArchiveFile={CLASSES}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.python.worker.reuse": "true",
        "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }


def reason(error: BaseException) -> str:
    """One line of what was at the bottom of an error: of Spark's own, the words of the cause."""
    from py4j.protocol import Py4JJavaError, Py4JNetworkError

    text = str(error)
    try:
        if isinstance(error, Py4JJavaError):
            cause = error.java_exception
            while cause.getCause() is not None:
                cause = cause.getCause()
            text = f"{cause.getClass().getSimpleName()}: {cause.getMessage()}"
    except (Py4JNetworkError, ConnectionError) as gone:
        error = gone
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return "Spark's process is gone (killed, or out of memory: spark.driver_memory)"
    lines = text.strip().splitlines() or [type(error).__name__]
    if "Traceback (most recent call last):" in text:  # of a Python worker: Spark's own line follows the error
        lines = [line for line in lines if line and not line.startswith((" ", "SQLSTATE"))][-1:]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return causes[-1] if causes else lines[0]


def cores(session: SparkSession) -> int:
    """Processor cores that run tasks side by side, over all executors."""
    return int(session.sparkContext.defaultParallelism)


def is_local(session: SparkSession) -> bool:
    """Whether the tasks run in the driver's own process tree, on this machine."""
    master = str(session.sparkContext.master)
    return master.startswith("local") and not master.startswith("local-cluster")


def few_rows(session: SparkSession, rows: Sequence[tuple[Any, ...]], schema: str) -> DataFrame:
    """Rows that the driver has; as Arrow, for Spark would start a Python process to read tuples."""
    fields = _arrow_schema(schema)
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
    return session.createDataFrame(pa.Table.from_arrays(arrays, schema=fields), schema)


def each_number(
    session: SparkSession, count: int, work: Callable[[int], Iterator[pa.RecordBatch]], schema: str
) -> DataFrame:
    """The batches of `work(number)` for every number below `count`, each in a task of its own."""

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from work(number)

    return session.range(0, count, 1, count).mapInArrow(task, schema)


def one_task(
    session: SparkSession, work: Callable[[int], Iterator[pa.RecordBatch]], schema: str, gpu: bool = False
) -> DataFrame:
    """Run `work(threads)` in the Python process of one task that has an executor to itself; its batches as DataFrame.

    On a cluster the task asks for all cores of an executor (and its GPU where `gpu` and the cluster hands them out);
    in local mode, where Spark refuses such a profile, it is a single partition with nothing beside it. The result is
    kept on the executor's disk, so that it is computed once however often it is used.

    A MusaiError of `work` comes back as that error with its own text, not as a failed task: trying it again would
    not help. Anything else fails the task, which Spark tries again.
    """
    from pyspark import StorageLevel

    from musai import errors

    fields = _arrow_schema(schema)
    profile = _executor_profile(session, gpu)
    local_threads = cores(session) if profile is None else None

    def task(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        for _ in rows:  # the one row that made the task
            pass
        context = TaskContext.get()
        if context and "gpu" in context.resources():  # Spark says which card is the task's, and leaves it at that
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(context.resources()["gpu"].addresses)
        try:
            for batch in work(local_threads or (context.cpus() if context else 1)):
                nothing = pa.nulls(batch.num_rows, pa.string())
                yield batch.append_column("error_kind", nothing).append_column("error", nothing)
        except errors.MusaiError as error:
            nothings = {field.name: pa.nulls(1, field.type) for field in fields}
            told = {"error_kind": pa.array([type(error).__name__]), "error": pa.array([str(error)])}
            yield pa.record_batch({**nothings, **told})

    framed = f"{schema}, error_kind string, error string"
    result = session.range(1, numPartitions=1).mapInArrow(task, framed, profile=profile)
    result = result.localCheckpoint(True, StorageLevel.DISK_ONLY)
    failed = result.where("error_kind is not null").first()
    if failed:
        kind = getattr(errors, failed["error_kind"])
        raise kind(failed["error"].split("\n") if issubclass(kind, errors.InputError) else failed["error"])
    return result.drop("error_kind", "error")


def _executor_profile(session: SparkSession, gpu: bool) -> ResourceProfile | None:
    """A task as large as an executor, on the executors that are there; None in local mode.

    Only the task's side is asked for: Spark then places it on an executor of the session's own (asking for executor
    resources too would start new ones, and needs dynamic allocation).
    """
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    context = session.sparkContext
    if is_local(session):
        return None
    requests = TaskResourceRequests().cpus(_executor_cores(session))
    if gpu and int(context.getConf().get("spark.executor.resource.gpu.amount", "0") or 0):
        requests = requests.resource("gpu", 1)
    return ResourceProfileBuilder().require(requests).build


def _executor_cores(session: SparkSession) -> int:
    """Cores of the smallest executor; a standalone cluster gives one all cores of its worker unless told otherwise."""
    context = session.sparkContext
    told = context.getConf().get("spark.executor.cores", None)
    if told:
        return int(told)
    assert context._jsc is not None
    summaries = context._jsc.sc().statusStore().executorList(True)
    found = [summaries.apply(number) for number in range(summaries.size())]
    sizes = [int(summary.totalCores()) for summary in found if summary.id() != "driver"]
    return min((size for size in sizes if size > 0), default=1)


def _arrow_schema(ddl: str) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    return to_arrow_schema(cast("StructType", StructType.fromDDL(ddl)))
