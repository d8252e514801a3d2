"""An archive of Spark's classes, with which its JVM starts faster: python -m musai.class_archive

Class data sharing (JEP 350): what a run of Spark has loaded is written down, parsed and verified, and mapped into
memory by the next one. The archive (about 180 MB) lies in this environment, `session.CLASSES`, and is good for its
Spark and for the Java that wrote it; with another one everything is as without it. `make` has it made with the
environment.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError

from musai import session
from musai.config import load

SECONDS = 180  # for the JVM to write the archive and end


def make(archive: pathlib.Path) -> None:
    """Let Spark do a little of all that a night asks of it, and write what it has loaded to `archive`.

    Raises subprocess.TimeoutExpired where the JVM does not end, OSError where nothing can be written there.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        made = pathlib.Path(folder) / archive.name
        options = {"spark.driver.extraJavaOptions": f"-XX:+UseParallelGC -XX:ArchiveClassesAtExit={made} -Xlog:disable"}
        spark = session.build(load([], ["spark.master=local[2]"]).having({"spark.conf": options}), "musai-classes")
        _use(spark, f"{folder}/rows")
        _end(spark)
        made.replace(archive)


def _use(spark: Any, folder: str) -> None:
    rows = spark.range(10_000).selectExpr("id", "cast(id % 7 as string) as name", "id / 3 as value")
    for form in ("parquet", "csv", "json"):
        rows.write.format(form).save(f"{folder}/{form}")
    texts = spark.read.schema("id bigint, name string, value double").csv(f"{folder}/csv")
    spark.read.json(f"{folder}/json").union(texts).where("value > 1").count()
    read = spark.read.parquet(f"{folder}/parquet").persist()
    ranked = read.selectExpr("*", "row_number() over (partition by name order by value desc, id) as place")
    best = ranked.where("place <= 3").join(read.groupBy("name").avg("value"), "name", "left")
    best.repartitionByRange(2, "name").sortWithinPartitions("id").localCheckpoint().orderBy("place").toArrow()
    session.few_rows(spark, [("a", 1)], "name string, count int").collect()
    session.each_number(spark, 2, _number, "number bigint").collect()


def _number(number: int) -> Any:
    yield pa.record_batch({"number": pa.array([number], pa.int64())})


def _end(spark: Any) -> None:
    """As the JVM ends by itself, which is when it writes; `stop` leaves that to the end of this process."""
    gateway = spark.sparkContext._gateway
    spark.sparkContext._accumulatorServer.shutdown()  # it would tell of the connection's end as of an error
    with contextlib.suppress(Py4JError, OSError):  # it cannot answer any more, nor be called a second time
        gateway.jvm.java.lang.System.exit(0)
    gateway.proc.wait(SECONDS)


def main() -> None:
    """Make the archive of this environment; where that fails Spark starts as it would without."""
    try:
        make(session.CLASSES)
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"{session.CLASSES} was not written, so Spark starts more slowly: {error}")


if __name__ == "__main__":
    main()
