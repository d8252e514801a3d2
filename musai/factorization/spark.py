"""ALS in Spark, two ways: `als.train` within one task, and MLlib over the whole cluster for what outgrows one machine.

Both give DataFrames (side, row_index, factors) with a row for every user and track, zeros where there is no weight.

MLlib's `ALS(implicitPrefs=True)` minimises the same sum with confidence 1 + alpha w (ALS.scala, computeFactors), but
scales the regularisation of a row by its number of weights (ALS-WR; Zhou et al. 2008), so a row with n of them has
n x regParam where `implicit` has one number for all. With the penalties a |X|^2 + b |Y|^2 only a x b matters to the
product X Y^T (c X and Y / c give the same one, and the best c makes the penalty 2 sqrt(a b) |X| |Y|). So the two agree
on average where regParam x sqrt(mean n of users x mean n of tracks) = regularization, which `mllib_regularization`
solves: exact where all users have one degree and all tracks one degree; elsewhere MLlib binds heavy rows more.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel, TaskContext
from pyspark.ml.recommendation import ALS
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from musai import errors
from musai.columns import FACTORS, ITEM_INDEX, USER_INDEX, WEIGHT
from musai.config import Factorization
from musai.errors import InputError, MusaiError
from musai.factorization import als, devices
from musai.interactions.matrix import read_matrix
from musai.session import cores

SIDE, ROW_INDEX = "side", "row_index"
USER, TRACK = "user", "track"
ERROR = "error"
TASK_SCHEMA = f"{SIDE} string, {ROW_INDEX} int, {FACTORS} array<float>, {ERROR} string"
ARROW_SCHEMA = pa.schema(
    [(SIDE, pa.string()), (ROW_INDEX, pa.int32()), (FACTORS, pa.list_(pa.float32())), (ERROR, pa.string())]
)
BATCH_NUMBERS = 1 << 20  # of factors in one Arrow batch: 4 MB
PROGRESS_S = 10.0  # between two lines of a long training
MLLIB_BLOCKS = 10  # MLlib's default; fixed by the data, never by the cores, because results depend on it
MLLIB_BLOCK_ENTRIES = 20_000_000


def train_in_one_task(
    session: SparkSession, path: str, n_users: int, n_items: int, settings: Factorization, seed: int
) -> DataFrame:
    """Read the matrix under `path` (see `read_matrix`) and train on it, both in the Python process of one task.

    The task has all cores of an executor, and a GPU where `settings.device` allows one and the cluster hands them out
    (`spark.executor.resource.gpu.amount`); in local mode it has the machine's. Neither the driver nor the JVM ever
    holds the matrix. The result is kept on the executor's disk and read from there however often it is used; nothing
    else is written, so a task that is tried again does no harm. (Should that executor be lost before the result is
    written, Spark fails on the missing block; it does not train twice unseen.)

    Raises what `read_matrix` and `als.train` raise, with their own text: such an error comes back as a row instead of
    a failure, since to try it again would not help. Anything else fails the task, which Spark tries again.
    """
    profile = _executor_profile(session, settings)
    if profile is None:  # the task runs on this machine, so what is wrong with its GPU can be said at once
        settings = settings.model_copy(update={"device": devices.choose(settings.device)})
    als.check_limits(n_users, n_items, 0, settings.factors, "gpu" if settings.device == "gpu" else "cpu")
    task = _task(path, n_users, n_items, settings, seed, cores(session) if profile is None else None)
    one_row = session.range(1, numPartitions=1)
    trained = one_row.mapInArrow(task, TASK_SCHEMA, profile=profile).localCheckpoint(True, StorageLevel.DISK_ONLY)
    first = trained.first()
    if first and first[ERROR] is not None:
        kind = getattr(errors, first[SIDE])
        raise kind(first[ERROR].split("\n") if issubclass(kind, InputError) else first[ERROR])
    return trained.select(SIDE, ROW_INDEX, FACTORS)


def _task(
    path: str, n_users: int, n_items: int, settings: Factorization, seed: int, threads: int | None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What the task runs; `threads` None means as many as Spark gave it cores."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:  # the one row that made the task
            pass
        context = TaskContext.get()
        own_cores = threads or (context.cpus() if context else 1)
        if context and "gpu" in context.resources():  # Spark says which card is the task's, and leaves it at that
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(context.resources()["gpu"].addresses)
        try:
            matrix = read_matrix(path, n_users, n_items)
            factors = als.train(matrix, settings, seed, own_cores, _say)
        except MusaiError as error:
            yield pa.RecordBatch.from_pylist([{SIDE: type(error).__name__, ERROR: str(error)}], ARROW_SCHEMA)
            return
        yield from _batches(USER, factors.users)
        yield from _batches(TRACK, factors.tracks)

    return run


def _say(done: int, total: int, seconds: float) -> None:
    every = max(1, math.ceil(PROGRESS_S / (seconds / done))) if seconds else total
    if done % every == 0 and done < total:
        print(f"ALS: sweep {done} of {total}, {seconds:.0f} s", file=sys.stderr, flush=True)  # noqa: T201  executor's log


def _batches(side: str, factors: np.ndarray) -> Iterator[pa.RecordBatch]:
    """`factors` float32 [rows, f] as Arrow batches of TASK_SCHEMA."""
    width = factors.shape[1]
    step = max(1, BATCH_NUMBERS // width)
    for start in range(0, len(factors), step):
        part = np.ascontiguousarray(factors[start : start + step])
        rows = len(part)
        offsets = pa.array(np.arange(0, (rows + 1) * width, width, dtype=np.int32))
        columns = [
            pa.array([side]).take(pa.array(np.zeros(rows, np.int32))),
            pa.array(np.arange(start, start + rows, dtype=np.int32)),
            pa.ListArray.from_arrays(offsets, pa.array(part.reshape(-1))),
            pa.nulls(rows, pa.string()),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=ARROW_SCHEMA)


def _executor_profile(session: SparkSession, settings: Factorization) -> ResourceProfile | None:
    """A task as large as an executor, on the executors that are there; None in local mode, where Spark refuses one.

    Only the task's side is asked for: Spark then places it on an executor of the session's own (asking for executor
    resources too would start new ones, and needs dynamic allocation).
    """
    context = session.sparkContext
    master = context.master or ""
    if master.startswith("local") and not master.startswith("local-cluster"):
        return None
    requests = TaskResourceRequests().cpus(_executor_cores(session))
    gpus = int(context.getConf().get("spark.executor.resource.gpu.amount", "0") or 0)
    if gpus and settings.device != "cpu":
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


def train_mllib(user_item: DataFrame, n_users: int, n_items: int, settings: Factorization, seed: int) -> DataFrame:
    """Train with MLlib on (user_index int, item_index int, weight float > 0), each pair once.

    The seed gives the same factors up to the order of floating-point sums, whatever the cores and partitions of
    `user_item` (scores within 1e-4). `settings.device` is not looked at.
    Raises InputError for a weight that is null or not a positive number; MusaiError where the factors end in NaN.
    """
    weight = F.col(WEIGHT)
    found = user_item.agg(
        F.count(F.lit(1)).alias("entries"),
        F.count_if(weight.isNull() | F.isnan(weight) | (weight <= 0) | (weight == float("inf"))).alias("faults"),
        F.count_distinct(USER_INDEX).alias("users"),
        F.count_distinct(ITEM_INDEX).alias("items"),
    ).first()
    assert found is not None
    if found["faults"]:
        raise InputError(f"user_item: weights must be finite and > 0; {found['faults']:,} are not")
    users = tracks = user_item.sparkSession.createDataFrame([], "id int, features array<float>")
    if found["entries"]:
        blocks = max(MLLIB_BLOCKS, math.ceil(found["entries"] / MLLIB_BLOCK_ENTRIES))
        model = ALS(
            rank=settings.factors,
            maxIter=settings.iterations,
            regParam=mllib_regularization(settings.regularization, found["entries"], found["users"], found["items"]),
            alpha=settings.alpha,
            implicitPrefs=True,
            userCol=USER_INDEX,
            itemCol=ITEM_INDEX,
            ratingCol=WEIGHT,
            seed=seed,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
        ).fit(user_item)
        users, tracks = model.userFactors, model.itemFactors
    broken = users.unionAll(tracks).where(F.exists("features", lambda x: F.isnan(x) | (F.abs(x) == float("inf"))))
    if broken.first():
        raise MusaiError(als.DIVERGED)
    width = settings.factors
    return _complete(users, USER, n_users, width).unionAll(_complete(tracks, TRACK, n_items, width))


def mllib_regularization(regularization: float, entries: int, users: int, items: int) -> float:
    """The regParam that comes to `regularization` on average; `users` and `items` are those with a weight."""
    return regularization * math.sqrt(users * items) / entries


def _complete(factors: DataFrame, side: str, rows: int, width: int) -> DataFrame:
    """MLlib's (id, features) with zeros for the ids from 0 to rows - 1 that it does not know."""
    zeros = F.array_repeat(F.lit(0.0).cast("float"), width)
    every = factors.sparkSession.range(rows).select(F.col("id").cast("int").alias("id"))
    return every.join(factors, on="id", how="left").select(
        F.lit(side).alias(SIDE), F.col("id").alias(ROW_INDEX), F.coalesce("features", zeros).alias(FACTORS)
    )
