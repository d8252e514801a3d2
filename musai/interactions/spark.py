"""The listening log distributed: judge every row, add up those that count, account for the others.

Every line is read and judged once. What comes of it, the sums of the rows that are used, the rows that are rejected
and the numbers of the others, is kept on the executors' disks until `Ingested.release`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.config import Config
from musai.errors import InputError, MusaiError
from musai.inputs import spark as inputs
from musai.inputs.files import read_ids
from musai.inputs.headers import Survey
from musai.inputs.lines import is_text
from musai.inputs.sources import source
from musai.interactions import aliases, rules

STATUSES = ("used", "rejected", "outside", "erased", "header", "blank")
READ = STATUSES[:4]
HALF = 2**32  # sums are kept as two integers, of the high and the low 32 bits: neither can overflow
BROADCAST_BYTES = 2**27  # files of aliases up to this size are sent to every executor


@dataclasses.dataclass(frozen=True)
class Ingested:
    """What became of the log; whatever is asked for first has it read."""

    _log: _Log
    _aliases: _Aliases | None
    _judged: DataFrame  # of `_log.added_up`, kept on disk

    @property
    def interactions(self) -> DataFrame:
        """user_id, track_id, plays, events, last_event_at."""
        return finished(self._judged.where("_status = 'used'"))

    def counts(self, used: int | None = None) -> dict[str, int]:
        """Rows: read = used + rejected + outside + erased; header, blank; files, rejected_files.

        `used`, where it is given, is the sum of `events` as it was written: it is the used count.
        """
        rows = self._judged.groupBy("_status").agg(F.sum("events").alias("events")).collect()
        found = dict.fromkeys(STATUSES, 0) | {row["_status"]: row["events"] for row in rows}
        if used is not None and used != found["used"]:
            raise MusaiError(f"inputs.interactions: {found['used']} rows were used, {used} are in the table")
        survey = self._log.survey
        files = sum(len(group.entries) for group in survey.groups)
        read = sum(found[status] for status in READ)
        return {"read": read, **found, "files": files, "rejected_files": len(survey.rejects)}

    @property
    def aliases(self) -> DataFrame | None:
        """bad_id, good_id; None without inputs.aliases."""
        if self._aliases is None:
            return None
        return self._aliases.ends.selectExpr("_bad_id AS bad_id", "_good_id AS good_id")

    def rejected(self) -> DataFrame:
        """source, place, reason, raw: of the log, and of the aliases."""
        bad = self._judged.where("_status = 'rejected'").select("_bad.*")
        frame = inputs.rejects(self._log.spark, self._log.survey, bad, self._log.erased)
        return frame if self._aliases is None else frame.union(self._aliases.rejected())

    def release(self) -> None:
        """Give the disk back; nothing can be asked for any more without reading the log again."""
        self._judged.unpersist()
        if self._aliases is not None:
            self._aliases.release()


def ingest(
    spark: SparkSession,
    config: Config,
    run_date: dt.date,
    now: dt.datetime,
    snapshot: Sequence[Mapping[str, Any]] | None = None,
) -> Ingested:
    """Raises InputError where the log, the aliases or the list of erased users cannot be used at all.

    With a `snapshot` (`musai.inputs.files`) only files that it names are read.
    """
    spark.conf.set("spark.sql.session.timeZone", config.ingest.time_zone)
    erased = tuple(read_ids(config.inputs.erased_users, "inputs.erased_users"))
    survey = functools.partial(_survey, spark, config, snapshot)
    log = _Log(spark, config, run_date, now, survey("interactions"), erased)
    table = _Aliases(spark, survey("aliases")) if config.inputs.aliases is not None else None
    rows = log.judged()
    if table is not None:
        rows = table.applied(rows)
    judged = added_up(rows, "_status", "user_id", "track_id", "_bad")
    return Ingested(log, table, judged.persist(StorageLevel.DISK_ONLY))


def added_up(rows: DataFrame, *keys: str) -> DataFrame:
    """Exact sums of used rows over `keys`, of which sums can be added up again."""
    return rows.groupBy(*keys).agg(
        F.expr("sum(shiftright(_micro, 32))").alias("_high"),
        F.expr(f"sum(_micro & {HALF - 1}L)").alias("_low"),
        F.count("*").alias("events"),
        F.max("_at").alias("last_event_at"),
    )


def finished(sums: DataFrame) -> DataFrame:
    """`added_up` with the plays as one number; rounded once, so that it is the same whatever was added first."""
    plays = F.expr(f"(_high * {float(HALF)!r}D + _low) / {rules.MICRO!r}D").alias("plays")
    return sums.select("user_id", "track_id", plays, "events", "last_event_at")


def _survey(spark: SparkSession, config: Config, snapshot: Sequence[Mapping[str, Any]] | None, name: str) -> Survey:
    described = source(config, name, snapshot)
    if described is None:
        raise InputError(f"inputs.{name}: it has to be named")
    return inputs.surveyed(spark, described)


# What is kept of a row, and of which.
UNKNOWN = f"user_id IS NULL OR NOT {is_text('user_id')}"
KEPT = {name: ("_status = 'used'", name) for name in ("user_id", "track_id", "_micro", "_at")} | {
    "_bad": ("_status = 'rejected'", inputs.bad_row(UNKNOWN))
}


@dataclasses.dataclass(frozen=True)
class _Log:
    """The listening log and what its rows are judged by."""

    spark: SparkSession
    config: Config
    run_date: dt.date
    now: dt.datetime
    survey: Survey
    erased: tuple[str, ...]

    def judged(self) -> DataFrame:
        """Every row with its `_status`; user_id, track_id, `_micro` and `_at` of the used ones, `_bad` of rejected."""
        frames = []
        for rows in inputs.read(self.spark, self.survey):
            frame = self._with_erased(rows.frame)
            for stage in rules.stages(rows.types, self.config.ingest, self.run_date, self.now):
                frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
            frames.append(frame.select("_status", *(F.expr(f"CASE WHEN {on} THEN {sql} END").alias(name)
                                                    for name, (on, sql) in KEPT.items())))  # fmt: skip
        return functools.reduce(DataFrame.union, frames)

    def _with_erased(self, frame: DataFrame) -> DataFrame:
        if not self.erased:
            return frame.withColumn("_erased", F.lit(False))
        table = self.spark.createDataFrame(pa.table({"user_id": pa.array(self.erased, pa.string())}))
        table = F.broadcast(table.withColumn("_erased", F.lit(True)))
        return frame.join(table, "user_id", "left").withColumn("_erased", F.coalesce("_erased", F.lit(False)))


class _Aliases:
    """Bad track ids and the good ones they stand for, chains followed to their end."""

    def __init__(self, spark: SparkSession, survey: Survey) -> None:
        self._spark = spark
        self._survey = survey
        self._judged = self._first_of_each().persist(StorageLevel.DISK_ONLY)
        self._chained, self._dropped = self._chains()

    def applied(self, rows: DataFrame) -> DataFrame:
        """Rows with good track ids in place of bad ones."""
        table = self.ends
        if sum(entry.size for group in self._survey.groups for entry in group.entries) <= BROADCAST_BYTES:
            table = F.broadcast(table)
        good = F.coalesce("_good_id", "track_id")
        return rows.join(table, rows["track_id"] == table["_bad_id"], "left").withColumn("track_id", good)

    def rejected(self) -> DataFrame:
        """Aliases that were not used, with the reason."""
        rows = self._judged
        if self._dropped:
            broken = F.col("bad_id").isin(sorted(self._dropped)) & F.col("_reason").isNull()
            circle = F.lit("the aliases go round in a circle; this one is left out")
            rows = rows.withColumn("_reason", F.when(broken, circle).otherwise(F.col("_reason")))
        bad = rows.where("_reason IS NOT NULL").select(F.expr(inputs.bad_row()).alias("bad")).select("bad.*")
        return inputs.rejects(self._spark, self._survey, bad)

    def release(self) -> None:
        self._judged.unpersist()

    def _first_of_each(self) -> DataFrame:
        """Every alias once, the first of its bad id; `_reason` where it is not used."""
        reason = f"""CASE WHEN _reason IS NOT NULL THEN _reason
            WHEN bad_id IS NULL OR NOT {is_text("bad_id")} THEN 'no bad id'
            WHEN good_id IS NULL OR NOT {is_text("good_id")} THEN 'no good id'
            WHEN bad_id = good_id THEN 'the alias stands for itself' END"""
        rows = inputs.united(inputs.read(self._spark, self._survey), ("bad_id", "good_id"))
        rows = rows.where("_kind IS NULL").withColumn("_reason", F.expr(reason))
        order = Window.partitionBy("bad_id").orderBy(*map(F.expr, inputs.ORDER))
        good = rows.where("_reason IS NULL").withColumn("_rank", F.row_number().over(order))
        good = good.withColumn("_reason", F.expr("CASE WHEN _rank > 1 THEN 'bad id again' END")).drop("_rank")
        return good.union(rows.where("_reason IS NOT NULL"))

    def _used(self) -> DataFrame:
        return self._judged.where("_reason IS NULL").select("bad_id", "good_id")

    def _chains(self) -> tuple[dict[str, str], set[str]]:
        """Aliases that lead to other aliases, few if any, are followed by the driver."""
        used = self._used()
        leading = used.join(used.select(F.col("bad_id").alias("good_id")), "good_id", "left_semi")
        return aliases.resolved({row["bad_id"]: row["good_id"] for row in leading.collect()})

    @property
    def ends(self) -> DataFrame:
        """`_bad_id`, `_good_id`: where each alias ends."""
        used = self._used()
        if self._chained:
            bad, via = list(self._chained), list(self._chained.values())
            table = pa.table({"bad_id": pa.array(bad, pa.string()), "_via": pa.array(via, pa.string())})
            used = used.join(F.broadcast(self._spark.createDataFrame(table)), "bad_id", "left")
            last = self._used().select(F.col("bad_id").alias("_via"), F.col("good_id").alias("_last"))
            last = last.where(~F.col("_via").isin(sorted(self._dropped))) if self._dropped else last
            used = used.join(last, "_via", "left").withColumn("good_id", F.coalesce("_last", "_via", "good_id"))
        used = used.where("bad_id <> good_id")
        return used.select(F.col("bad_id").alias("_bad_id"), F.col("good_id").alias("_good_id"))
