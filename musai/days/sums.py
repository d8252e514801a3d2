"""Exact sums of plays, sorted and merged in Arrow, within tasks (an external merge sort: Knuth, TAOCP 3, 5.4).

A *run* is a Parquet file of SCHEMA, sorted by user_id and track_id (by bytes) in small row groups, so that those of a
range of listeners are read from many runs without much of the rest. The groups begin at a random place: whatever the
runs have in common, the first listeners of groups are a fair sample, by which ranges of about one size are cut.

Text is compared once a distinct value: rows are sorted by the places of their ids among the distinct ones. Plays x
weight are integers in millionths, kept as their high and low 32 bits, of which neither sum can overflow: sums of sums
are the sums, whatever came first.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from musai.storage import file_system

HALF = 2**32
MICRO = 1e6  # plays x weight are added up in millionths
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("_day", pa.date32()),
        ("user_id", pa.string()),
        ("track_id", pa.string()),
        ("_high", pa.int64()),
        ("_low", pa.int64()),
        ("events", pa.int64()),
        ("last_event_at", pa.timestamp("us", "UTC")),
    ]
)
PAIR = ("user_id", "track_id")
SUMMED = [*PAIR, "_high", "_low", "events", "last_event_at"]
GROUP_BYTES = 1 << 21  # of rows in memory, that a row group of a run holds
TASK_GROUPS = 96  # of rows that one task merges
SMALL_GROUPS = 4  # not worth a task of their own
FOLD_BYTES = 1 << 28  # of rows in memory, that a task holds before it adds them up: a listener may have any number
NEVER = np.iinfo(np.int64).min  # as a moment: none is known
READERS = 8  # footers read side by side


# -- adding up --------------------------------------------------------------------------------------------------------


def opened(batch: pa.RecordBatch, file: pa.Array) -> pa.Table:
    """Rows with their `_micro`, `_at` and (where they are kept) `_day` as those of SCHEMA, an event each; those without
    a track are none."""
    micro = batch["_micro"].fill_null(0).to_numpy()
    day = batch["_day"] if "_day" in batch.schema.names else pa.nulls(len(micro), pa.date32())
    columns = {
        "file": file,
        "_day": day,
        "user_id": batch["user_id"],
        "track_id": batch["track_id"],
        "_high": pa.array(micro >> 32),
        "_low": pa.array(micro & (HALF - 1)),
        "events": pa.array(np.ones(len(micro), np.int64)),
        "last_event_at": batch["_at"].cast(SCHEMA.field("last_event_at").type),
    }
    return pa.table({name: columns[name] for name in SCHEMA.names})


def added_up(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Rows of SCHEMA to a row for each value of the keys, of which the first two are PAIR; sorted by the keys, without
    rows that have no track."""
    ranked = [_ranked(rows[name]) for name in keys]
    order, starts = _groups([places for places, _ in ranked], [max(1, len(values)) for _, values in ranked])
    first = order[starts]
    columns: dict[str, Any] = {
        name: _taken(values, places[first]) for name, (places, values) in zip(keys, ranked, strict=True)
    }
    for name in ("_high", "_low", "events"):
        columns[name] = np.add.reduceat(rows[name].to_numpy()[order], starts) if len(starts) else []
    moments = rows["last_event_at"].cast(pa.int64()).fill_null(NEVER).to_numpy()[order]
    latest = np.maximum.reduceat(moments, starts) if len(starts) else np.zeros(0, np.int64)
    columns["last_event_at"] = pa.array(latest, mask=latest == NEVER).cast(SCHEMA.field("last_event_at").type)
    fields = [field for field in SCHEMA if field.name in columns]
    found = pa.table({field.name: pa.array(columns[field.name], field.type) for field in fields}, pa.schema(fields))
    return found.filter(found["track_id"].is_valid()) if found["track_id"].null_count else found


