"""Forget listeners in every kept run.

A published run never changes, so it is copied without them under a new run id, the pointers of its date move to the
copy in one atomic step, and after a grace for readers that have just opened it the old run is removed. Runs that no
pointer names (broken off, refused, replaced) and day folders (`musai.days`) are removed where they hold one of the
listeners, or are not written far enough to tell: they can be made again. Killed at any point, the same command goes
on: dates that are done hold none of them any more, and a copy that was not finished is written again under the same
id. Readers see whole runs throughout.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterable

from musai.days import folders
from musai.erasure.spark import Forgotten, names_listeners
from musai.errors import MusaiError
from musai.provenance import RUN_ID
from musai.storage import DELETED
from musai.tables import TABLES, Table
from musai.warehouse import MANIFEST, Run, Warehouse, copies, day_folders
from musai.warehouse.processes import AT_WORK


@dataclasses.dataclass(frozen=True)
class Found:
    """A run that holds listeners to forget: how many rows of which tables; none where nobody can tell.

    `date` is that of the pointer which names it; without one it is removed rather than written anew. `folder`: a day
    folder, by its path, that the run wrote.
    """

    run_id: str
    rows: dict[str, int]
    date: dt.date | None
    folder: str | None = None


def find(warehouse: Warehouse, forgotten: Forgotten) -> list[Found]:
    """Every run and day folder that holds one of them, or of which nobody can tell, oldest date first. Nothing is
    changed."""
    named = {pointer["run_id"]: date for date in warehouse.dates() if (pointer := warehouse.pointer(date))}
    rows: dict[str, dict[str, int]] = {}
    unsure = {run.run_id for run in warehouse.runs() if _half_written(warehouse, run)}
    for table in TABLES.values():
        if table.kind == "internal" or not names_listeners(table):
            continue
        folders = []
        for run_id in _run_ids(warehouse, table):
            parts = _parts(warehouse, f"{table.name}/run_id={run_id}")
            # The files of job_log are whole, each by itself, long before its manifest.
            if table.kind == "history" or all(MANIFEST in names for names in parts.values()):
                folders += [part for part, names in parts.items() if any(map(_is_rows, names))]
            else:
                unsure.add(run_id)
        if folders:
            held = forgotten.held(table, [warehouse.storage.spark_uri(folder) for folder in folders])
            for run_id, count in held.items():
                rows.setdefault(run_id, {})[table.name] = count
    unsure -= named.keys()
    found = [Found(one, rows.get(one, {}), named.get(one)) for one in sorted(rows.keys() | unsure)]
    return sorted(found, key=lambda one: (one.date or dt.date.min, one.run_id)) + _days(warehouse, forgotten)


def _days(warehouse: Warehouse, forgotten: Forgotten) -> list[Found]:
    storage, found = warehouse.storage, []
    for path in day_folders.paths(storage):
        whole = folders.is_sound(storage, path)
        rows = forgotten.held_of_days(storage.spark_uri(path)) if whole else 0
        if rows or not whole:
            name = path.rpartition("/")[2]
            found.append(Found(name.rpartition(".")[0], {"day folder": rows} if whole else {}, None, path))
    return found


def forget(
    warehouse: Warehouse, forgotten: Forgotten, grace_s: float, say: Callable[[str], None] = lambda _: None
) -> list[Found]:
    """Take them out of every kept run; gives what was found.

    `grace_s`: seconds between the move of the pointers and the removal of what they named. Raises MusaiError where a
    night was published meanwhile, or the warehouse cannot be written: the same call then goes on.
    """
    found = find(warehouse, forgotten)
    replaced = [one for one in found if one.date]
    for one in replaced:
        old = warehouse.run(one.run_id)
        if old is None:
            raise MusaiError(f"run {one.run_id} of {one.date} has no record in _nights: it cannot be written anew")
        copy = _copy_of(old)
        say(f"writing {one.run_id} of {one.date} anew, as {copy.run_id}")
        copies.begin(warehouse, copy)
        forgotten.rewrite(old, copy)
        copies.exchange(warehouse, old, copy, _now())
    if replaced and grace_s:
        say(f"waiting {grace_s:g} s for who still reads what was replaced")
        time.sleep(grace_s)
    for one in found:
        say(f"removing {one.folder or one.run_id}")
        if one.folder:
            day_folders.remove(warehouse.storage, one.folder)
        else:
            copies.remove(warehouse, one.run_id)
    for path in _left_by_kills(warehouse):
        warehouse.storage.delete(path)
    return found


def _copy_of(run: Run) -> Run:
    """The run that replaces it: always the same id, so that a second attempt writes over what the first left."""
    run_id = f"{run.record.run_date}-forget-{hashlib.sha256(run.run_id.encode()).hexdigest()[:12]}"
    return Run(run.storage, dataclasses.replace(run.record, run_id=run_id, started_at=_now(), replaces=run.run_id))


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def _run_ids(warehouse: Warehouse, table: Table) -> Iterable[str]:
    ids = [name.removeprefix("run_id=") for name in warehouse.storage.names(table.name) if name.startswith("run_id=")]
    return [one for one in ids if RUN_ID.fullmatch(one)]


def _parts(warehouse: Warehouse, path: str) -> dict[str, list[str]]:
    """The folders of a run's table and the names in each: one for every job where several write to it."""
    names = warehouse.storage.names(path)
    jobs = [f"{path}/{name}" for name in names if name.startswith("job=")]
    return {job: warehouse.storage.names(job) for job in jobs} if jobs else {path: names}


def _is_rows(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith((".", "_"))


def _half_written(warehouse: Warehouse, run: Run) -> bool:
    """Whether a run has tables in its own folder, and not the interactions that would tell of whom they are, or rows
    of the log that have not passed into its tables."""
    if warehouse.storage.names(run.passing(folders.PASSING)):
        return True
    known = {"run.json", "state.json", "done", AT_WORK, day_folders.NOTE}
    names = set(warehouse.storage.names(f"_nights/{run.run_id}")) - known
    return bool(names) and not run.has("interactions")


def _left_by_kills(warehouse: Warehouse) -> list[str]:
    """Folders whose removal was broken off."""
    places = [*TABLES, "_nights", day_folders.ROOT, *(f"_nights/{run.run_id}" for run in warehouse.runs())]
    return [f"{place}/{name}" for place in places for name in warehouse.storage.names(place) if name.endswith(DELETED)]
