"""The two passes over `interactions` from which users, items and the matrix come: Arrow and numpy, within tasks.

A task has a file of the table. Its rows stand in the order of the key (user_id, track_id), and so do the files, so a
listener's rows lie together in one task: to count them and to give them an index takes neither a shuffle nor a sort.
Only what is counted of tracks is added up over the tasks.

Plays are whole millionths. As three integers they add up exactly in any order, whatever the sum (`EXACT`).

Memory of a task: that of some CHUNK_ROWS of interactions, or of a listener's where they are more, and of the items:
200 MB to count and 300 MB to build 4 million pairs of 50,000 tracks (ids of 15 characters).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musai.config import Matrix
from musai.errors import MusaiError
from musai.matrix.weighting import weights
from musai.warehouse.task_files import GROUP_ROWS

CHUNK_ROWS = 1 << 20
HALF = 2**32
MICRO = 1e6
EXACT = ("whole", "high", "low")  # plays: 2^32 whole + (2^32 high + low) / 10^6

Sums = tuple[Any, Any, Any]  # EXACT


def exact(plays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """EXACT of each, int64."""
    rest = np.fmod(plays, HALF)
    micro = np.rint(rest * MICRO).astype(np.int64)
    return ((plays - rest) / HALF).astype(np.int64), micro >> 32, micro & (HALF - 1)


def plays_of(sums: Sums) -> Any:
    """float64 of EXACT, numbers or arrays; also what PLAYS_SQL says."""
    whole, high, low = sums
    return ((whole * MICRO + high) * HALF + low) / MICRO


PLAYS_SQL = "((sum(whole) * 1e6D + sum(high)) * 4294967296D + sum(low)) / 1e6D"


@dataclasses.dataclass(frozen=True)
class Listeners:
    """Those of a chunk. names: their ids; starts: where each begins among the chunk's rows, and the end, int64 [n + 1];
    plays float64 [n]: sums over their rows."""

    names: pa.Array
    starts: np.ndarray
    plays: np.ndarray

    @property
    def tracks(self) -> np.ndarray:
        """How many each has, int64 [n]."""
        return np.diff(self.starts)

    @property
    def heard(self) -> np.ndarray:
        """Plays float64 [n]; none of a listener whose skips weigh more."""
        return np.maximum(self.plays, 0)


@dataclasses.dataclass
class Count:
    """What the first pass finds in a file. tracks: track_id, interactions, EXACT; users, and what they heard (EXACT);
    the first and the last of their ids."""

    tracks: pa.Table
    users: int = 0
    heard: tuple[int, int, int] = (0, 0, 0)
    first: str | None = None
    last: str | None = None


def count(system: Any, name: str) -> Count:
    """Of the Parquet file `name`. Raises MusaiError where listeners do not stand in the order of their ids."""
    found, parts = Count(_no_tracks()), []
    for rows in chunks(system, name, ["user_id", "track_id", "plays"]):
        mine = listeners(rows)
        first, last = mine.names[0].as_py(), mine.names[-1].as_py()
        if found.last is not None and first <= found.last:
            raise MusaiError(f"{name}: the interactions are not in the order of user_id")
        found.first, found.last = first if found.first is None else found.first, last
        found.users += len(mine.names)
        heard = (one.sum() for one in exact(mine.heard))
        found.heard = tuple(int(a + b) for a, b in zip(found.heard, heard, strict=True))  # type: ignore[assignment]
        sums = dict(zip(EXACT, map(pa.array, exact(rows["plays"].to_numpy())), strict=True))
        parts.append(_added(pa.table({"track_id": rows["track_id"], "interactions": _ones(len(rows)), **sums})))
        if sum(map(len, parts)) >= CHUNK_ROWS:
            parts = [_added(pa.concat_tables(parts))]
    if parts:
        found.tracks = _added(pa.concat_tables(parts))
    return found


def _ones(number: int) -> pa.Array:
    return pa.array(np.ones(number, np.int64))


def _no_tracks() -> pa.Table:
    return pa.table({"track_id": pa.array([], pa.string())} | {n: _ones(0) for n in ("interactions", *EXACT)})


def _added(tracks: pa.Table) -> pa.Table:
    names = ["interactions", *EXACT]
    added = tracks.group_by("track_id", use_threads=False).aggregate([(name, "sum") for name in names])
    return added.select(["track_id", *(f"{name}_sum" for name in names)]).rename_columns(["track_id", *names])


def chunks(system: Any, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a Parquet file in pieces of about CHUNK_ROWS that cut no listener; `columns` with user_id."""
    waiting: list[pa.Table] = []
    with pq.ParquetFile(name, filesystem=system) as file:
        for batch in file.iter_batches(GROUP_ROWS, columns=list(columns), use_threads=False):
            if not batch.num_rows:
                continue
            rows = pa.table(batch).select(list(columns))
            if sum(map(len, waiting)) >= CHUNK_ROWS:
                cut = _last_listener(rows["user_id"])
                if cut or rows["user_id"][0] != waiting[-1]["user_id"][-1]:
                    yield pa.concat_tables([*waiting, rows.slice(0, cut)])
                    waiting, rows = [], rows.slice(cut)
            waiting.append(rows)
    if waiting:
        yield pa.concat_tables(waiting)


