"""The only place that builds a SparkSession."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING

from musai.config import Config
from musai.preflight import find_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def build(config: Config, name: str = "musai") -> SparkSession:
    """Start Spark, or take the session that `spark-submit` or a test has started already.

    What a result depends on (time zone, ANSI mode, timestamp type) is set on the session in either case; what only
    a new session can take (master, memory) is left to `spark-submit` where that started it.
    Raises InputError where Java is missing or too old.
    """
    find_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1") if config.spark.master.startswith("local") else None
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # spark-submit runs us: master and memory are its own
    if not submitted:
        builder = builder.master(config.spark.master).config("spark.driver.memory", config.spark.driver_memory)
        for key, value in _of_a_new_session().items():
            builder = builder.config(key, value)
    for key, value in config.spark.conf.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR" if config.log.level != "debug" else "INFO")
    cores = session.sparkContext.defaultParallelism
    settings = {
        "spark.sql.session.timeZone": config.ingest.time_zone,
        "spark.sql.ansi.enabled": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.shuffle.partitions": str(config.spark.shuffle_partitions or max(4, 2 * cores)),
        "spark.sql.sources.partitionOverwriteMode": "static",
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
    }
    for key, value in settings.items():
        session.conf.set(key, value)
    return session


def _of_a_new_session() -> dict[str, str]:
    scratch = os.path.join(tempfile.gettempdir(), f"musai-{os.getuid()}")
    os.makedirs(scratch, mode=0o700, exist_ok=True)
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": os.path.join(scratch, "spark-warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.python.worker.reuse": "true",
        "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={scratch} -XX:+UseParallelGC",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }


def cores(session: SparkSession) -> int:
    """Processor cores that run tasks side by side, over all executors."""
    return int(session.sparkContext.defaultParallelism)
