"""Embeddings distributed: tracks in partitions, a network a task, Arrow in and out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from musai.embedding.tracks import Embedded, Embedder, Heard, embedded

REJECT = "source string, place string, reason string, raw string"
SCHEMA = (
    f"track_id string, embedding array<float>, content_hash string, carried boolean, rejects array<struct<{REJECT}>>"
)
ROWS_OUT = 64
TRACKS_A_TASK = 32  # fewer are not worth another network


def embed(tracks: DataFrame, earlier: DataFrame | None, embedder: Embedder, cores: int) -> DataFrame:
    """track_id, embedding (null where no file could be used), content_hash, carried, rejects of all with a file.

    tracks: track_id, audio_path, midi_path; earlier: track_id, embedding, content_hash by the same model, whose rows
    are taken over where the content is the same. Computed once, when it is first used, and kept on disk.
    """
    wanted = tracks.where("audio_path is not null or midi_path is not null")
    wanted = wanted.select("track_id", "audio_path", "midi_path")
    if earlier is None:
        wanted = wanted.withColumns({"content_hash": F.lit(None).cast("string"), "embedding": F.lit(None)})
        wanted = wanted.withColumn("embedding", F.col("embedding").cast("array<float>"))
    else:
        wanted = wanted.join(earlier.select("track_id", "content_hash", "embedding"), "track_id", "left")
    count = wanted.count()
    tasks = max(1, min(-(-count // TRACKS_A_TASK), 4 * cores))
    threads = max(1, cores // tasks)

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows: list[Embedded] = []
        for row in embedded(_heard(batches), embedder, threads):
            rows.append(row)
            if len(rows) == ROWS_OUT:
                yield _batch(rows)
                rows = []
        yield _batch(rows)

    return wanted.repartition(tasks, "track_id").mapInArrow(work, SCHEMA).persist(StorageLevel.DISK_ONLY)


def _heard(batches: Iterator[pa.RecordBatch]) -> Iterator[Heard]:
    for batch in batches:
        for row in batch.to_pylist():
            vector = row["embedding"]
            known = None if vector is None else np.array(vector, np.float32)
            yield Heard(row["track_id"], row["audio_path"], row["midi_path"], row["content_hash"], known)


def _batch(rows: list[Embedded]) -> pa.RecordBatch:
    text, names = pa.string(), ("source", "place", "reason")
    reject = pa.struct([(name, text) for name in (*names, "raw")])
    rejects = [[dict(zip(names, one, strict=True), raw=row.track_id) for one in row.rejects] for row in rows]
    return pa.record_batch(
        {
            "track_id": pa.array([row.track_id for row in rows], text),
            "embedding": pa.array([row.embedding for row in rows], pa.list_(pa.float32())),
            "content_hash": pa.array([row.content_hash for row in rows], text),
            "carried": pa.array([row.carried for row in rows], pa.bool_()),
            "rejects": pa.array(rejects, pa.list_(reject)),
        }
    )
