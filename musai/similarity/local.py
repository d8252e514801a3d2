"""Neighbours within one process, from the matrix in Parquet to the tables: what one Spark task runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.columns import ITEM_INDEX, METHOD, RANK, SCORE, TRACK_ID, USER_ID, USER_INDEX
from musai.config import Similarity
from musai.matrix.reading import read_ids_by_index, read_matrix
from musai.similarity import linear, neighbours
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

BATCH_ROWS = 1 << 20


@dataclasses.dataclass(frozen=True)
class Sides:
    """The matrix (URI) with its listeners and tracks; users, items: the tables (URIs) that have their ids."""

    matrix: str
    n_users: int
    n_items: int
    users: str
    items: str


def stored(
    sides: Sides,
    side: Literal["user", "track"],
    method: str,
    settings: Similarity,
    listed: int,
    places: Mapping[str, Place],
    number: int,
    threads: int,
) -> Iterator[pa.RecordBatch]:
    """Write the neighbours by `method` of each row of `side`, the `listed` nearest of them by their ids; the files as
    batches of `task_files.PARTS`. `number`: of the file among those of the table."""
    yield from task_files.stored(_rows(sides, side, method, settings, listed, threads), places, number)


def _rows(
    sides: Sides, side: Literal["user", "track"], method: str, settings: Similarity, listed: int, threads: int
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Of track_neighbours, similar_tracks and similar_users, in the order of their keys."""
    table, index, name = (sides.users, USER_INDEX, USER_ID) if side == "user" else (sides.items, ITEM_INDEX, TRACK_ID)
    ids = read_ids_by_index(table, index, name)
    for batch in batches(sides.matrix, sides.n_users, sides.n_items, side, method, settings, threads):
        rows = batch.append_column(METHOD, pa.repeat(method, batch.num_rows))
        if side == "track":
            yield "track_neighbours", rows.rename_columns([ITEM_INDEX, *rows.schema.names[1:]])
        near = rows.filter(pc.and_(pc.less_equal(rows[RANK], listed), pc.greater(rows[SCORE], 0)))
        own, other = (ids.take(near[column]).cast(pa.string()) for column in ("index", "similar_index"))
        named = {name: own, f"similar_{name}": other, **{c: near[c] for c in (METHOD, RANK, SCORE)}}
        yield f"similar_{side}s", pa.record_batch(named)


def batches(
    path: str,
    n_users: int,
    n_items: int,
    side: Literal["user", "track"],
    method: str,
    settings: Similarity,
    threads: int,
) -> Iterator[pa.RecordBatch]:
    """Read the matrix under `path` [n_users, n_items] and give the neighbours of each row of `side`, in the order of
    index and rank: index, rank, similar_index int32 and score float32."""
    matrix = read_matrix(path, n_users, n_items)
    if method == linear.METHOD:
        yield from linear.batches(matrix, settings, threads)
        return
    compute = neighbours.track_neighbours if side == "track" else neighbours.user_neighbours
    found = compute(matrix, method, settings, threads)
    rows, columns = found.indices.shape
    step = max(1, BATCH_ROWS // max(columns, 1))
    for start in range(0, rows, step):
        indices, scores = found.indices[start : start + step], found.scores[start : start + step]
        row, place = np.nonzero(indices >= 0)
        yield pa.record_batch(
            {
                "index": pa.array((row + start).astype(np.int32)),
                "rank": pa.array((place + 1).astype(np.int32)),
                "similar_index": pa.array(indices[row, place]),
                "score": pa.array(scores[row, place]),
            }
        )
