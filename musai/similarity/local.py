"""Neighbours within one process, from the matrix in Parquet to Arrow batches: what one Spark task runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa

from musai.config import Similarity
from musai.matrix.reading import read_matrix
from musai.similarity import linear, neighbours

SCHEMA = "index int, rank int, similar_index int, score float"
BATCH_ROWS = 1 << 20


def batches(
    path: str,
    n_users: int,
    n_items: int,
    side: Literal["user", "track"],
    method: str,
    settings: Similarity,
    threads: int,
) -> Iterator[pa.RecordBatch]:
    """Read the matrix under `path` [n_users, n_items] and give the neighbours of each row of `side` as SCHEMA."""
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
