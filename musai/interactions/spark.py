"""The listening log distributed: judge every row, add up those that count, account for the others.

Every line is read and judged once: each night anew (`_Whole`), or in the night that meets its file first, whose sums
are kept in day folders (`_Merged`; see `musai.days`). What comes of it is the same.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from musai.aliases.spark import Aliases
from musai.config import Config
from musai.days import folders
from musai.days import spark as days
from musai.errors import InputError, MusaiError
from musai.inputs import files, headers
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.inputs.lines import is_text
from musai.inputs.sources import source
from musai.interactions import rules
from musai.storage import Storage
from musai.warehouse import day_folders

STATUSES = ("used", "rejected", "outside", "erased", "header", "blank")
READ = STATUSES[:4]
HALF = 2**32  # sums are kept as two integers, of the high and the low 32 bits: neither can overflow


@dataclasses.dataclass(frozen=True)
class Ingested:
    """What became of the log; whatever is asked for first has it read."""

    _log: _Log
    _aliases: Aliases | None
    _rows: _Rows

    @property
    def interactions(self) -> DataFrame:
        """user_id, track_id, plays, events, last_event_at."""
        return finished(self._rows.used)

    def counts(self, used: int | None = None) -> dict[str, int]:
        """Rows: read = used + rejected + outside + erased; header, blank; files, repeated_files (of the content of
        another, and not read), rejected_files.

        `used`, where it is given, is the sum of `events` as it was written: it is the used count.
        """
        found = dict.fromkeys(STATUSES, 0) | self._rows.numbers()
        if used is not None and used != found["used"]:
            raise MusaiError(f"inputs.interactions: {found['used']} rows were used, {used} are in the table")
        survey = self._log.survey
        names = [entry.name for group in survey.groups for entry in group.entries]
        repeated = len(names) - len(self._log.named.keys() & names)
        of_files = {"files": len(names), "repeated_files": repeated, "rejected_files": len(survey.rejects)}
        return {"read": sum(found[status] for status in READ), **found, **of_files}

    @property
    def aliases(self) -> DataFrame | None:
        """bad_id, good_id; None without inputs.aliases."""
        if self._aliases is None:
            return None
        return self._aliases.ends.selectExpr("_bad_id AS bad_id", "_good_id AS good_id")

    def rejected(self) -> DataFrame:
        """source, place, reason, raw: of the log, and of the aliases."""
        log = self._log
        frame = inputs.described(log.spark, log.survey, *self._rows.rejected(), log.erased)
        return frame if self._aliases is None else frame.union(self._aliases.rejected())

    def release(self) -> None:
        """Give the disk back; nothing can be asked for any more without reading the log again."""
        self._rows.release()
        if self._aliases is not None:
            self._aliases.release()


def ingest(
    spark: SparkSession,
    config: Config,
    run_date: dt.date,
    now: dt.datetime,
    snapshot: Sequence[Mapping[str, Any]] | None = None,
    keep: tuple[Storage, str] | None = None,
) -> Ingested:
    """Raises InputError where the log, the aliases or the list of erased users cannot be used at all.

    With a `snapshot` (`musai.inputs.files`) only files that it names are read. `keep`: where day folders are and the
    run that asks; without it nothing is kept. A file that changes while its day folder is written is a MusaiError.
    """
    spark.conf.set("spark.sql.session.timeZone", config.ingest.time_zone)
    erased = tuple(files.read_ids(config.inputs.erased_users, "inputs.erased_users"))
    snapshot = files.snapshot(config) if snapshot is None else snapshot
    described = source(config, "interactions", snapshot)
    if described is None:
        raise InputError("inputs.interactions: it has to be named")
    survey = inputs.usable(headers.survey(described))
    identities = folders.first_of_each(folders.identities(survey, snapshot))
    judge = folders.Judge(folders.key_of(config), now + rules.TOLERANCE, erased)
    kept = folders.serving(keep[0], identities, judge) if keep else []
    sound = {identities[identity] for one in kept for identity in one.files}
    survey = inputs.usable(inputs.verified(spark, survey, sound))
    log = _Log(spark, config, run_date, now, survey, {name: one for one, name in identities.items()}, erased)
    of_aliases = source(config, "aliases", snapshot)
    table = Aliases(spark, inputs.surveyed(spark, of_aliases)) if of_aliases else None
    if keep is None:
        return Ingested(log, table, _Whole.of(log, table))
    path = day_folders.begun(*keep)
    day_folders.note(*keep, [*(one.path for one in kept), path])
    fresh = survey.only(log.named.keys() - sound)
    if fresh.groups:
        manifest = days.write(keep[0], path, _delivery(log, fresh), judge)
        files.check_unchanged(config, snapshot)
        day_folders.seal(keep[0], path, manifest)
        kept.append(folders.Kept(path, manifest, tuple(sorted(manifest["files"]))))
    return Ingested(log, table, _Merged(log, table, keep[0], kept))


def added_up(rows: DataFrame, *keys: str) -> DataFrame:
    """Exact sums of rows over `keys`, of which sums can be added up again (`added_again`)."""
    return rows.groupBy(*keys).agg(
        F.expr("sum(shiftright(_micro, 32))").alias("_high"),
        F.expr(f"sum(_micro & {HALF - 1}L)").alias("_low"),
        F.count("*").alias("events"),
        F.max("_at").alias("last_event_at"),
    )


def added_again(sums: DataFrame, *keys: str) -> DataFrame:
    """What `added_up` would give over fewer keys."""
    added = [F.sum(name).alias(name) for name in ("_high", "_low", "events")]
    return sums.groupBy(*keys).agg(*added, F.max("last_event_at").alias("last_event_at"))


def finished(sums: DataFrame) -> DataFrame:
    """`added_up` with the plays as one number; rounded once, so that it is the same whatever was added first."""
    plays = F.expr(f"(_high * {float(HALF)!r}D + _low) / {rules.MICRO!r}D").alias("plays")
    return sums.select("user_id", "track_id", plays, "events", "last_event_at")


# What is kept of a row, and of which.
UNKNOWN = f"user_id IS NULL OR NOT {is_text('user_id')}"
KEPT = {
    "_day": ("_status = 'good'", "CAST(_at AS date)"),
    "user_id": ("_status IN ('good', 'rejected')", "user_id"),
    "track_id": ("_status = 'good'", "track_id"),
    "_micro": ("_status = 'good'", "_micro"),
    "_at": (f"_status = 'good' OR _status = 'rejected' AND _reason = '{rules.FUTURE}'", "_at"),
    "_bad": ("_status = 'rejected'", inputs.bad_row(UNKNOWN)),
}
USED = {  # of the rows that are not used no more than that is needed
    "_status": "CASE WHEN _status <> 'good' THEN _status WHEN {outside} THEN 'outside' ELSE 'used' END",
    "user_id": "CASE WHEN _status = 'used' THEN user_id END",
    "track_id": "CASE WHEN _status = 'used' THEN track_id END",
}


@dataclasses.dataclass(frozen=True)
class _Log:
    """The listening log and what its rows are judged by. `named`: the files that are read, with their identities."""

    spark: SparkSession
    config: Config
    run_date: dt.date
    now: dt.datetime
    survey: Survey
    named: Mapping[str, str]
    erased: tuple[str, ...]

    @property
    def outside(self) -> str:
        return rules.outside(self.config.ingest, self.run_date)

    def judged(self, survey: Survey) -> DataFrame:
        """Every row of some files with its `_file` and `_status` and what KEPT says."""
        frames = []
        for rows in inputs.read(self.spark, survey):
            frame = self.with_erased(rows.frame)
            for stage in rules.stages(rows.types, self.config.ingest, self.now):
                frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
            kept = [F.expr(f"CASE WHEN {on} THEN {sql} END").alias(name) for name, (on, sql) in KEPT.items()]
            frames.append(frame.select("_file", "_status", *kept))
        return functools.reduce(DataFrame.union, frames)

    def with_erased(self, frame: DataFrame) -> DataFrame:
        """`_erased`: whether the row is of an erased user."""
        if not self.erased:
            return frame.withColumn("_erased", F.lit(False))
        table = self.spark.createDataFrame(pa.table({"user_id": pa.array(self.erased, pa.string())}))
        table = F.broadcast(table.withColumn("_erased", F.lit(True)))
        return frame.join(table, "user_id", "left").withColumn("_erased", F.coalesce("_erased", F.lit(False)))


class _Rows(Protocol):
    """Where the rows of the night come from."""

    @property
    def used(self) -> DataFrame:
        """user_id, track_id and their sums."""

    def numbers(self) -> dict[str, int]:
        """Rows by status; those that there are none of may lack."""

    def rejected(self) -> tuple[DataFrame, Mapping[str, str]]:
        """The fields of `inputs.bad_row` with their line; what stands in `file` -> the input's name of it."""

    def release(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class _Whole:
    """All of the log, read now and kept on the executors' disks until `release`."""

    log: _Log
    judged: DataFrame

    @classmethod
    def of(cls, log: _Log, table: Aliases | None) -> _Whole:
        rows = log.judged(log.survey.only(log.named))
        for name, expression in USED.items():
            rows = rows.withColumn(name, F.expr(expression.format(outside=log.outside)))
        rows = table.applied(rows) if table else rows
        judged = added_up(rows, "_status", "user_id", "track_id", "_bad")
        return cls(log, judged.persist(StorageLevel.DISK_ONLY))

    @property
    def used(self) -> DataFrame:
        return self.judged.where("_status = 'used'")

    @functools.cached_property
    def _tallies(self) -> Sequence[Row]:
        """status, file, events; `file` where a row of it is bad and its line is still to be counted."""
        file = F.expr("CASE WHEN _bad.line IS NULL THEN _bad.file END").alias("file")
        rows = self.judged.groupBy(F.col("_status").alias("status"), file)
        return rows.agg(F.sum("events").alias("events")).collect()

    def numbers(self) -> dict[str, int]:
        found: dict[str, int] = collections.Counter()
        for row in self._tallies:
            found[row["status"]] += row["events"]
        return found

    def rejected(self) -> tuple[DataFrame, Mapping[str, str]]:
        survey = self.log.survey.only(self.log.named)
        bad = self.judged.where("_status = 'rejected'").select("_bad.*")
        if not self.numbers().get("rejected"):
            bad = bad.limit(0)  # nothing is read for it
        files = [row["file"] for row in self._tallies if row["file"]]
        return inputs.numbered(self.log.spark, survey, bad, files), inputs.named(survey)

    def release(self) -> None:
        self.judged.unpersist()


def _delivery(log: _Log, fresh: Survey) -> days.Delivery:
    """What is kept of files that are read now."""
    sums = added_up(log.judged(fresh), "_file", "_day", "_status", "user_id", "track_id", "_bad")
    sums = sums.persist(StorageLevel.DISK_ONLY)
    bad = inputs.numbered(log.spark, fresh, sums.where("_status = 'rejected'").select("user_id", "_bad.*"))
    names = inputs.named(fresh)
    identities = {path: log.named[name] for path, name in names.items()}
    return days.Delivery(sums, bad, identities, {log.named[name]: name for name in names.values()})


@dataclasses.dataclass(frozen=True)
class _Merged:
    """The rows of day folders."""

    log: _Log
    table: Aliases | None
    storage: Storage
    kept: Sequence[folders.Kept]

    @property
    def used(self) -> DataFrame:
        rows = self._good().where("_status = 'used'")
        return added_again(self.table.applied(rows) if self.table else rows, "user_id", "track_id")

    def _good(self) -> DataFrame:
        status = f"CASE WHEN _erased THEN 'erased' WHEN {self.log.outside} THEN 'outside' ELSE 'used' END"
        rows = days.read(self.log.spark, self.storage, self.kept, folders.GOOD)
        return self.log.with_erased(rows).withColumn("_status", F.expr(status))

    def _rejected(self) -> DataFrame:
        return self.log.with_erased(days.read(self.log.spark, self.storage, self.kept, folders.REJECTED))

    def numbers(self) -> dict[str, int]:
        rows = self._good().groupBy("_status").agg(F.sum("events").alias("events")).collect()
        found = days.counts(self.kept)
        erased = self._rejected().where("_erased").count() if self.log.erased and found["rejected"] else 0
        found |= {"rejected": found["rejected"] - erased, "erased": found["erased"] + erased}
        for row in rows:
            found[row["_status"]] = found.get(row["_status"], 0) + row["events"]
        return found

    def rejected(self) -> tuple[DataFrame, Mapping[str, str]]:
        return self._rejected().where("NOT _erased"), {identity: name for name, identity in self.log.named.items()}

    def release(self) -> None:
        """The folders stay."""
