"""What a run holds of some listeners, and the same run without them.

Listeners stand in tables by their id (`user_id`, `similar_user_id`), by their index (`user_index`), and in texts: rows
that were rejected, and what a job said when it failed. What was computed from everybody's rows together (sums of a
track, neighbours and factors of tracks, figures) names nobody and stays as it is; the next night has no part of theirs.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.days.folders import GOOD, REJECTED
from musai.inputs.places import ERASED, holds_any
from musai.tables import TABLES, Table
from musai.warehouse import Run

IDS = ("user_id", "similar_user_id")
INDEX = "user_index"
FACTORS = "als_factors"  # by index, of listeners and of tracks
TEXTS: Mapping[str, tuple[str, str]] = {  # table -> column, the expression for what may name a listener in it
    "rejected_rows": ("raw", "raw"),
    "job_log": ("message", "CASE WHEN status <> 'done' THEN message END"),  # else it is counts of ours
}
RUN_OF_FILE = r"/run_id=([^/]+)/"
OF_SEAL = (  # what a manifest says by itself; all else was the job's own addition
    "table", "run_id", "job", "rows", "digest", "config_digest", "inputs_digest", "inputs", "code", "seed",
)  # fmt: skip

Batches = Iterator[pa.RecordBatch]


def columns_of_ids(table: Table) -> list[str]:
    return [name for name in IDS if name in table.column_names]


def names_listeners(table: Table) -> bool:
    """Whether a listener's id can stand in the table."""
    return bool(columns_of_ids(table)) or table.name in TEXTS


@dataclasses.dataclass(frozen=True)
class Forgotten:
    """The ids of the listeners to forget."""

    session: SparkSession
    ids: tuple[str, ...]

    @functools.cached_property
    def _ids(self) -> DataFrame:
        return F.broadcast(self.session.createDataFrame(pa.table({"id": pa.array(self.ids, pa.string())})))

    def held(self, table: Table, folders: Sequence[str]) -> dict[str, int]:
        """run_id -> rows that name one of them, over folders (URIs) of runs of a table."""
        frame = self.session.read.parquet(*folders).withColumn("_file", F.col("_metadata.file_path"))
        if table.name in TEXTS:
            texts = frame.selectExpr("_file", f"{TEXTS[table.name][1]} AS _text")
            found = texts.mapInArrow(_holding(self.ids, table.name), "_file string, _held boolean").where("_held")
        else:
            found = _unioned([self._of(frame, column).select("_file") for column in columns_of_ids(table)])
        rows = found.groupBy(F.regexp_extract("_file", RUN_OF_FILE, 1).alias("run_id")).count().collect()
        return {row["run_id"]: row["count"] for row in rows}

    def held_of_days(self, folder: str) -> int:
        """Rows of a day folder (URI) that name one of them."""
        good, rejected = (self.session.read.parquet(f"{folder}/{part}") for part in (GOOD, REJECTED))
        rows = rejected.select("user_id", "raw").mapInArrow(_naming(self.ids), "held boolean")
        return self._of(good, "user_id").count() + rows.where("held").count()

    def _of(self, frame: DataFrame, column: str) -> DataFrame:
        return frame.join(self._ids, F.col(column) == F.col("id"), "left_semi")

    def rewrite(self, old: Run, new: Run) -> None:
        """Write every table of `old`, without these listeners, as those of `new`; weekly tables name no listener."""
        indexes = self._indexes(old) if old.has("users") else None
        heard = old.read(self.session, "interactions")
        erased = self._of(heard, "user_id").agg(F.coalesce(F.sum("events"), F.lit(0)).alias("events")).first()
        for table in TABLES.values():
            if table.kind == "weekly":
                continue
            for job in table.writers or ("publish",):
                manifest = old.manifest(table.name, job)
                if manifest is None:
                    continue
                rows = self._without(old.part(self.session, table.name, job), table, indexes)
                extra = {key: value for key, value in manifest.items() if key not in OF_SEAL}
                if table.name == "rejected_rows" and job == "ingest_interactions" and erased:
                    extra["counts"] = _recounted(extra["counts"], erased["events"])
                new.write(rows, table.name, job, extra)

    def _indexes(self, run: Run) -> DataFrame:
        """`_index`, `_new`: who stays, numbered anew without gaps."""
        users = run.read(self.session, "users").join(self._ids, F.col("user_id") == F.col("id"), "left_anti")
        new = F.row_number().over(Window.orderBy(INDEX)) - 1
        return users.select(F.col(INDEX).alias("_index"), new.alias("_new"))

    def _without(self, frame: DataFrame, table: Table, indexes: DataFrame | None) -> DataFrame:
        for column in columns_of_ids(table):
            frame = frame.join(self._ids, F.col(column) == F.col("id"), "left_anti")
        if INDEX in table.column_names:
            frame = _renumbered(frame, INDEX, indexes)
        if table.name == FACTORS:
            listeners = _renumbered(frame.where("side = 'user'"), "row_index", indexes)
            frame = listeners.unionByName(frame.where("side <> 'user'"))
        if table.name in TEXTS:
            column, text = TEXTS[table.name]
            texts = frame.selectExpr("*", f"{text} AS _text")
            return texts.mapInArrow(_redacted(self.ids, table.name, column), frame.schema)
        return frame


