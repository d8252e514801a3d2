"""Exact sums of plays, sorted and merged in Arrow, within tasks (an external merge sort: Knuth, TAOCP 3, 5.4).

A *run* is a Parquet file of SCHEMA, sorted by user_id and track_id (by bytes) in small row groups, so that those of a
range of listeners are read from many runs without the rest. Text is compared once a distinct value: rows are sorted by
the places of their ids among the distinct ones. Plays x weight are integers in millionths, kept as their high and low
32 bits, of which neither sum can overflow: sums of sums are the sums, whatever came first.
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
GROUP_ROWS = 1 << 15  # of a run
TASK_ROWS, TASK_BYTES = 1 << 21, 1 << 28  # of runs that one task merges, before they are packed
SMALL_ROWS = 1 << 17  # not worth a task of their own
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
    pq.write_table(run, name, filesystem=system, row_group_size=GROUP_ROWS, compression="zstd")


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
    """Ranges that cover all listeners, of about equally many rows, small enough for a task; `least` of them where there
    are rows enough."""
    with ThreadPoolExecutor(READERS) as pool:
        groups = [group for found in pool.map(_row_groups, runs) for group in found]
    rows, size = sum(group.rows for group in groups), sum(group.size for group in groups)
    wanted = max(1, -(-rows // TASK_ROWS), -(-size // TASK_BYTES), min(least, rows // SMALL_ROWS))
    bounds: list[str] = []
    passed = 0
    for group in sorted((group for group in groups if group.first is not None), key=lambda one: one.first.encode()):
        if passed * wanted >= (len(bounds) + 1) * rows and group.first not in bounds[-1:]:
            bounds.append(group.first)
        passed += group.rows
    return [Listeners(first, end) for first, end in zip([None, *bounds], [*bounds, None], strict=True)]


@dataclasses.dataclass(frozen=True)
class _Group:
    rows: int
    size: int  # bytes before they are packed
    first: Any  # the least user_id; None where the file does not say (a very long one)


def _row_groups(run: Run) -> list[_Group]:
    system, name = file_system(run.path)
    with pq.ParquetFile(name, filesystem=system) as file:
        found = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        return [_Group(group.num_rows, group.total_byte_size, _bounds(group)[0]) for group in found]


def _bounds(group: pq.RowGroupMetaData) -> tuple[Any, Any]:
    """Least and greatest user_id of a row group; None for what the file does not say."""
    statistics = group.column(SCHEMA.names.index("user_id")).statistics
    return (statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else (None, None)


def _read(run: Run, listeners: Listeners) -> Iterator[pa.Table]:
    system, name = file_system(run.path)
    with pq.ParquetFile(name, filesystem=system) as file:
        groups = [n for n in range(file.num_row_groups) if listeners.meet(*_bounds(file.metadata.row_group(n)))]
        if groups:
            rows = file.read_row_groups(groups, SCHEMA.names if run.files else SCHEMA.names[1:], use_threads=False)
            yield rows.filter(pc.is_in(rows["file"], pa.array(run.files))).drop(["file"]) if run.files else rows


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
    found = [rows for run in runs for rows in _read(run, listeners)]
    kinds = [SCHEMA.field(name) for name in SCHEMA.names[1:]]
    every = pa.concat_tables(found) if found else pa.table([pa.array([], f.type) for f in kinds], pa.schema(kinds))
    events = every["events"].to_numpy()
    mine = _by_value(every["user_id"], listeners.among)
    erased = mine & _by_value(every["user_id"], lambda ids: _is_in(ids, night.erased))
    outside = mine & ~erased & _outside(every["_day"], night)
    used = mine & ~erased & ~outside
    counted = every if used.all() else every.filter(pa.array(used))
    if night.aliases:
        counted = counted.set_column(
            counted.schema.get_field_index("track_id"), "track_id", _good_ids(counted["track_id"], night.aliases)
        )
    sums = added_up(counted, PAIR)
    plays = (sums["_high"].to_numpy() * float(HALF) + sums["_low"].to_numpy()) / MICRO  # rounded once
    rows = sums.drop(["_high", "_low"]).add_column(2, "plays", pa.array(plays, pa.float64()))
    return Merged(rows, *(int(events[chosen].sum()) for chosen in (used, outside, erased)))


def _by_value(column: pa.ChunkedArray, holds: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
    """bool [rows]: `holds` (of an array of distinct values), row by row."""
    coded = _coded(column)
    return holds(coded.dictionary)[coded.indices.to_numpy()]


def _is_in(ids: pa.Array, wanted: Sequence[str]) -> np.ndarray:
    return pc.is_in(ids, pa.array(wanted, ids.type)).to_numpy(zero_copy_only=False)


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
