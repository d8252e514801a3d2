"""Runs begin and go on; the pointers move to one of them, whole and in order."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import resource
import time
from typing import Any

import pytest

from musai import tables
from musai.errors import InputError, MusaiError, Superseded
from musai.tables import TABLES
from musai.warehouse import PUBLISHED, Warehouse, begin_record

DAY_1, DAY_2, DAY_3 = (dt.date(2026, 1, number) for number in (1, 2, 3))


def pointer_file(nights, name: str = PUBLISHED) -> Any:
    return json.loads((nights.root / name).read_text(encoding="utf-8"))


def test_a_run_begins_once_and_is_found_again(nights) -> None:
    first = nights.begin(1, "a", [("log.csv", "1")])
    again = nights.begin(1, "a", [("log.csv", "1")])
    assert again.record == first.record
    assert first.record.started_at <= dt.datetime.now(dt.UTC).isoformat()
    assert [run.run_id for run in nights.warehouse.runs()] == ["a"]
    assert nights.warehouse.state("a") == "running"


def test_a_run_that_begins_again_under_other_terms_names_them_all(nights, settings) -> None:
    nights.begin(1, "a", [("log.csv", "1"), ("same.csv", "1"), ("gone.csv", "1")])
    other = begin_record(
        settings("seed=1"), "a", DAY_2, [{"file": n, "digest": "2"} for n in ("log.csv", "new.csv")], None
    )
    other = dataclasses.replace(other, inputs=[*other.inputs, {"file": "same.csv", "digest": "1"}])
    with pytest.raises(InputError) as caught:
        nights.warehouse.begin(other)
    assert caught.value.exit_status == 2
    assert caught.value.faults == [
        "--run-id a: it is of 2026-01-01, not 2026-01-02",
        "run a: the configuration changed since it began",
        "run a: an input changed since it began: gone.csv is gone, log.csv has changed",
    ]


def test_a_run_goes_on_under_new_terms_where_that_is_asked_for(nights, settings) -> None:
    run = nights.begin(1, "a", [("log.csv", "1")])
    nights.warehouse.set_state("a", "refused")
    record = begin_record(settings("seed=1"), "a", DAY_1, [{"file": "log.csv", "digest": "2"}], "something else")
    resumed = nights.warehouse.resume(run, record).record
    assert nights.warehouse.run("a").record == resumed
    assert (resumed.seed, resumed.inputs[0]["digest"]) == (1, "2")
    assert (resumed.started_at, resumed.replaces) == (run.record.started_at, None)
    assert nights.warehouse.state("a") == "running"
    with pytest.raises(InputError, match="--run-id a: it is of 2026-01-01, not 2026-01-02"):
        nights.warehouse.resume(run, begin_record(settings(), "a", DAY_2, [], None))


def test_a_run_that_was_published_or_replaced_is_not_begun_again(nights, settings) -> None:
    published = nights.publish(1, "a")
    with pytest.raises(InputError, match="run a is published, and what is published never changes"):
        nights.begin(1, "a")
    nights.publish(1, "b")
    for action in (lambda: nights.begin(1, "a"), lambda: nights.warehouse.resume(published, published.record)):
        with pytest.raises(InputError, match="run a was replaced by run b"):
            action()


@pytest.mark.parametrize("run_id", ["../../x", "", "a/b", "a\n", "..", "ü", "x" * 81])
def test_a_run_id_cannot_lead_out_of_the_warehouse(nights, run_id: str) -> None:
    with pytest.raises(InputError, match="--run-id"):
        nights.warehouse.run(run_id)


def test_the_future_cannot_be_run(settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    begin_record(settings(), None, today - dt.timedelta(days=1), [], None)
    with pytest.raises(InputError, match="in the future"):
        begin_record(settings(), None, today + dt.timedelta(days=2), [], None)


def test_the_newest_open_run_of_a_date_is_gone_on_with(nights) -> None:
    assert nights.warehouse.unpublished(DAY_1) is None
    nights.begin(1, "z")
    nights.begin(1, "a")
    nights.begin(2, "b")
    assert nights.warehouse.unpublished(DAY_1).run_id == "a"
    nights.warehouse.set_state("a", "refused")
    assert nights.warehouse.unpublished(DAY_1).run_id == "a"
    nights.publish(1, "c")
    assert nights.warehouse.unpublished(DAY_1) is None, "z and a began before c was published"
    nights.begin(1, "d")
    assert nights.warehouse.unpublished(DAY_1).run_id == "d"


def test_the_pointers_hold_exactly_what_the_contract_says(nights) -> None:
    before = dt.datetime.now(dt.UTC)
    run = nights.fill(nights.begin(1, "a"), ("interactions", "rejected_rows", "job_log", "unweighted"))
    returned = nights.warehouse.publish(run, report="_reports/a/index.html")
    published = pointer_file(nights)
    at = dt.datetime.fromisoformat(published.pop("published_at"))
    assert before <= at <= dt.datetime.now(dt.UTC)
    assert at.utcoffset() == dt.timedelta(0)
    assert published == {
        "format": 1,
        "run_id": "a",
        "run_date": "2026-01-01",
        "report": "_reports/a/index.html",
        "tables": {
            "interactions": {"run_id": "a", "path": "interactions/run_id=a"},
            "rejected_rows": {"run_id": "a", "path": "rejected_rows/run_id=a"},
            "job_log": {"run_id": "a", "path": "job_log"},
        },
    }
    assert returned == pointer_file(nights, "_runs/2026-01-01.json") == pointer_file(nights)
    assert (nights.root / PUBLISHED).read_bytes() == (nights.root / "_runs/2026-01-01.json").read_bytes()
    assert (nights.root / "rejected_rows/run_id=a/job=ingest_interactions/_manifest.json").is_file()


def test_the_main_pointer_is_that_of_the_greatest_date(nights) -> None:
    nights.publish(2, "second")
    nights.publish(1, "backfill")
    assert pointer_file(nights)["run_id"] == "second"
    assert pointer_file(nights, "_runs/2026-01-01.json")["run_id"] == "backfill"
    nights.publish(3, "third")
    assert pointer_file(nights)["run_id"] == "third"
    assert nights.warehouse.dates() == [DAY_1, DAY_2, DAY_3]
    assert nights.warehouse.pointer()["run_id"] == "third"


def test_a_second_run_of_a_date_replaces_it_and_no_other(nights) -> None:
    nights.publish(1, "a")
    nights.publish(2, "b")
    nights.publish(1, "c")
    nights.publish(2, "d")
    assert [nights.warehouse.pointer(date)["run_id"] for date in (DAY_1, DAY_2, None)] == ["c", "d", "d"]
    assert [nights.warehouse.state(name) for name in "abcd"] == ["superseded"] * 2 + ["published"] * 2


def test_a_run_that_began_before_another_was_published_is_superseded(nights) -> None:
    late, early = nights.fill(nights.begin(1, "late")), nights.fill(nights.begin(1, "early"))
    nights.warehouse.publish(early)
    before = (nights.root / PUBLISHED).read_bytes()
    with pytest.raises(Superseded, match="run early of 2026-01-01 was published while this one \\(late\\)") as caught:
        nights.warehouse.publish(late)
    assert caught.value.exit_status == 1
    assert (nights.root / PUBLISHED).read_bytes() == before
    assert nights.warehouse.standing(late) == "superseded"


def test_a_run_that_begins_while_another_publishes_stays_open(nights) -> None:
    """It began after the pointer moved and before the states were noted; it may replace that run."""
    nights.publish(1, "a")
    next_one = nights.begin(1, "b")
    nights.warehouse.note_states(DAY_1, "a")
    assert nights.warehouse.standing(next_one) == "running"
    nights.warehouse.publish(nights.fill(next_one))
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_publishing_twice_changes_nothing(nights) -> None:
    run = nights.publish(1, "a")
    before = (nights.root / PUBLISHED).read_bytes()
    time.sleep(0.01)
    assert nights.warehouse.publish(run)["run_id"] == "a"
    assert (nights.root / PUBLISHED).read_bytes() == before


def killed_between_the_pointers(nights, monkeypatch: pytest.MonkeyPatch, run) -> None:
    def killed(self: Warehouse) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "move_main_pointer", killed)
        with pytest.raises(KeyboardInterrupt):
            nights.warehouse.publish(run)


def test_a_kill_between_the_two_pointers_is_mended(nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.publish(1, "a")
    run = nights.fill(nights.begin(2, "b"))
    killed_between_the_pointers(nights, monkeypatch, run)
    assert [nights.warehouse.pointer(date)["run_id"] for date in (None, DAY_2)] == ["a", "b"]
    assert nights.warehouse.standing(run) == "published"
    nights.warehouse.mend()
    assert (nights.root / PUBLISHED).read_bytes() == (nights.root / "_runs/2026-01-02.json").read_bytes()
    nights.warehouse.mend()
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_whoever_publishes_next_finishes_it_too(nights, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_between_the_pointers(nights, monkeypatch, nights.fill(nights.begin(2, "b")))
    assert nights.warehouse.pointer() is None
    nights.publish(1, "backfill")
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_mending_where_nothing_is_published_does_nothing(nights) -> None:
    nights.warehouse.mend()
    assert nights.warehouse.pointer() is None
    assert not nights.root.exists()


def test_the_parent_is_the_published_run_of_the_greatest_earlier_date(nights) -> None:
    for number, run_id in ((1, "a"), (3, "c"), (5, "e")):
        nights.publish(number, run_id)
    nights.begin(4, "open")
    parents = [nights.warehouse.parent(dt.date(2026, 1, number)) for number in range(1, 7)]
    assert [parent and parent["run_id"] for parent in parents] == [None, "a", "a", "c", "c", "e"]


def test_weekly_tables_join_the_newest_published_night_and_later_nights_carry_them(nights, monkeypatch) -> None:
    weekly = dataclasses.replace(TABLES["users"], name="models", kind="weekly", writers=("train_models",))
    monkeypatch.setitem(tables.TABLES, "models", weekly)
    snapshot: list[dict[str, str]] = []
    early = nights.warehouse.begin(begin_record(nights.config, "w0", DAY_1, snapshot, None, weekly=True))
    with pytest.raises(InputError, match="nothing is published yet"):
        nights.warehouse.adopt(early)
    nights.publish(1, "a", ("users",))
    nights.publish(2, "b", ("users",))
    nights.begin(2, "open")
    run = nights.warehouse.begin(begin_record(nights.config, "w1", DAY_2, snapshot, None, weekly=True))
    assert nights.warehouse.unpublished(DAY_2).run_id == "open", "a weekly run is no night to go on with"
    nights.warehouse.adopt(nights.fill(run, ("models",)))
    joined = {
        "users": {"run_id": "b", "path": "users/run_id=b"},
        "models": {"run_id": "w1", "path": "models/run_id=w1"},
    }
    assert pointer_file(nights)["tables"] == joined
    assert pointer_file(nights, "_runs/2026-01-02.json") == pointer_file(nights)
    assert set(pointer_file(nights, "_runs/2026-01-01.json")["tables"]) == {"users"}
    nights.publish(3, "c", ("users",))
    assert pointer_file(nights)["tables"]["models"] == joined["models"]
    assert nights.warehouse.state("w1") == "published"


def test_history_and_weekly_tables_are_carried_and_nightly_ones_are_not(nights, monkeypatch) -> None:
    weekly = dataclasses.replace(TABLES["users"], name="models", kind="weekly", writers=("train_models",))
    monkeypatch.setitem(tables.TABLES, "models", weekly)
    nights.publish(1, "a", ("interactions", "users", "models", "recommendation_metrics"))
    nights.publish(2, "b", ("interactions", "unweighted"))
    second = nights.warehouse.pointer()["tables"]
    assert second == {
        "interactions": {"run_id": "b", "path": "interactions/run_id=b"},
        "models": {"run_id": "a", "path": "models/run_id=a"},
        "recommendation_metrics": {"run_id": "b", "path": "recommendation_metrics"},
    }
    nights.publish(2, "c", ("interactions",))
    assert nights.warehouse.pointer()["tables"]["models"]["run_id"] == "a"
    nights.publish(3, "d", ("interactions", "models"))
    assert nights.warehouse.pointer()["tables"]["models"] == {"run_id": "d", "path": "models/run_id=d"}
    nights.publish(2, "e", ("interactions",))
    assert nights.warehouse.pointer(DAY_2)["tables"]["models"]["run_id"] == "a", "not that of a later date"
    nights.publish(3, "f", ("interactions",))
    assert nights.warehouse.pointer()["tables"]["models"]["run_id"] == "d", "kept when its own date is done again"


def test_where_a_published_table_lies(nights) -> None:
    with pytest.raises(InputError, match="nothing is published yet; `musai nightly` does it"):
        nights.warehouse.published_path("users")
    nights.publish(1, "a", ("users",))
    assert nights.warehouse.published_path("users") == str(nights.root / "users/run_id=a")
    with pytest.raises(InputError, match="items: the run of 2026-01-01 did not make it"):
        nights.warehouse.published_path("items")
    with pytest.raises(InputError, match="userz: no such table; they are interactions, "):
        nights.warehouse.published_path("userz")


def test_strange_files_among_the_pointers_are_left_alone(nights) -> None:
    nights.publish(1, "a")
    for name in ("README.json", ".2026-01-05.json.tmp", "2026-13-01.json"):
        (nights.root / "_runs" / name).write_text("x")
    (nights.root / "_nights/.left.tmp").write_text("x")
    assert nights.warehouse.dates() == [DAY_1]
    nights.publish(2, "b")
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_a_full_disk_is_one_line_and_what_was_published_stays(nights) -> None:
    nights.publish(1, "a")
    run = nights.fill(nights.begin(2, "b"))
    before = (nights.root / PUBLISHED).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 300):  # not even a lease; a lease, but no pointer
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(MusaiError) as caught:
                nights.warehouse.publish(run)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.exit_status == 1
        assert str(caught.value).startswith(f"{nights.root}: cannot be used as a warehouse: ")
        assert "File too large" in str(caught.value)
        assert (nights.root / PUBLISHED).read_bytes() == before
    nights.warehouse.publish(run)
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_a_warehouse_where_a_file_is_says_so(tmp_path: pathlib.Path, nights) -> None:
    (tmp_path / "warehouse").write_text("")
    with pytest.raises(MusaiError, match=r"cannot be used as a warehouse: .*Not a directory"):
        nights.begin(1)
