"""Samples and sums for the page. Whatever the size of the tables, the driver gets a bounded number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.config import Report
from musai.evaluation.ranking_metrics import listener_groups
from musai.report.facts import Embedded, Rows
from musai.storage import file_system

PLACES = 12  # of a list
HEARD = 8  # tracks a listener played most
REASONS = 8  # for rejects, of each input
METRIC_ROWS = 5_000
JOB_ROWS = 2_000

Read = Callable[[str], DataFrame | None]


def gathered(
    session: SparkSession, read: Read, uri: Callable[[str], str], settings: Report, seed: int
) -> dict[str, Any]:
    """The facts that come out of the run's tables. `read` gives a table, or None where the run lacks it; `uri`: where
    it lies."""
    listeners = _drawn(_there(read, "users"), "user_id", settings.listeners, seed)
    ids = [row["user_id"] for row in listeners]
    listed = _listed(uri("recommendations"), ids)
    heard = _most_played(uri("interactions"), ids)
    emotions, labels = _emotions(read("track_emotions"), settings.tracks, seed)
    embedded = _embedded(read("track_embeddings"), settings.tracks, seed)
    created, verdicts = _created(read("generated_tracks"), settings.created)
    named = {row[name] for row in listed for name in ("track_id", "because_track_id")} | {r["track_id"] for r in heard}
    named |= {row["track_id"] for row in emotions or ()} | set(embedded.track_ids if embedded else ())
    named |= {(row["originality"] or {}).get("nearest_track_id") for row in created or ()}
    named |= {row["source_track_id"] for row in created or ()}
    likeness = read("generation_metrics")
    return {
        "listeners": _grouped(listeners),
        "heard": heard,
        "lists": listed,
        "tracks": _described(session, read, sorted(named - {None})),
        "emotions": emotions,
        "labels": labels,
        "embedded": embedded,
        "created": created,
        "verdicts": verdicts,
        "likeness": _rows(likeness.orderBy("method", "style", "metric").limit(METRIC_ROWS)) if likeness else [],
        "findings": _rows(_there(read, "audit_results").orderBy("passed", "check")),
        "reasons": _reasons(read("rejected_rows")),
    }


def of_runs(session: SparkSession, schema: str, root: str, folders: Sequence[str], most: int) -> Rows:
    """Rows of a history table for some runs (folders run_id=... under `root`), with run_id from the path."""
    if not folders:
        return []
    frame = session.read.schema(f"{schema}, run_id string").option("basePath", root).parquet(*folders)
    return _rows(frame.limit(most))


def _there(read: Read, table: str) -> DataFrame:
    frame = read(table)
    assert frame is not None, f"every night has {table}"
    return frame


def _rows(frame: DataFrame, *columns: str) -> Rows:
    return frame.select(*columns or ["*"]).toArrow().to_pylist()


def _drawn(frame: DataFrame, key: str, count: int, seed: int) -> Rows:
    """At most `count` rows, drawn by a hash of the key; the same tracks are drawn from tables that share it."""
    return _rows(frame.orderBy(F.xxhash64(F.lit(seed), F.lit("report"), key), key).limit(count))


def _of_users(uri: str, ids: Sequence[str], columns: Sequence[str], also: ds.Expression) -> pa.Table:
    """Rows of a table that lies by listener: only the pieces of its files are read that may hold one of them."""
    system, path = file_system(uri)
    table = ds.dataset(path, format="parquet", filesystem=system, partitioning=None)
    return table.to_table(columns=list(columns), filter=ds.field("user_id").isin(list(ids)) & also)


def _listed(recommendations: str, ids: Sequence[str]) -> Rows:
    columns = ["user_id", "list", "rank", "track_id", "source", "because_track_id"]
    rows = _of_users(recommendations, ids, columns, ds.field("rank") <= PLACES)
    return rows.sort_by([(name, "ascending") for name in columns[:3]]).to_pylist()


def _most_played(interactions: str, ids: Sequence[str]) -> Rows:
    rows = _of_users(interactions, ids, ["user_id", "track_id", "plays"], ds.field("plays") > 0)
    rows = rows.sort_by([("user_id", "ascending"), ("plays", "descending"), ("track_id", "ascending")])
    user = rows["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    place = np.arange(len(user)) - np.searchsorted(user, user)
    return rows.filter(pa.array(place < HEARD)).to_pylist()


def _grouped(listeners: Rows) -> Rows:
    """Most tracks first, each with the third of the drawn listeners that it is in."""
    groups = listener_groups(np.array([row["interactions"] for row in listeners], np.int64))
    found = [{**row, "group": str(group)} for row, group in zip(listeners, groups, strict=True)]
    return sorted(found, key=lambda row: (-row["interactions"], row["user_id"]))


def _described(session: SparkSession, read: Read, ids: list[str]) -> dict[str, dict[str, Any]]:
    """What is known of the named tracks, created ones among them, by track_id."""
    wanted = F.broadcast(session.createDataFrame(pa.table({"track_id": pa.array(ids, pa.string())})))
    found: dict[str, dict[str, Any]] = {track_id: {} for track_id in ids}
    tracks, emotions, made = read("tracks"), read("track_emotions"), read("generated_tracks")
    frames = [
        tracks.select("track_id", "title", "artist", "genre", "language") if tracks else None,
        emotions.select("track_id", "valence", "arousal") if emotions else None,
        _as_tracks(made) if made else None,
    ]
    for frame in filter(None, frames):
        for row in _rows(frame.join(wanted, "track_id", "left_semi")):
            found[row["track_id"]] |= {name: value for name, value in row.items() if value is not None}
    return found


def _as_tracks(made: DataFrame) -> DataFrame:
    title = F.concat_ws(" ", F.coalesce("target_style", "style"), F.concat(F.lit("("), "emotion", F.lit(")")))
    return made.select(
        F.col("generated_id").alias("track_id"),
        title.alias("title"),
        F.lit("MusAI").alias("artist"),
        F.coalesce("target_style", "style").alias("genre"),
        "valence",
        "arousal",
    )


def _emotions(frame: DataFrame | None, count: int, seed: int) -> tuple[Rows | None, Rows]:
    if frame is None:
        return None, []
    drawn = _drawn(frame.select("track_id", "valence", "arousal", "label", "confidence"), "track_id", count, seed)
    return drawn, _rows(frame.groupBy("label").agg(F.count(F.lit(1)).alias("tracks")).orderBy(F.desc("tracks")))


def _embedded(frame: DataFrame | None, count: int, seed: int) -> Embedded | None:
    """By the model that has most tracks: vectors of two models do not compare."""
    if frame is None:
        return None
    model = frame.groupBy("model").count().orderBy(F.desc("count"), "model").first()
    if model is None:
        return None
    rows = _drawn(frame.where(F.col("model") == model["model"]), "track_id", count, seed)
    vectors = np.array([row["embedding"] for row in rows], np.float32)
    return Embedded(model["model"], [row["track_id"] for row in rows], vectors)


def _created(frame: DataFrame | None, count: int) -> tuple[Rows | None, Rows]:
    """The newest, those of each method in turn; without their embeddings."""
    if frame is None:
        return None, []
    newest = Window.partitionBy("method").orderBy(F.desc("created_run_id"), "generated_id")
    shown = frame.drop("embedding").withColumn("place", F.row_number().over(newest)).orderBy("place", "method")
    by_verdict = frame.groupBy("method", F.col("originality.verdict").alias("verdict"))
    return _rows(shown.limit(count)), _rows(by_verdict.agg(F.count(F.lit(1)).alias("tracks")).orderBy("method"))


def _reasons(rejected: DataFrame | None) -> Rows:
    if rejected is None:
        return []
    commonest = Window.partitionBy("source").orderBy(F.desc("rows"), "reason")
    counted = rejected.groupBy("source", "reason").agg(F.count(F.lit(1)).alias("rows"))
    ranked = counted.withColumn("place", F.row_number().over(commonest)).where(F.col("place") <= REASONS)
    return _rows(ranked.orderBy("source", "place").drop("place"))


def counts_of(manifests: Mapping[str, Mapping[str, Any] | None]) -> Rows:
    """What the ingests counted (source -> manifest of its rejects); without inputs that were not there."""
    return [{"source": source, **found["counts"]} for source, found in manifests.items() if found and "counts" in found]