def _renumbered(frame: DataFrame, column: str, indexes: DataFrame | None) -> DataFrame:
    assert indexes is not None, f"{column} without a table of users"
    joined = frame.join(indexes, F.col(column) == F.col("_index"), "inner")
    return joined.withColumn(column, F.col("_new")).drop("_index", "_new")


def _unioned(frames: Sequence[DataFrame]) -> DataFrame:
    return functools.reduce(DataFrame.union, frames)


def _recounted(counts: Mapping[str, int], events: int) -> dict[str, int]:
    return {**counts, "used": counts["used"] - events, "erased": counts["erased"] + events}


# -- texts ----------------------------------------------------------------------------------------------------------


def _finder(ids: Sequence[str], table: str) -> Callable[[str | None], bool]:
    """Rejected rows: anywhere in the text, as ingest does it; messages: as a word of its own."""
    if table == "job_log":
        words = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in ids))
        return lambda text: text is not None and bool(words.search(text))
    holds = holds_any(ids)
    return lambda text: text is not None and holds(text.encode("utf-8", "surrogatepass"))


def _holding(ids: Sequence[str], table: str) -> Callable[[Batches], Batches]:
    def task(batches: Batches) -> Batches:
        holds = _finder(ids, table)
        for batch in batches:
            held = pa.array([holds(text) for text in batch.column("_text").to_pylist()], pa.bool_())
            yield pa.RecordBatch.from_arrays([batch.column("_file"), held], names=["_file", "_held"])

    return task


def _naming(ids: Sequence[str]) -> Callable[[Batches], Batches]:
    """For rejected rows of a day folder: (user_id, raw bytes) -> held."""

    def task(batches: Batches) -> Batches:
        holds, known = holds_any(ids), set(ids)
        for batch in batches:
            users, raws = (batch.column(name).to_pylist() for name in ("user_id", "raw"))
            held = [user in known or holds(raw or b"") for user, raw in zip(users, raws, strict=True)]
            yield pa.RecordBatch.from_arrays([pa.array(held, pa.bool_())], names=["held"])

    return task


def _redacted(ids: Sequence[str], table: str, column: str) -> Callable[[Batches], Batches]:
    def task(batches: Batches) -> Batches:
        holds = _finder(ids, table)
        for batch in batches:
            shown: list[Any] = batch.column(column).to_pylist()
            texts = batch.column("_text").to_pylist()
            clean = [ERASED if holds(text) else value for text, value in zip(texts, shown, strict=True)]
            place = batch.schema.get_field_index(column)
            kept = batch.set_column(place, batch.schema.field(column), pa.array(clean, pa.string()))
            yield kept.drop_columns(["_text"])

    return task
