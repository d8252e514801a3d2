"""What the audit looks at in a file of `recommendations`: Arrow and numpy, within a task.

The lists lie by listener, as the interactions do, so that those of a piece of a file are held against a few row groups
of the interactions. In another order the answer is the same, and more is read for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from musai.columns import FOR_YOU, MADE_FOR_YOU
from musai.warehouse.task_files import GROUP_ROWS

PIECE_ROWS = 1 << 20
PAIR = ["user_id", "track_id"]
NEVER = np.iinfo(np.int64).max  # no pair's number, and after all of them


@dataclasses.dataclass(frozen=True)
class Piece:
    """heard: rows of lists over the catalogue that name a track which the listener has; users: ids, and sizes int64:
    how many rows of for_you each has here."""

    heard: int
    users: pa.Array
    sizes: np.ndarray


def pieces(system: Any, name: str, interactions: ds.Dataset) -> Iterator[Piece]:
    """Of the Parquet file `name`; a listener may come in two pieces."""
    waiting: list[pa.RecordBatch] = []
    with pq.ParquetFile(name, filesystem=system, read_dictionary=[*PAIR, "list"]) as file:
        for batch in file.iter_batches(GROUP_ROWS, columns=[*PAIR, "list"], use_threads=False):
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= PIECE_ROWS:
                yield _piece(pa.Table.from_batches(waiting), interactions)
                waiting.clear()
    if waiting:
        yield _piece(pa.Table.from_batches(waiting), interactions)


def _piece(rows: pa.Table, interactions: ds.Dataset) -> Piece:
    (users, user), (tracks, track), (names, name) = (_coded(rows[column]) for column in (*PAIR, "list"))
    made, for_you = (_is(names, one)[name] for one in (MADE_FOR_YOU, FOR_YOU))
    least, greatest = pc.min_max(users).as_py().values()
    among = (ds.field("user_id") >= least) & (ds.field("user_id") <= greatest)
    scanner = interactions.scanner(PAIR, filter=among, batch_size=GROUP_ROWS, use_threads=False)
    pairs = [np.array([NEVER])]
    for batch in scanner.to_batches():  # few lists a listener are many listeners a piece
        of_user, of_track = (_places(batch[column], ids) for column, ids in zip(PAIR, (users, tracks), strict=True))
        there = (of_user >= 0) & (of_track >= 0)
        pairs.append(of_user[there] * len(tracks) + of_track[there])
    listed = (user * len(tracks) + track)[~made]
    known = np.sort(np.concatenate(pairs))
    heard = known[np.searchsorted(known, listed)] == listed
    return Piece(int(heard.sum()), users, np.bincount(user[for_you], minlength=len(users)))


def _coded(column: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """(distinct values, the place of each row's among them int64) of a column of dictionaries"""
    coded = column.unify_dictionaries().combine_chunks()
    return coded.dictionary, coded.indices.to_numpy().astype(np.int64)


def _is(names: pa.Array, name: str) -> np.ndarray:
    return pc.equal(names, name).to_numpy(zero_copy_only=False)


def _places(column: pa.Array, known: pa.Array) -> np.ndarray:
    """Where each row's value stands in `known`, int64; -1: nowhere."""
    coded = column.dictionary_encode()
    places = pc.index_in(coded.dictionary, known).fill_null(-1).to_numpy().astype(np.int64)
    return places[coded.indices.to_numpy()]
