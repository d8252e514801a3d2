"""What readers and rivals in other processes meet while runs are published."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import pathlib
import threading

import pyarrow.dataset as ds
import pytest

from musai import pipeline
from musai.config import Config
from musai.errors import Superseded
from musai.steps import Night
from musai.storage import LocalStorage
from musai.warehouse import Warehouse

TABLES = ("interactions", "users", "items", "recommendations", "rejected_rows")


def seen_by_a_reader(root: pathlib.Path) -> str:
    """`whole` where every table of the pointer is of its one run, as a reader without any of our code finds it."""
    try:
        pointer = json.loads((root / "_published.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "nothing yet"
    if set(pointer["tables"]) != set(TABLES):
        return f"tables {sorted(pointer['tables'])}"
    for name, entry in pointer["tables"].items():
        try:
            rows = (
                ds.dataset(root / entry["path"], format="parquet", partitioning=None)
                .to_table()
                .column("run")
                .to_pylist()
            )
        except (OSError, ValueError, KeyError) as error:
            return f"{name}: {error!r}"
        if rows != [pointer["run_id"]] or not list((root / entry["path"]).rglob("_manifest.json")):
            return f"{name}: {rows} where {pointer['run_id']} is due"
    return "whole"


def test_a_polling_reader_sees_whole_runs_only(nights) -> None:
    """Nights, second runs of a date and backfills, with retention at work beside them."""
    seen: list[str] = []
    runs: set[str] = set()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            seen.append(seen_by_a_reader(nights.root))
            runs.add((nights.warehouse.pointer() or {}).get("run_id", ""))

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        for number in (1, 2, 3, 3, 1, 4, 5, 2, 6, 6, 7, 8):
            run = nights.publish(number, tables=TABLES)
            nights.warehouse.expire(dt.datetime.fromisoformat(run.record.started_at))
    finally:
        done.set()
        poller.join()
    assert set(seen) <= {"whole", "nothing yet"}
    assert seen[-1] == "whole"
    assert len(runs) > 4, "the reader was too slow to see anything move"


def publish_in_a_process(root: str, config: Config, run_id: str, start, results) -> None:
    warehouse = Warehouse(LocalStorage(root), config)
    run = warehouse.run(run_id)
    assert run is not None
    start.wait(60)
    try:
        warehouse.publish(run)
        results.put((run_id, None))
    except Superseded as error:
        results.put((run_id, str(error)))


def published_at_once(nights, run_ids: list[str]) -> dict[str, str | None]:
    """Publish runs in a process each, all let go at the same moment; gives what each was told."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(len(run_ids)), context.Queue()
    arguments = [(str(nights.root), nights.config, run_id, start, results) for run_id in run_ids]
    processes = [context.Process(target=publish_in_a_process, args=each) for each in arguments]
    for process in processes:
        process.start()
    told = dict(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    return told


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_nights_of_a_date_one_wins_and_the_other_is_told_who(nights, attempt: int) -> None:
    for run_id in ("a", "b", "c"):
        nights.fill(nights.begin(1, run_id))
    told = published_at_once(nights, ["a", "b", "c"])
    winners = [run_id for run_id, error in told.items() if error is None]
    assert len(winners) == 1
    assert nights.warehouse.pointer()["run_id"] == winners[0]
    for run_id in {"a", "b", "c"} - set(winners):
        error = told[run_id]
        assert error is not None
        assert any(f"run {other} of 2026-01-01 " in error for other in "abc" if other != run_id)
        assert ("was published while this one" in error) or ("is publishing" in error)
        assert nights.warehouse.standing(nights.warehouse.run(run_id)) == "superseded"


def test_two_dates_at_once_are_both_published(nights) -> None:
    for number, run_id in ((1, "a"), (2, "b"), (3, "c")):
        nights.fill(nights.begin(number, run_id))
    assert published_at_once(nights, ["c", "a", "b"]) == {"a": None, "b": None, "c": None}
    assert [nights.warehouse.pointer(date)["run_id"] for date in nights.warehouse.dates()] == ["a", "b", "c"]
    assert nights.warehouse.pointer()["run_id"] == "c"


def test_a_failure_after_the_pointer_moved_writes_nothing_into_the_run(nights) -> None:
    """Retention finds the disk full, say: what is published never changes, not even by a row of the log."""
    written: list[str] = []

    def full(status: str) -> None:
        written.append(status)
        raise OSError(28, "No space left on device")

    for run, due in ((nights.publish(1, "a"), []), (nights.begin(2, "b"), ["failed"])):
        night = Night(None, nights.config, nights.warehouse, run, dt.datetime.now(dt.UTC), log_row=full)
        pipeline._log_failure(night, OSError("the first fault"))
        assert written == due
        assert night.notes == ["the first fault"]
