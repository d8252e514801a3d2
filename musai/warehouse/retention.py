"""What of a warehouse nothing needs any more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from musai.storage import DELETED
from musai.tables import TABLES
from musai.warehouse import day_folders

if TYPE_CHECKING:
    from musai.warehouse.publishing import Warehouse
    from musai.warehouse.runs import Run

STAYS = dt.timedelta(days=1)  # a run that was superseded, or a backfill beyond keep_runs: a reader may have opened it


def due(warehouse: Warehouse, now: dt.datetime) -> list[str]:
    """Drop the pointers that are too old, then list the paths that no pointer left names and no unfinished run owns.

    Under the lease. History is kept by run date, counted back from the newest that is published: a clock that jumps
    must not cost a year of it. A run's record goes last, so that a removal that was broken off goes on next time.
    """
    storage, settings = warehouse.storage, warehouse.config.warehouse
    pointers = {date: pointer for date in warehouse.dates() if (pointer := warehouse.pointer(date))}
    dates = sorted(pointers)
    for date in dates[: -settings.keep_runs]:
        backfilled = pointers[date]["published_at"] > pointers[dates[-1]]["published_at"]
        if not (backfilled and _recent(dt.datetime.fromisoformat(pointers[date]["published_at"]), now)):
            warehouse.set_state(pointers.pop(date)["run_id"], "published")
            storage.delete(f"_runs/{date}.json")
    kept = [*pointers.values(), *filter(None, [warehouse.pointer()])]
    named = {entry["path"] for pointer in kept for entry in pointer["tables"].values()}
    runs = {run.run_id: run for run in warehouse.runs()}
    alive = {pointer["run_id"] for pointer in kept}
    alive |= {run_id for run_id, run in runs.items() if not _over(warehouse, run, now)}
    oldest = (dates[-1] if dates else now.date()) - dt.timedelta(days=settings.keep_history_days)
    history = {run_id for run_id, run in runs.items() if run.record.date >= oldest}
    removed, owners = [], set(history)  # who has rows that stay: the record says whose they are, and how old
    for table in TABLES.values():
        stays = alive | history if table.kind == "history" else alive
        for name in storage.names(table.name):
            run_id, path = name.removeprefix("run_id="), f"{table.name}/{name}"
            if path in named:
                owners.add(run_id)
            elif (run_id in runs and run_id not in stays) or name.endswith(DELETED):
                removed.append(path)
    for run_id in runs.keys() - alive:
        folder = f"_nights/{run_id}"
        if run_id in owners:
            names = set(storage.names(folder)) - {"run.json", "state.json"}
            removed += [f"{folder}/{name}" for name in sorted(names)]
        else:
            removed.append(folder)
    return removed + day_folders.due(storage, alive, now)


def _over(warehouse: Warehouse, run: Run, now: dt.datetime) -> bool:
    """Whether nobody can go on with a run that no pointer names, nor be reading it."""
    state, since = warehouse.state_since(run.run_id)
    if run.record.weekly:
        return state == "published" and since is not None and not _recent(since, now)
    if warehouse.pointer(run.record.date) is None and state == "published":
        return True  # its pointer was dropped for its age
    if warehouse.standing(run) != "superseded":
        return False
    if state != "superseded" or since is None:
        warehouse.set_state(run.run_id, "superseded")
        return False
    return not _recent(since, now)


def _recent(moment: dt.datetime, now: dt.datetime) -> bool:
    return now - moment <= STAYS