def _ranked(values: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """(place of each value among the distinct ones int64 [rows], those in ascending order); null comes last."""
    coded = _coded(values)
    order = pc.sort_indices(coded.dictionary)
    rank = np.empty(len(order) + 1, np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    rank[-1] = len(order)
    known = coded.dictionary.take(order)
    codes = coded.indices.fill_null(len(order)).to_numpy()
    return rank[codes], pa.concat_arrays([known, pa.nulls(1, known.type)]) if coded.null_count else known


def _coded(values: pa.ChunkedArray) -> pa.DictionaryArray:
    """One chunk with each distinct value once."""
    if not values.num_chunks:
        return pa.array([], values.type).dictionary_encode()
    whole = values.combine_chunks()  # first: to bring the dictionaries of many chunks together takes far longer
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def _groups(places: Sequence[np.ndarray], sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(order of the rows by all places, where in it each new combination starts), both int64."""
    packed: list[np.ndarray] = []
    room = 0
    for found, size in zip(places, sizes, strict=True):
        if packed and room * size < np.iinfo(np.int64).max:  # as digits of one number
            packed[-1], room = packed[-1] * size + found, room * size
        else:
            packed.append(found)
            room = size
    order = np.argsort(packed[0]) if len(packed) == 1 else np.lexsort(packed[::-1])
    changed = np.zeros(len(order), bool)
    for key in packed:
        in_order = key[order]
        changed[1:] |= in_order[1:] != in_order[:-1]
    changed[:1] = True
    return order, np.flatnonzero(changed)


def _taken(values: pa.Array, places: np.ndarray) -> pa.Array:
    return values.take(pa.array(places))


# -- runs -------------------------------------------------------------------------------------------------------------


def write(run: pa.Table, path: str) -> None:
    """A run to a file (URI), in a folder that is made where it lacks."""
    system, name = file_system(path)
    system.create_dir(name.rpartition("/")[0], recursive=True)
    group = max(1, len(run) * GROUP_BYTES // max(1, run.nbytes))  # rows
    first = int(np.random.default_rng().integers(1, group, endpoint=True))
    with pq.ParquetWriter(name, run.schema, filesystem=system, compression="zstd") as writer:
        for rows in (run.slice(0, first), run.slice(first)):
            if len(rows):
                writer.write_table(rows, group)


@dataclasses.dataclass(frozen=True)
class Run:
    """A file (URI), and of which of the files in it rows are wanted; None: of all."""

    path: str
    files: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Listeners:
    """Those with an id from `first` on and below `end`; None: no bound."""

    first: str | None = None
    end: str | None = None

    def meet(self, least: str | None, greatest: str | None) -> bool:
        """Whether some may be among ids from the least to the greatest; None: not known."""
        before = least is not None and self.end is not None and least.encode() >= self.end.encode()
        behind = greatest is not None and self.first is not None and greatest.encode() < self.first.encode()
        return not before and not behind

    def among(self, ids: pa.Array) -> np.ndarray:
        """bool [ids]"""
        found = np.ones(len(ids), bool)
        if self.first is not None:
            found &= pc.greater_equal(ids, self.first).to_numpy(zero_copy_only=False)
        if self.end is not None:
            found &= pc.less(ids, self.end).to_numpy(zero_copy_only=False)
        return found


def ranges(runs: Sequence[Run], least: int) -> list[Listeners]:
    """Ranges that cover all listeners, of about equally much, small enough for a task; `least` of them where there is
    enough. One listener is never cut."""
    with ThreadPoolExecutor(READERS) as pool:
        sample = [one for found in pool.map(_sample, runs) for one in found]
    wanted = max(1, -(-len(sample) // TASK_GROUPS), min(least, len(sample) // SMALL_GROUPS))
    known = sorted((one for one in sample if one is not None), key=str.encode)
    bounds = dict.fromkeys(known[len(known) * number // wanted] for number in range(1, wanted)) if known else ()
    return [Listeners(first, end) for first, end in zip([None, *bounds], [*bounds, None], strict=True)]


def _sample(run: Run) -> list[str | None]:
    """A listener for each GROUP_BYTES of a run: the first of every row group but the first, which begins at no random
    place. None where the file does not say (a very long id)."""
    system, name = file_system(run.path)
    with pq.ParquetFile(name, filesystem=system) as file:
        return [_bounds(file.metadata.row_group(number))[0] for number in range(1, file.num_row_groups)]


def _bounds(group: pq.RowGroupMetaData) -> tuple[Any, Any]:
    """Least and greatest user_id of a row group; None for what the file does not say."""
    statistics = group.column(SCHEMA.names.index("user_id")).statistics
    return (statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else (None, None)


def _read(run: Run, listeners: Listeners) -> Iterator[pa.Table]:
    """Rows of some listeners, and of the wanted files; of others none is held when the next run is read."""
    system, name = file_system(run.path)
    with pq.ParquetFile(name, filesystem=system) as file:
        groups = [n for n in range(file.num_row_groups) if listeners.meet(*_bounds(file.metadata.row_group(n)))]
        if groups:
            rows = file.read_row_groups(groups, SCHEMA.names if run.files else SCHEMA.names[1:], use_threads=False)
            mine = _by_value(rows["user_id"], listeners.among)
            if run.files:
                mine &= _by_value(rows["file"], lambda files: _is_in(files, pa.array(run.files)))
            yield rows.select(SCHEMA.names[1:]).filter(pa.array(mine))


# -- merging ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Night:
    """Which rows count: those of listeners that are not `erased`, of days from `first` to `last` (of no day: always).

    `aliases`: where a Parquet file or a folder of them (URI) has bad_id and good_id, the id that counts in its place.
    """

    last: dt.date
    first: dt.date | None = None
    erased: tuple[str, ...] = ()
    aliases: str | None = None


@dataclasses.dataclass(frozen=True)
class Merged:
    """rows: user_id, track_id, plays, events, last_event_at, sorted by the first two; numbers of events by what became
    of them."""

    rows: pa.Table
    used: int
    outside: int
    erased: int


def merged(runs: Sequence[Run], listeners: Listeners, night: Night) -> Merged:
    """The interactions of some listeners."""
    gone = pa.array(night.erased, pa.string())
    gone = gone.filter(pa.array(listeners.among(gone)))
    waiting = [SCHEMA.empty_table().select(SUMMED)]
    counts = np.zeros(3, np.int64)
    size, limit = 0, FOLD_BYTES
    for rows in (rows for run in runs for rows in _read(run, listeners)):
        erased = _by_value(rows["user_id"], lambda ids: _is_in(ids, gone))
        outside = ~erased & _outside(rows["_day"], night)
        used = ~erased & ~outside
        events = rows["events"].to_numpy()
        counts += [int(events[chosen].sum()) for chosen in (used, outside, erased)]
        waiting.append((rows if used.all() else rows.filter(pa.array(used))).select(SUMMED))
        size += waiting[-1].nbytes
        if size > limit:
            waiting = [added_up(pa.concat_tables(waiting), PAIR)]
            size, limit = waiting[0].nbytes, max(limit, 2 * waiting[0].nbytes)
    counted = pa.concat_tables(waiting)
    if night.aliases:
        tracks = _good_ids(counted["track_id"], night.aliases)
        counted = counted.set_column(SUMMED.index("track_id"), "track_id", tracks)
    sums = added_up(counted, PAIR)
    plays = (sums["_high"].to_numpy() * float(HALF) + sums["_low"].to_numpy()) / MICRO  # rounded once
    rows = sums.drop(["_high", "_low"]).add_column(2, "plays", pa.array(plays, pa.float64()))
    return Merged(rows, *counts.tolist())


def _by_value(column: pa.ChunkedArray, holds: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """bool [rows]: `holds` (of an array of distinct values), row by row."""
    coded = _coded(column)
    return holds(coded.dictionary)[coded.indices.to_numpy()]


def _is_in(values: pa.Array, wanted: pa.Array) -> np.ndarray:
    return pc.is_in(values, wanted).to_numpy(zero_copy_only=False)


def _outside(days: pa.ChunkedArray, night: Night) -> np.ndarray:
    found = pc.greater(days, night.last)
    if night.first is not None:
        found = pc.or_(found, pc.less(days, night.first))
    return found.fill_null(False).to_numpy()


def _good_ids(ids: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    """The column with good ids in place of bad ones; aliases of others are passed over as they are read."""
    known = _coded(ids)
    system, name = file_system(path)
    good = pa.nulls(len(known.dictionary), known.dictionary.type)
    for batch in ds.dataset(name, filesystem=system, format="parquet").to_batches(columns=["bad_id", "good_id"]):
        place = pc.index_in(known.dictionary, batch["bad_id"])
        if place.null_count < len(place):
            good = pc.coalesce(good, batch["good_id"].take(place))
    return pa.chunked_array([pc.coalesce(good, known.dictionary).take(known.indices)])
