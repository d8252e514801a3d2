"""The catalogue distributed: check every row, keep the first of each track, account for the others.

First `ingest`, then write its `tracks` once and whole, then ask for `counts()` and write `rejected()`.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession, Window
from pyspark.sql import functions as F

from musai.catalogue import rules
from musai.config import Config
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.inputs.sources import FIELDS, source

STATUSES = ("used", "rejected", "header", "blank")


@dataclasses.dataclass
class Ingested:
    """`tracks`: every column of the table, null where the input lacks it. The rest is known once it was written."""

    tracks: DataFrame
    _spark: SparkSession
    _config: Config
    _survey: Survey
    _rows: Observation
    _repeats: Observation

    @functools.cached_property
    def _seen(self) -> dict[str, Any]:
        rows, repeats = inputs.observed(self._rows), inputs.observed(self._repeats)
        return {**rows, **repeats} if rows and repeats else self._counted()

    def _counted(self) -> dict[str, Any]:
        judged = _judged(self._spark, self._survey, self._config)
        rows = judged.agg(*_counts()).collect()[0].asDict()
        return rows | _ranked(judged).agg(*_repeats()).collect()[0].asDict()

    def counts(self, used: int | None = None) -> dict[str, int]:
        """Rows: read = used + rejected; header, blank; files, rejected_files.

        With `used`, the rows of the table as it was written, they are counted anew where they disagree with it.
        """
        found = self._seen
        if used is not None and used != found["used"] - found["again"]:
            found = self._seen = self._counted()
        again = found["again"]
        counts = {status: int(found[status]) for status in STATUSES}
        counts |= {"used": counts["used"] - again, "rejected": counts["rejected"] + again}
        return {
            "read": counts["used"] + counts["rejected"],
            **counts,
            "files": sum(len(group.entries) for group in self._survey.groups),
            "rejected_files": len(self._survey.rejects),
        }

    def rejected(self) -> DataFrame:
        """source, place, reason, raw."""
        files = inputs.names(self._survey, [*self._seen["files"], *self._seen["repeat_files"]])
        bad = None
        if files:
            judged = _judged(self._spark, self._survey, self._config)
            wanted = ("_reason", "_raw")
            bad = judged.where("_status = 'rejected'").select(*inputs.PLACE, *wanted)
            again = _repeated(judged).withColumn("_reason", F.lit("track_id again"))
            bad = bad.union(again.select(*inputs.PLACE, *wanted)).withColumn("_unknown", F.lit(False))
        return inputs.rejects(self._spark, self._survey, files, bad)


def ingest(spark: SparkSession, config: Config) -> Ingested | None:
    """None where there is no catalogue. Raises InputError where it cannot be used at all."""
    described = source(config, "tracks")
    if described is None:
        return None
    spark.conf.set("spark.sql.session.timeZone", config.ingest.time_zone)
    survey = inputs.surveyed(spark, described)
    rows, repeats = Observation(), Observation()
    judged = _judged(spark, survey, config).observe(rows, *_counts())
    ranked = _ranked(judged).observe(repeats, *_repeats())
    return Ingested(ranked.where("_rank = 1").select(*FIELDS["tracks"]), spark, config, survey, rows, repeats)


def _judged(spark: SparkSession, survey: Survey, config: Config) -> DataFrame:
    """Every row with its place, `_raw`, `_reason`, `_status` and the columns of the table."""
    frames = []
    for group in inputs.read(spark, survey):
        frame = group.frame
        for stage in rules.stages(group.types, config.inputs.tags_separator):
            frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
        frames.append(frame.select(*inputs.PLACE, "_raw", "_reason", "_status", *FIELDS["tracks"]))
    return functools.reduce(DataFrame.union, frames)


def _ranked(judged: DataFrame) -> DataFrame:
    """Rows that can be used, each track's first one with `_rank` 1."""
    order = Window.partitionBy("track_id").orderBy(*map(F.expr, inputs.ORDER))
    return judged.where("_status = 'used'").withColumn("_rank", F.row_number().over(order))


def _repeated(judged: DataFrame) -> DataFrame:
    return _ranked(judged).where("_rank > 1")


def _counts() -> list[Column]:
    counts = [F.count_if(F.col("_status") == status).alias(status) for status in STATUSES]
    return [*counts, F.collect_set(F.expr("CASE WHEN _status = 'rejected' THEN _file END")).alias("files")]


def _repeats() -> list[Column]:
    files = F.collect_set(F.expr("CASE WHEN _rank > 1 THEN _file END")).alias("repeat_files")
    return [F.count_if(F.col("_rank") > 1).alias("again"), files]
