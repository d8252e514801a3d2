"""Sums in sorted runs, held to what plain Python adds up."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import pathlib
from collections.abc import Iterable, Sequence

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


def of_users(numbers: Iterable[int], path: pathlib.Path) -> Run:
    event = {"file": "f", "_day": None, "track_id": "t", "_micro": 1, "_at": None}
    return run_of([event | {"user_id": f"{number:04}"} for number in numbers], path)


@pytest.fixture
def small(tmp_path: pathlib.Path, monkeypatch) -> None:
    """Row groups of ten rows of `of_users`, and tasks of a hundred."""
    run = of_users(range(1000), tmp_path / "any.parquet")
    monkeypatch.setattr(sums, "GROUP_BYTES", pq.read_table(run.path).nbytes // 100)
    monkeypatch.setattr(sums, "TASK_GROUPS", 10)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", [1, 2, 150])
def test_ranges_follow_each_other_and_are_of_about_one_size(tmp_path: pathlib.Path, number: int) -> None:
    """Also those of many runs that look alike, of less than a row group each."""
    runs = [of_users(range(start, 1000, number), tmp_path / f"{start}.parquet") for start in range(number)]
    found = sums.ranges(runs, 4)
    assert (found[0].first, found[-1].end) == (None, None)
    assert [one.end for one in found[:-1]] == [one.first for one in found[1:]]
    assert 6 <= len(found) <= 15
    sizes = [len(sums.merged(runs, one, Night(DAY)).rows) for one in found]
    assert sum(sizes) == 1000
    assert max(sizes) < 400


@pytest.mark.usefixtures("small")
def test_ranges_read_little_beside_their_own(tmp_path: pathlib.Path, monkeypatch) -> None:
    run = of_users(range(1000), tmp_path / "run.parquet")
    groups: list[int] = []

    class Watched(pq.ParquetFile):
        def read_row_groups(self, wanted, *more, **settings):
            groups.extend(wanted)
            return super().read_row_groups(wanted, *more, **settings)

    monkeypatch.setattr(pq, "ParquetFile", Watched)
    for one in sums.ranges([run], 4):
        groups.clear()
        (rows,) = sums._read(run, one)
        assert len(groups) <= len(rows) / 10 + 2


def test_few_rows_are_worth_one_task_and_many_as_many_as_there_are_cores(tmp_path: pathlib.Path, monkeypatch) -> None:
    run = of_users(range(1000), tmp_path / "run.parquet")
    assert sums.ranges([], 8) == sums.ranges([run], 8) == [Listeners()]
    monkeypatch.setattr(sums, "GROUP_BYTES", pq.read_table(run.path).nbytes // 100)
    assert len(sums.ranges([of_users(range(1000), tmp_path / "groups.parquet")], 8)) == 8


@pytest.mark.usefixtures("small")
def test_ids_that_the_files_do_not_tell_cut_no_range_and_lose_no_row(tmp_path: pathlib.Path) -> None:
    event = {"file": "f", "_day": None, "track_id": "t", "_micro": 1, "_at": None}
    run = run_of([event | {"user_id": f"{n:03}" + "x" * 5000} for n in range(50)], tmp_path / "run.parquet")
    assert len(sums._sample(run)) > 20
    assert sums.ranges([run], 4) == [Listeners()]
    assert len(sums.merged([run], Listeners("020"), Night(DAY)).rows) == 30


@pytest.mark.parametrize("limit", [1, 2000])
def test_a_listener_with_any_number_of_rows_is_added_up_in_between(tmp_path: pathlib.Path, monkeypatch, limit) -> None:
    """What a task holds is bounded by what comes out, not by the rows that there are."""
    monkeypatch.setattr(sums, "FOLD_BYTES", limit)
    held: list[int] = []
    added_up = sums.added_up

    def watched(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
        held.append(len(rows))
        return added_up(rows, keys)

    monkeypatch.setattr(sums, "added_up", watched)
    event = {"file": "f", "user_id": "anonymous", "_micro": 1_000_000}
    runs = []
    for number in range(50):
        days = [{"_day": DAY + dt.timedelta(number % 7), "_at": number, "track_id": str(n % 20)} for n in range(60)]
        runs.append(run_of([event | day for day in days], tmp_path / f"{number}.parquet"))
    held.clear()
    found = sums.merged(runs, Listeners(), Night(DAY + dt.timedelta(9)))
    assert as_dict(found.rows) == {("anonymous", str(n)): (150.0, 150, 49) for n in range(20)}
    assert found.used == 3000
    assert max(held) <= 150