def _last_listener(ids: pa.ChunkedArray) -> int:
    """Where the rows of the last one begin."""
    others = np.flatnonzero(pc.not_equal(ids, ids[-1]).to_numpy(zero_copy_only=False))
    return int(others[-1]) + 1 if len(others) else 0


def listeners(rows: pa.Table) -> Listeners:
    """Raises MusaiError where they do not stand in the order of their ids."""
    coded = rows["user_id"].combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    names = coded.dictionary
    ascending = pc.all(pc.less(names.slice(0, len(names) - 1), names.slice(1)), min_count=0).as_py()
    if len(starts) != len(names) or not ascending:
        raise MusaiError("interactions: they are not in the order of user_id")
    sums = [np.add.reduceat(one, starts) for one in exact(rows["plays"].to_numpy())]
    return Listeners(names, np.append(starts, len(codes)), plays_of((sums[0], sums[1], sums[2])))


@dataclasses.dataclass(frozen=True)
class Totals:
    """Of all listeners: how many, and the mean of what they heard; `until`: the end of the run date."""

    users: int
    mean_plays: float
    until: dt.datetime


def build(
    system: Any, name: str, start: int, items: pa.Table, totals: Totals, settings: Matrix
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(table, rows) of users, user_item and unweighted that come of the file `name`, in the order of their indexes.

    start: index of its first listener; items: item_index, track_id, interactions.

    Activity filters look at the unfiltered counts, once, so that one does not undo the other. Beside pairs of listeners
    below `min_tracks_per_user` stands what they would weigh, for fold-in; beside the others without weight stands 0.
    """
    index, listened = (items[column].to_numpy() for column in ("item_index", "interactions"))
    known = items["track_id"]  # in chunks: all ids may pass 2 GB
    for rows in chunks(system, name, ["user_id", "track_id", "plays", "last_event_at"]):
        mine = listeners(rows)
        users = np.arange(start, start + len(mine.names), dtype=np.int32)
        start += len(users)
        columns = [pa.array(users), mine.names, pa.array(mine.tracks), pa.array(mine.plays)]
        yield from _batches("users", pa.table(columns, ["user_index", "user_id", "interactions", "plays"]))
        tracks = rows["track_id"].combine_chunks().dictionary_encode()
        place = pc.index_in(tracks.dictionary, known).to_numpy()[tracks.indices.to_numpy()]
        plays, track_users = rows["plays"].to_numpy(), listened[place]
        weight = np.zeros(len(rows), np.float32)
        may_weigh = (plays > 0) & (track_users >= settings.min_users_per_track)
        age = None
        if settings.recency_half_life_days is not None:
            age = _seconds_before(totals.until, rows["last_event_at"])[may_weigh]
        weight[may_weigh] = weights(
            plays[may_weigh],
            settings,
            np.repeat(mine.heard, mine.tracks)[may_weigh],
            track_users[may_weigh],
            totals.users,
            totals.mean_plays,
            age,
        )
        active = np.repeat(mine.tracks >= settings.min_tracks_per_user, mine.tracks)
        weighted = active & (weight > 0)
        pairs = (np.repeat(users, mine.tracks), index[place].astype(np.int32), weight)
        names = ["user_index", "item_index", "weight"]
        for table, chosen in (("user_item", weighted), ("unweighted", ~weighted)):
            yield from _batches(table, pa.table([pa.array(one[chosen]) for one in pairs], names))


def _batches(table: str, rows: pa.Table) -> Iterator[tuple[str, pa.RecordBatch]]:
    for batch in rows.to_batches(GROUP_ROWS):
        if batch.num_rows:
            yield table, batch


def _seconds_before(until: dt.datetime, moments: pa.ChunkedArray) -> np.ndarray:
    """float64 [rows]; 0 for a moment that is not known."""
    micros = moments.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds = until.timestamp() - micros.fill_null(0).to_numpy() / MICRO
    return np.where(micros.is_null().to_numpy(), 0.0, seconds)
