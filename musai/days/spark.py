"""Day folders distributed: writing one, and reading what is kept."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from musai.days.folders import GOOD, REJECTED, Judge, Kept, begins, parts
from musai.inputs import places
from musai.storage import Storage

COLUMNS = {
    GOOD: {
        "file": "string",
        "_day": "date",
        "user_id": "string",
        "track_id": "string",
        "_high": "bigint",
        "_low": "bigint",
        "events": "bigint",
        "last_event_at": "timestamp",
    },
    REJECTED: {
        "file": "string",
        "line": "bigint",
        "reason": "string",
        "raw": "binary",
        "unknown": "boolean",  # null: what was left out of `raw` is of an erased user
        "user_id": "string",
    },
}
SCHEMAS = {part: ", ".join(f"{name} {kind}" for name, kind in columns.items()) for part, columns in COLUMNS.items()}
COUNTED = ("rejected", "erased", "header", "blank")


@dataclasses.dataclass(frozen=True)
class Delivery:
    """Files that are read for the first time.

    sums: `_file` (as Spark names it), `_status`, and the columns of `good`; every rejected row by itself, with a moment
    where that is in the future. Kept on disk. rejected: the columns of `rejected`, and in `file` what `_file` is.
    """

    sums: DataFrame
    rejected: DataFrame
    identities: Mapping[str, str]  # by path, as `places.plain` gives it
    names: Mapping[str, str]  # by identity


def write(storage: Storage, path: str, delivery: Delivery, judge: Judge) -> dict[str, Any]:
    """Write the parts of a day folder; gives its manifest, which `day_folders.seal` makes it count with."""
    spark = delivery.sums.sparkSession
    seen = [row["_file"] for row in delivery.sums.select("_file").distinct().collect()]
    identities = [delivery.identities[places.plain(file)] for file in seen]
    table = pa.table({"_file": pa.array(seen, pa.string()), "file": pa.array(identities, pa.string())})
    known = F.broadcast(spark.createDataFrame(table))
    sums = delivery.sums.join(known, "_file")
    rejected = delivery.rejected.withColumnRenamed("file", "_file").join(known, "_file").select(*COLUMNS[REJECTED])
    redacted = rejected.mapInArrow(_redacted(judge.erased), SCHEMAS[REJECTED])
    for part, frame in ((GOOD, sums.where("_status = 'good'").select(*COLUMNS[GOOD])), (REJECTED, redacted)):
        frame.write.mode("error").option("compression", "zstd").parquet(storage.spark_uri(f"{path}/{part}"))
    files = _described(sums, storage.spark_uri(f"{path}/{REJECTED}"), delivery.names)
    delivery.sums.unpersist()
    return {
        "key": judge.key,
        "erased": begins(judge.erased, len(judge.erased)),
        "files": files,
        "parts": parts(storage, path),
    }


def _redacted(erased: Sequence[str]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For mapInArrow: a row of an unknown user in which an erased id stands is not kept; that there was one, is."""
    holds = places.holds_any(erased)

    def redact(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            for row in rows:
                if row["unknown"] and row["raw"] and holds(row["raw"]):
                    row |= {"raw": places.ERASED.encode(), "unknown": None}
            yield pa.RecordBatch.from_pylist(rows, batch.schema)

    return redact


def _described(sums: DataFrame, rejected: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """identity -> what the manifest says of a file: its name then, rows by status, and what its judgement hangs on."""
    spark = sums.sparkSession
    redacted = spark.read.schema(SCHEMAS[REJECTED]).parquet(rejected).where("unknown IS NULL").select("file").distinct()
    left_out = {row["file"] for row in redacted.collect()}
    files: dict[str, dict[str, Any]] = {
        file: {"name": name, **dict.fromkeys(COUNTED, 0), "latest": None, "future": None, "left_out": file in left_out}
        for file, name in names.items()
    }
    moments = [F.expr(f"unix_micros({how}(last_event_at))").alias(how) for how in ("min", "max")]
    for row in sums.groupBy("file", "_status").agg(F.sum("events").alias("rows"), *moments).collect():
        file, status = files[row["file"]], row["_status"]
        if status == "good":
            file["latest"] = _moment(row["max"])
        else:
            file[status] = row["rows"]
        if status == "rejected":  # a moment is kept of those in the future alone
            file["future"] = _moment(row["min"])
        file["left_out"] |= status == "erased"
    return files


def _moment(micros: int | None) -> str | None:
    """As text; the end of time for what Python's calendar does not reach."""
    if micros is None:
        return None
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC).isoformat()


def read(spark: SparkSession, storage: Storage, kept: Sequence[Kept], part: str) -> DataFrame:
    """`good` or `rejected` of what a night takes from the folders."""
    whole = [one for one in kept if one.whole]
    frames = [_frame(spark, storage, whole, part)] if whole else []
    frames += [_frame(spark, storage, [one], part).where(F.col("file").isin(*one.files))
               for one in kept if not one.whole]  # fmt: skip
    return functools.reduce(DataFrame.union, frames)


def _frame(spark: SparkSession, storage: Storage, kept: Sequence[Kept], part: str) -> DataFrame:
    paths = [storage.spark_uri(f"{one.path}/{part}") for one in kept]
    return spark.read.schema(SCHEMAS[part]).parquet(*paths)


def counts(kept: Sequence[Kept]) -> dict[str, int]:
    """Rows by status, but for the good ones."""
    files = [one.manifest["files"][file] for one in kept for file in one.files]
    return {status: sum(file[status] for file in files) for status in COUNTED}
