"""The catalogue distributed: check every row, keep the first of each track, account for the others.

Every line is read and judged once; what comes of it is kept on the executors' disks until `Ingested.release`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.catalogue import rules
from musai.config import Config
from musai.errors import MusaiError
from musai.inputs import media
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.inputs.sources import FIELDS, source

STATUSES = ("used", "rejected", "aliased", "header", "blank")


@dataclasses.dataclass(frozen=True)
class Ingested:
    """What became of the catalogue; whatever is asked for first has it read."""

    _spark: SparkSession
    _survey: Survey
    _judged: DataFrame  # kept on disk

    @property
    def tracks(self) -> DataFrame:
        """Every column of the table, null where the input lacks it."""
        return self._judged.where("_status = 'used'").select(*FIELDS["tracks"])

    def counts(self, used: int | None = None) -> dict[str, int]:
        """Rows: read = used + rejected + aliased; header, blank; files, rejected_files.

        `used`, where it is given, is the number of rows of the table as it was written: it is the used count.
        """
        rows = self._judged.groupBy("_status").count().collect()
        found = dict.fromkeys(STATUSES, 0) | {row["_status"]: row["count"] for row in rows}
        if used is not None and used != found["used"]:
            raise MusaiError(f"inputs.tracks: {found['used']} rows were used, {used} are in the table")
        files = sum(len(group.entries) for group in self._survey.groups)
        read = found["used"] + found["rejected"] + found["aliased"]
        return {"read": read, **found, "files": files, "rejected_files": len(self._survey.rejects)}

    def rejected(self) -> DataFrame:
        """source, place, reason, raw."""
        bad = self._judged.where("_status = 'rejected'").select("_bad.*")
        return inputs.rejects(self._spark, self._survey, bad)

    def release(self) -> None:
        """Give the disk back; nothing can be asked for any more without reading the catalogue again."""
        self._judged.unpersist()


def ingest(
    spark: SparkSession,
    config: Config,
    snapshot: Sequence[Mapping[str, Any]] | None = None,
    aliases: DataFrame | None = None,
) -> Ingested | None:
    """None where there is no catalogue. Raises InputError where it cannot be used at all.

    A row of a bad id of `aliases` (bad_id, good_id) speaks for the good id if that has no row of its own; the others
    are left out and counted as aliased. With a `snapshot` (`musai.inputs.files`) only files that it names are read.
    """
    described = source(config, "tracks", snapshot)
    if described is None:
        return None
    spark.conf.set("spark.sql.session.timeZone", config.ingest.time_zone)
    survey = inputs.surveyed(spark, described)
    frames = []
    for group in inputs.read(spark, survey):
        frame = group.frame
        for stage in rules.stages(group.types, config.inputs.tags_separator):
            frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
        frame = _within_roots(frame, set(media.FIELDS) & group.types.keys(), media.roots_of(config.inputs))
        frames.append(frame.select(*inputs.PLACE, "_raw", "_reason", "_status", *FIELDS["tracks"]))
    judged = _first_of_each(_under_good_ids(functools.reduce(DataFrame.union, frames), aliases))
    return Ingested(spark, survey, judged.persist(StorageLevel.DISK_ONLY))


def _within_roots(rows: DataFrame, fields: Iterable[str], roots: Sequence[str]) -> DataFrame:
    """Rows with a path that leads out of `inputs.media_roots` become rejects."""

    def out(path: str | None) -> bool:
        return path is not None and media.located(path, roots) is None

    leads_out = F.udf(out, "boolean")
    for field in sorted(fields):
        bad = F.expr("_status = 'used'") & leads_out(F.when(F.col("_status") == "used", F.col(field)))
        rows = rows.withColumn("_out", bad)
        reason = f"CASE WHEN _out THEN '{field} leads out of inputs.media_roots' ELSE _reason END"
        status = "CASE WHEN _out THEN 'rejected' ELSE _status END"
        rows = rows.withColumns({"_reason": F.expr(reason), "_status": F.expr(status)}).drop("_out")
    return rows


def _under_good_ids(rows: DataFrame, aliases: DataFrame | None) -> DataFrame:
    """Rows with good ids in place of bad ones; `_alias` says which had a bad one."""
    if aliases is None:
        return rows.withColumn("_alias", F.lit(False))
    named = aliases.select(F.col("bad_id").alias("_bad_id"), F.col("good_id").alias("_good_id"))
    rows = rows.join(named, rows["track_id"] == named["_bad_id"], "left")
    columns = {"_alias": F.col("_good_id").isNotNull(), "track_id": F.coalesce("_good_id", "track_id")}
    return rows.withColumns(columns).drop("_bad_id", "_good_id")


def _first_of_each(rows: DataFrame) -> DataFrame:
    """Rows that can be used, once each track, by file and line, its own before those of aliases; the later ones are
    rejects like the others, or aliased."""
    alone = f"CASE WHEN _status <> 'used' THEN struct({', '.join(inputs.PLACE)}) END"  # no row is like it
    group = Window.partitionBy("_status", "track_id", F.expr(alone)).orderBy("_alias", *map(F.expr, inputs.ORDER))
    again = "_status = 'used' AND _rank > 1"
    return (
        rows.withColumn("_raw", F.substring("_raw", 1, inputs.SHOWN_BYTES))
        .withColumn("_rank", F.row_number().over(group))
        .withColumn("_reason", F.expr(f"CASE WHEN {again} THEN 'track_id again' ELSE _reason END"))
        .withColumn("_again", F.expr("CASE WHEN _alias THEN 'aliased' ELSE 'rejected' END"))
        .withColumn("_status", F.expr(f"CASE WHEN {again} THEN _again ELSE _status END"))
        .withColumn("_bad", F.expr(f"CASE WHEN _status = 'rejected' THEN {inputs.bad_row()} END"))
        .select("_status", "_bad", *FIELDS["tracks"])
    )
