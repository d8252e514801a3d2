"""Sums in sorted runs, held to what plain Python adds up."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musai.days import sums
from musai.days.sums import Listeners, Night, Run

DAY = dt.date(2026, 1, 1)
IDS = ["", "a", "A", "b", "zz", "é", "𝄞", "\uffff", "x" * 5_000]  # by bytes the 7th comes after the 8th
MICROS = [1, -500_000, 2**32 - 1, -(2**32), 9 * 10**18, -9 * 10**18]
EVENT = st.fixed_dictionaries(
    {
        "file": st.sampled_from("fg"),
        "_day": st.none() | st.integers(0, 4).map(lambda n: DAY + dt.timedelta(n)),
        "user_id": st.sampled_from(IDS),
        "track_id": st.sampled_from(IDS),
        "_micro": st.sampled_from(MICROS),
        "_at": st.none() | st.integers(-(10**15), 10**15),
    }
)
KEYS = [sums.SCHEMA.field(name) for name in ("file", "_day", "user_id", "track_id")]
ROWS = pa.schema([*KEYS, ("_micro", pa.int64()), ("_at", pa.timestamp("us", "UTC"))])


def run_of(events: list[dict], path: pathlib.Path) -> Run:
    batches = [pa.RecordBatch.from_pylist(events[start : start + 3], ROWS) for start in range(0, len(events), 3)]
    rows = (
        pa.concat_tables([sums.opened(batch, batch["file"]) for batch in batches])
        if batches
        else sums.SCHEMA.empty_table()
    )
    sums.write(sums.added_up(rows, (*sums.PAIR, "file", "_day")), str(path))
    return Run(str(path))


def expected(events: list[dict]) -> dict[tuple[str, str], tuple[float, int, int | None]]:
    found: dict[tuple[str, str], list[dict]] = collections.defaultdict(list)
    for event in events:
        found[event["user_id"], event["track_id"]].append(event)
    return {
        pair: (
            sum(one["_micro"] for one in own) / 1e6,
            len(own),
            max((one["_at"] for one in own if one["_at"] is not None), default=None),
        )
        for pair, own in found.items()
    }


def as_dict(rows: pa.Table) -> dict[tuple[str, str], tuple[float, int, int | None]]:
    rows = rows.set_column(4, "last_event_at", rows["last_event_at"].cast(pa.int64()))
    found = [tuple(row.values()) for row in rows.to_pylist()]
    keys = [tuple(one.encode() for one in row[:2]) for row in found]
    assert keys == sorted(set(keys))
    return {row[:2]: row[2:] for row in found}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(EVENT, max_size=20), max_size=4), st.lists(st.sampled_from(IDS), max_size=3))
def test_merged_runs_are_the_sums_of_all_events(tmp_path_factory, deliveries, bounds) -> None:
    folder = tmp_path_factory.mktemp("runs")
    runs = [run_of(events, folder / f"{n}.parquet") for n, events in enumerate(deliveries)]
    ends = [None, *sorted(set(bounds), key=str.encode), None]
    parts = [sums.merged(runs, Listeners(*pair), Night(DAY + dt.timedelta(9))) for pair in itertools.pairwise(ends)]
    every = [event for events in deliveries for event in events]
    found = as_dict(pa.concat_tables([part.rows for part in parts]))
    wanted = expected(every)
    assert found.keys() == wanted.keys()
    for pair, (plays, events, at) in wanted.items():
        assert found[pair] == (pytest.approx(plays, rel=1e-15), events, at)
    assert sum(part.used for part in parts) == len(every)
    assert sum(part.outside + part.erased for part in parts) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(EVENT, max_size=30), st.integers(0, 4), st.integers(0, 4), st.lists(st.sampled_from(IDS), max_size=3))
def test_who_is_erased_comes_before_what_lies_outside(tmp_path_factory, events, first, last, gone) -> None:
    run = run_of(events, tmp_path_factory.mktemp("runs") / "run.parquet")
    days = DAY + dt.timedelta(first), DAY + dt.timedelta(last)
    rest = [event for event in events if event["user_id"] not in gone]
    used = [event for event in rest if event["_day"] is None or days[0] <= event["_day"] <= days[1]]
    found = sums.merged([run], Listeners(), Night(days[1], days[0], tuple(gone)))
    assert as_dict(found.rows).keys() == expected(used).keys()
    assert (found.used, found.outside, found.erased) == (len(used), len(rest) - len(used), len(events) - len(rest))


def test_only_the_wanted_files_of_a_run_count(tmp_path: pathlib.Path) -> None:
    event = {"_day": None, "user_id": "u", "track_id": "t", "_micro": 1_000_000, "_at": None}
    run = run_of([event | {"file": "f"}, event | {"file": "g"}, event | {"file": "g"}], tmp_path / "run.parquet")
    for files, plays in ((("f",), 1.0), (("g",), 2.0), (("f", "g"), 3.0), (None, 3.0)):
        found = sums.merged([Run(run.path, files)], Listeners(), Night(DAY))
        assert as_dict(found.rows) == {("u", "t"): (plays, int(plays), None)}


def test_aliases_bring_tracks_together(tmp_path: pathlib.Path) -> None:
    event = {"file": "f", "_day": None, "user_id": "u", "_micro": 1_000_000, "_at": 7}
    run = run_of([event | {"track_id": track} for track in ("bad", "worse", "good", "other")], tmp_path / "run.parquet")
    (tmp_path / "aliases").mkdir()
    for number, (bad, good) in enumerate([("bad", "good"), ("unheard", "x"), ("worse", "good")]):
        pq.write_table(pa.table({"bad_id": [bad], "good_id": [good]}), tmp_path / f"aliases/{number}.parquet")
    found = sums.merged([run], Listeners(), Night(DAY, aliases=str(tmp_path / "aliases")))
    assert as_dict(found.rows) == {("u", "good"): (3.0, 3, 7), ("u", "other"): (1.0, 1, 7)}


def test_ranges_follow_each_other_and_read_little_beside_their_own(tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.setattr(sums, "GROUP_ROWS", 10)
    monkeypatch.setattr(sums, "SMALL_ROWS", 50)
    event = {"file": "f", "_day": None, "track_id": "t", "_micro": 1, "_at": None}
    runs = [
        run_of([event | {"user_id": f"{n:04}"} for n in range(start, 1000, 2)], tmp_path / f"{start}.parquet")
        for start in (0, 1)
    ]
    found = sums.ranges(runs, 4)
    assert [one.end for one in found[:-1]] == [one.first for one in found[1:]]
    assert (found[0].first, found[-1].end, len(found)) == (None, None, 4)
    sizes = [len(sums.merged(runs, one, Night(DAY)).rows) for one in found]
    assert sum(sizes) == 1000
    assert max(sizes) < 300
    read = sum(len(rows) for run in runs for rows in sums._read(run, found[1]))
    assert read <= sizes[1] + 40
    monkeypatch.setattr(sums, "TASK_ROWS", 100)
    assert len(sums.ranges(runs, 1)) == 10, "as many as it takes to keep a task small"
    assert sums.ranges([], 8) == [Listeners()]
