"""Factors of the catalogue's unheard tracks from the run's tables, in one process: Parquet in, Arrow out.

Everything is read with pyarrow where the task runs; memory is that of the catalogue's content.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from musai.embedding import factors
from musai.embedding.content import ARTIST, BLOCKS, Content, terms_of
from musai.embedding.factors import LEAST_TRACKS
from musai.storage import file_system

SCHEMA = "track_id string, factors array<float>, sources array<string>"
COLUMNS = ["track_id", "artist", "title", "album", "genre", "language", "lyrics", "tags"]
BATCH_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Sources:
    """URIs of the run's tables; those of sound and emotion only where the run has them."""

    tracks: str
    items: str
    factors: str
    embeddings: str | None
    emotions: str | None


def batches(sources: Sources, seed: int, threads: int) -> Iterator[pa.RecordBatch]:
    """track_id, factors, sources of every track of the catalogue that has no factors and some content.

    None where fewer than LEAST_TRACKS heard tracks have content to learn from.
    """
    import threadpoolctl

    content = read(sources)
    vectors, listeners = _heard(sources, content.track_ids)
    with_content = np.any([content.has(block) for block in BLOCKS], axis=0)
    heard = np.flatnonzero(vectors.any(axis=1) & with_content)
    new = np.flatnonzero(~vectors.any(axis=1) & with_content)
    if not len(new) or len(heard) < LEAST_TRACKS:
        return
    known, unheard = _rows(content, heard), _rows(content, new)
    with threadpoolctl.threadpool_limits(threads):
        predictor = factors.fit(known, vectors[heard], listeners[heard], seed)
        means = factors.means_of(unheard.artists, known.artists, vectors[heard])
        found = predictor.predict(unheard, means)
    spoke = {block: unheard.has(block) for block in BLOCKS} | {ARTIST: np.isfinite(means).all(axis=1)}
    used = [[block for block in BLOCKS if spoke[block][row]] for row in range(len(unheard))]
    for start in range(0, len(unheard), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        yield pa.record_batch(
            {
                "track_id": pa.array(unheard.track_ids[part], pa.string()),
                "factors": pa.array(list(found[part]), pa.list_(pa.float32())),
                "sources": pa.array(used[part], pa.list_(pa.string())),
            }
        )


def read(sources: Sources) -> Content:
    """The catalogue's content, by track_id."""
    rows = _table(sources.tracks, COLUMNS).sort_by("track_id")
    ids, records = rows["track_id"].to_pylist(), rows.to_pylist()
    return Content(
        track_ids=ids,
        artists=[record["artist"] for record in records],
        terms=[terms_of(record) for record in records],
        sound=_sound(ids, sources.embeddings),
        emotion=_aligned(ids, sources.emotions, ["valence", "arousal"]),
    )


def _heard(sources: Sources, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(factors float32 [n, f], listeners [n]) of the tracks; zeros for one that is not in the matrix."""
    vectors = np.nan_to_num(_aligned(ids, sources.factors, ["factors"]))
    listeners = np.nan_to_num(_aligned(ids, sources.items, ["interactions"]))
    return vectors, listeners[:, 0] if listeners.shape[1] else np.zeros(len(ids))


def _sound(ids: Sequence[str], uri: str | None) -> np.ndarray:
    """float32 [n, width]: what the networks make of each track, side by side in the order of their names."""
    if uri is None:
        return np.empty((len(ids), 0), np.float32)
    table = _table(uri, ["track_id", "model", "embedding"])
    models = sorted(pc.unique(table["model"]).to_pylist())
    return np.hstack(
        [np.empty((len(ids), 0), np.float32)]
        + [_placed(ids, table.filter(pc.equal(table["model"], model)), ["embedding"]) for model in models]
    )


def _aligned(ids: Sequence[str], uri: str | None, columns: list[str]) -> np.ndarray:
    """float32 [n, width]: a vector column, or numbers side by side, in the order of `ids`; NaN rows without one."""
    table = _table(uri, ["track_id", *columns]) if uri else None
    if table is None or not table.num_rows:
        return np.empty((len(ids), 0), np.float32)
    return _placed(ids, table, columns)


def _placed(ids: Sequence[str], table: pa.Table, columns: list[str]) -> np.ndarray:
    if pa.types.is_list(table[columns[0]].type) or pa.types.is_large_list(table[columns[0]].type):
        flat = table[columns[0]].combine_chunks().flatten()
        values = np.asarray(flat, np.float32).reshape(table.num_rows, -1)
    else:
        values = np.stack([np.asarray(table[column], np.float32) for column in columns], axis=1)
    found = np.full((len(ids), values.shape[1]), np.nan, np.float32)
    places = pc.index_in(pa.array(ids, pa.string()), table["track_id"].combine_chunks())
    there = np.asarray(places.is_valid())
    found[there] = values[np.asarray(places.drop_null())]
    return found


def _rows(content: Content, wanted: np.ndarray) -> Content:
    def picked(values: list[Any]) -> list[Any]:
        return [values[row] for row in wanted]

    return Content(
        picked(content.track_ids),
        picked(content.artists),
        picked(content.terms),
        content.sound[wanted],
        content.emotion[wanted],
    )


def _table(uri: str, columns: list[str]) -> pa.Table:
    system, path = file_system(uri)
    return ds.dataset(path, format="parquet", filesystem=system, partitioning=None).to_table(columns=columns)
