"""The listening log distributed: judge every row, add up those that count, account for the others.

Every line is read and judged once, in the night that meets its file first; what comes of it is kept in day folders (see
`musai.days`), or in one that is thrown away after the night. The interactions are merged from the folders.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from musai.aliases.spark import Aliases
from musai.config import Config
from musai.days import folders, sums
from musai.days import spark as days
from musai.errors import InputError, MusaiError
from musai.inputs import files, headers
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.inputs.lines import is_text
from musai.inputs.sources import source
from musai.interactions import rules
from musai.scratch import scratch
from musai.storage import LocalStorage, Storage
from musai.warehouse import day_folders
from musai.warehouse.task_files import Place

READ = ("used", "rejected", "outside", "erased")


@dataclasses.dataclass
class Ingested:
    """What became of the log."""

    _log: _Log
    _aliases: Aliases | None
    _storage: Storage
    _kept: Sequence[folders.Kept]
    _passing: str
    _written: days.Written | None
    _merged: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def stored(self, place: Place) -> list[Row]:
        """Write the interactions to files of a place: rows of `task_files.PARTS`."""
        log, aliases = self._log, None
        if self.aliases is not None:
            aliases = f"{self._passing}/aliases"
            self.aliases.write.mode("overwrite").parquet(self._storage.spark_uri(aliases))
            aliases = self._storage.uri(aliases)
        night = sums.Night(log.run_date, rules.first_day(log.config.ingest, log.run_date), log.erased, aliases)
        parts, self._merged = days.merge(log.spark, self._storage, self._kept, night, place)
        return parts

    def counts(self, used: int | None = None) -> dict[str, int]:
        """Rows, once the interactions are stored: read = used + rejected + outside + erased; header, blank; files,
        repeated_files (of the content of another, and not read), rejected_files.

        `used`: the sum of `events` as it was written, which has to be the used count.
        """
        of_folders = days.counts(self._kept)
        erased = self._rejected().where("_erased").count() if self._log.erased and of_folders["rejected"] else 0
        found = of_folders | {
            "used": self._merged["used"],
            "rejected": of_folders["rejected"] - erased,
            "outside": of_folders["outside"] + self._merged["outside"],
            "erased": of_folders["erased"] + self._merged["erased"] + erased,
        }
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
        names = {identity: name for name, identity in log.named.items()}
        frame = inputs.described(log.spark, log.survey, self._rejected().where("NOT _erased"), names, log.erased)
        return frame if self._aliases is None else frame.union(self._aliases.rejected())

    def _rejected(self) -> DataFrame:
        if self._written:
            return self._log.with_erased(self._written.rejected)
        return self._log.with_erased(days.rejected(self._log.spark, self._storage, self._kept))

    def release(self) -> None:
        """Give the disk back; nothing can be asked for any more."""
        self._storage.delete(self._passing)
        if self._written:
            self._written.release()
        if self._aliases is not None:
            self._aliases.release()


def ingest(
    spark: SparkSession,
    config: Config,
    run_date: dt.date,
    now: dt.datetime,
    snapshot: Sequence[Mapping[str, Any]] | None = None,
    keep: tuple[Storage, str] | None = None,
    passing: tuple[Storage, str] | None = None,
) -> Ingested:
    """Raises InputError where the log, the aliases or the list of erased users cannot be used at all.

    With a `snapshot` (`musai.inputs.files`) only files that it names are read. `keep`: where day folders are and the
    run that asks; without it nothing is kept. A file that changes while its day folder is written is a MusaiError.
    `passing`: where a folder (path in a storage) may lie until `release`; this machine's own without it.
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
    storage, folder = passing or (LocalStorage(str(scratch("ingest"))), uuid.uuid4().hex)
    storage.delete(folder)  # of an attempt that was killed
    fresh, path = survey.only(log.named.keys() - sound), f"{folder}/rows"
    if keep:
        storage, path = keep[0], day_folders.begun(*keep)
        day_folders.note(*keep, [*(one.path for one in kept), path])
    written = None
    if fresh.groups:
        written = days.write(storage, path, log.delivery(fresh, keep is not None), judge)
        if keep:
            files.check_unchanged(config, snapshot)
            day_folders.seal(storage, path, written.manifest)
        kept.append(folders.Kept(path, written.manifest, tuple(sorted(written.manifest["files"]))))
    return Ingested(log, table, storage, kept, folder, None if keep else written)


UNKNOWN = f"user_id IS NULL OR NOT {is_text('user_id')}"
SENT = {  # to the tasks that add up: see `days.Delivery`
    "user_id": "CASE WHEN _status = 'good' OR _status = 'rejected' AND is_valid_utf8(user_id) THEN user_id END",
    "track_id": "CASE WHEN _status = 'good' THEN track_id END",
    "_micro": "CASE WHEN _status = 'good' THEN _micro END",
    "_at": f"CASE WHEN _status = 'good' OR _reason = '{rules.FUTURE}' THEN _at END",
    "_note": f"""CASE WHEN _status = 'rejected' THEN {days.note(inputs.bad_row(UNKNOWN))}
        WHEN _status <> 'good' THEN _status END""",
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

    def delivery(self, survey: Survey, kept: bool) -> days.Delivery:
        """Files that are read now. Without `kept` days, rows that lie outside this night's are only counted."""
        frames = []
        for rows in inputs.read(self.spark, survey):
            frame = self.with_erased(rows.frame)
            for stage in rules.stages(rows.types, self.config.ingest, self.now):
                frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
            day = F.expr("CAST(_at AS date)")
            if kept:
                columns = [F.col("_file"), F.when(F.col("_status") == "good", day).alias("_day")]
            else:
                outside = rules.outside(self.config.ingest, self.run_date)
                outside = f"CASE WHEN _status = 'good' AND {outside} THEN 'outside' ELSE _status END"
                columns, frame = [], frame.withColumn("_day", day).withColumn("_status", F.expr(outside))
            frames.append(frame.select(*columns, *(F.expr(sql).alias(name) for name, sql in SENT.items())))
        identities = {path: self.named[name] for path, name in inputs.named(survey).items()}
        return days.Delivery(functools.reduce(DataFrame.union, frames), survey, identities)

    def with_erased(self, frame: DataFrame) -> DataFrame:
        """`_erased`: whether the row is of an erased user."""
        if not self.erased:
            return frame.withColumn("_erased", F.lit(False))
        table = self.spark.createDataFrame(pa.table({"user_id": pa.array(self.erased, pa.string())}))
        table = F.broadcast(table.withColumn("_erased", F.lit(True)))
        return frame.join(table, "user_id", "left").withColumn("_erased", F.coalesce("_erased", F.lit(False)))
