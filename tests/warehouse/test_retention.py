"""What is removed, and above all what is not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import pathlib

import pytest

from musai import tables
from musai.storage import LocalStorage
from musai.tables import TABLES
from musai.warehouse import Warehouse, begin_record
from tests.warehouse.conftest import day

SOON = dt.timedelta(hours=1)
LATER = dt.timedelta(days=2)


@pytest.fixture
def kept(nights, settings):
    """The same nights under `keep_runs=2`, 5 days of history."""
    nights.config = settings("warehouse.keep_runs=2", "warehouse.keep_history_days=5")
    nights.warehouse = Warehouse(nights.warehouse.storage, nights.config)
    return nights


def expire(nights, after: dt.timedelta = SOON) -> list[str]:
    return sorted(nights.warehouse.expire(dt.datetime.now(dt.UTC) + after))


def runs_of(nights, table: str) -> set[str]:
    return {name.removeprefix("run_id=") for name in nights.warehouse.storage.names(table)}


def unreadable(nights) -> list[str]:
    """Paths that a pointer names and that are not there."""
    warehouse = nights.warehouse
    pointers = [warehouse.pointer(date) for date in (None, *warehouse.dates())]
    paths = {entry["path"] for pointer in pointers if pointer for entry in pointer["tables"].values()}
    return [path for path in sorted(paths) if not (nights.root / path).is_dir()]


def test_the_newest_run_dates_stay_and_older_ones_go(kept) -> None:
    for number, run_id in enumerate("abcd", start=1):
        kept.publish(number, run_id)
    assert expire(kept) == [
        "interactions/run_id=a", "interactions/run_id=b", "recommendations/run_id=a", "recommendations/run_id=b",
        "users/run_id=a", "users/run_id=b",
    ]  # fmt: skip
    assert [str(date) for date in kept.warehouse.dates()] == ["2026-01-03", "2026-01-04"]
    assert runs_of(kept, "users") == {"c", "d"}
    assert unreadable(kept) == []
    assert expire(kept) == []


def test_history_stays_by_run_date_and_its_record_with_it(kept) -> None:
    for number, run_id in ((1, "a"), (2, "b"), (3, "c"), (7, "g"), (8, "h")):
        kept.publish(number, run_id, ("users", "job_log"))
    expire(kept)
    assert runs_of(kept, "job_log") == {"c", "g", "h"}, "day 8 less 5 days"
    assert runs_of(kept, "users") == {"g", "h"}
    assert [run.run_id for run in kept.warehouse.runs()] == ["c", "g", "h"]
    assert sorted(kept.warehouse.storage.names("_nights")) == ["c", "g", "h"]


def test_a_clock_that_jumps_ahead_costs_no_history(kept) -> None:
    for number, run_id in enumerate("abc", start=1):
        kept.publish(number, run_id, ("users", "job_log"))
    kept.warehouse.expire(dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    assert runs_of(kept, "job_log") == {"a", "b", "c"}
    assert unreadable(kept) == []


def test_an_unfinished_run_is_never_removed(kept) -> None:
    old = kept.fill(kept.begin(1, "broken_off"))
    kept.fill(kept.begin(2, "refused"))
    kept.warehouse.set_state("refused", "refused")
    for number in range(3, 9):
        kept.publish(number)
    expire(kept, dt.timedelta(days=1000))
    assert {"broken_off", "refused"} <= runs_of(kept, "users")
    kept.warehouse.publish(old)
    assert unreadable(kept) == []


def test_a_replaced_run_stays_for_a_day(kept) -> None:
    """A reader may have opened its tables just before the pointer moved."""
    kept.publish(1, "a")
    kept.fill(kept.begin(1, "late"))
    kept.publish(1, "b")
    assert expire(kept) == []
    assert runs_of(kept, "users") == {"a", "late", "b"}
    removed = expire(kept, LATER)
    assert "users/run_id=a" in removed
    assert "users/run_id=late" in removed
    assert runs_of(kept, "users") == {"b"}


def test_a_replaced_run_stays_for_a_day_though_its_publisher_died(kept, monkeypatch) -> None:
    """Killed after the pointers and before it noted whom it replaced."""
    kept.publish(1, "a")
    run = kept.fill(kept.begin(1, "b"))
    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "note_states", lambda self, date, published: None)
        kept.warehouse.publish(run)
    assert kept.warehouse.state("a") == "published"
    assert expire(kept) == []
    assert kept.warehouse.state("a") == "superseded"
    assert runs_of(kept, "users") == {"a", "b"}
    expire(kept, LATER)
    assert runs_of(kept, "users") == {"b"}
    for number in (2, 3, 4):
        kept.publish(number)
    expire(kept, LATER)
    assert "b" not in runs_of(kept, "users"), "though nobody noted that it was published"


def test_the_main_pointers_run_stays_whatever_the_dates_are(kept) -> None:
    kept.publish(1, "a")
    for date in kept.warehouse.dates():
        kept.warehouse.storage.delete(f"_runs/{date}.json")
    expire(kept, LATER)
    assert unreadable(kept) == []


def test_a_backfill_beyond_what_is_kept_can_be_read_for_a_day(kept) -> None:
    for number in (5, 6, 7):
        kept.publish(number)
    expire(kept)
    kept.publish(1, "backfill")
    assert expire(kept) == []
    assert kept.warehouse.pointer(dt.date(2026, 1, 1))["run_id"] == "backfill"
    assert "users/run_id=backfill" in expire(kept, LATER)
    assert kept.warehouse.pointer(dt.date(2026, 1, 1)) is None
    assert unreadable(kept) == []


def test_a_table_that_a_kept_pointer_carries_stays(kept, monkeypatch) -> None:
    weekly = dataclasses.replace(TABLES["users"], name="models", kind="weekly", writers=("train_models",))
    monkeypatch.setitem(tables.TABLES, "models", weekly)
    kept.publish(1, "a", ("users", "models"))
    for number in range(2, 9):
        kept.publish(number, tables=("users",))
        expire(kept, LATER)
        assert unreadable(kept) == []
    assert runs_of(kept, "models") == {"a"}
    kept.publish(9, "i", ("users", "models"))
    expire(kept, LATER)
    assert runs_of(kept, "models") == {"a", "i"}, "day 8 is kept and names it still"
    kept.publish(10, "j", ("users",))
    expire(kept, LATER)
    assert runs_of(kept, "models") == {"i"}


def test_what_is_not_a_runs_is_left_alone(kept) -> None:
    for number in range(1, 5):
        kept.publish(number)
    strange = [kept.root / name for name in ("users/notes.txt", "users/run_id=unknown/x", "elsewhere/x", "_models/y")]
    for path in strange:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    expire(kept, LATER)
    assert all(path.is_file() for path in strange)


def test_a_removal_that_was_broken_off_goes_on(kept, monkeypatch) -> None:
    for number, run_id in ((1, "a"), (8, "h"), (9, "i")):
        kept.publish(number, run_id)
    real, calls = LocalStorage.delete, []

    def killed(self: LocalStorage, path: str) -> None:
        calls.append(path)
        if "run_id=a" in path and len([one for one in calls if "run_id=a" in one]) > 1:
            (pathlib.Path(self.root) / "users/.left.deleted").mkdir()
            raise KeyboardInterrupt
        real(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            expire(kept)
    assert expire(kept)
    everything = [path for path in kept.root.rglob("*") if path.name in ("run_id=a", "a") or "deleted" in path.name]
    assert everything == []


def test_weekly_runs_go_once_no_pointer_names_them(kept, monkeypatch) -> None:
    weekly = dataclasses.replace(TABLES["users"], name="models", kind="weekly", writers=("train_models",))
    monkeypatch.setitem(tables.TABLES, "models", weekly)
    kept.publish(1, "a", ("users",))
    for name in ("w1", "w2"):
        record = begin_record(kept.config, name, day(1), [], None, weekly=True)
        kept.warehouse.adopt(kept.fill(kept.warehouse.begin(record), ("models",)))
    assert expire(kept) == []
    assert expire(kept, LATER) == ["models/run_id=w1"]
    assert unreadable(kept) == []
