"""Tags a catalogue in Spark tasks: a track whose content and models are those of the parent run keeps its row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from musai.emotion.models import Models
from musai.emotion.tagging import READ, Content, emotion, midi_of
from musai.emotion.weights import Stored

EMOTION = ("valence", "arousal", "label", "probabilities", "sources", "confidence")
SAID = ("valence_by_source", "arousal_by_source", "disagreement")  # of `emotion_inputs`
SCHEMA = (
    "track_id string, valence double, arousal double, label string, probabilities map<string,double>, "
    "sources array<string>, confidence double, valence_by_source map<string,double>, "
    "arousal_by_source map<string,double>, disagreement double, content_hash string, reason string, place string, "
    "carried boolean"
)
ARROW = pa.schema(
    [
        ("track_id", pa.string()),
        ("valence", pa.float64()),
        ("arousal", pa.float64()),
        ("label", pa.string()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("sources", pa.list_(pa.string())),
        ("confidence", pa.float64()),
        ("valence_by_source", pa.map_(pa.string(), pa.float64())),
        ("arousal_by_source", pa.map_(pa.string(), pa.float64())),
        ("disagreement", pa.float64()),
        ("content_hash", pa.string()),
        ("reason", pa.string()),
        ("place", pa.string()),
        ("carried", pa.bool_()),
    ]
)
TRACKS_A_TASK = 2_000  # a task loads the models once, which takes about a second


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The parent run's `track_emotions` and `emotion_inputs`."""

    emotions: DataFrame
    inputs: DataFrame


def tagged(
    tracks: DataFrame,
    embeddings: DataFrame | None,
    earlier: Earlier | None,
    stored: Mapping[str, Stored],
    roots: Sequence[str],
    partitions: int,
) -> DataFrame:
    """A row a track, as SCHEMA: `valence` and what follows are null where no source says anything.

    tracks: the table; embeddings: `track_embeddings` or None; roots: see `musai.inputs.media`.
    The result is kept on the executors' disks.
    """
    rows = tracks.select("track_id", *READ, "midi_path")
    if embeddings is None:
        rows = rows.withColumn("embeddings", F.lit(None).cast("map<string,array<float>>"))
    else:
        found = embeddings.groupBy("track_id").agg(
            F.map_from_entries(F.collect_list(F.struct("model", "embedding"))).alias("embeddings")
        )
        rows = rows.join(found, "track_id", "left")
    if earlier is None:
        rows = rows.selectExpr("*", "CAST(NULL AS string) AS earlier_hash", "CAST(NULL AS struct<a:int>) AS earlier")
    else:
        said = [F.col("content_hash").alias("earlier_hash"), "reason", F.struct(*SAID).alias("earlier_said")]
        before = earlier.inputs.select("track_id", *said).join(
            earlier.emotions.select("track_id", F.struct(*EMOTION).alias("earlier")), "track_id", "left"
        )
        rows = rows.join(before, "track_id", "left")
    models, folders = dict(stored), tuple(roots)

    def tag(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        reader = Models(models)
        for batch in batches:
            found = [_row(row, reader, folders) for row in batch.to_pylist()]
            if found:
                yield pa.RecordBatch.from_pylist(found, ARROW)

    return rows.repartition(partitions, "track_id").mapInArrow(tag, SCHEMA).persist(StorageLevel.DISK_ONLY)


def _row(row: dict[str, Any], models: Models, roots: Sequence[str]) -> dict[str, Any]:
    midi, fault = midi_of(row["midi_path"], roots)
    content = Content(row, midi, dict(row["embeddings"] or ()))
    digest = content.digest(models.digest)
    told = {"track_id": row["track_id"], "content_hash": digest, "place": row["midi_path"]}
    if digest == row["earlier_hash"]:
        kept = {**(row["earlier"] or {}), **row["earlier_said"]}
        return {**told, **kept, "reason": fault or row.get("reason"), "carried": True}
    found, unreadable = emotion(content, models)
    values = {name: getattr(found, name) for name in (*EMOTION, *SAID)} if found else {}
    return {**told, **values, "reason": fault or unreadable, "carried": False}


def partitions_for(tracks: int, cores: int) -> int:
    """No more tasks than pay for loading the models."""
    return max(1, min(cores, -(-tracks // TRACKS_A_TASK)))
