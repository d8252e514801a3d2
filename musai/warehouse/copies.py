"""A published run replaced by a copy of it, and the removal of a run before its time: what forgetting takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from musai.errors import MusaiError, Superseded
from musai.tables import TABLES

if TYPE_CHECKING:
    from musai.warehouse.publishing import Warehouse
    from musai.warehouse.runs import Run


def begin(warehouse: Warehouse, copy: Run) -> None:
    """Its record. Until it is exchanged it counts as given up: no night goes on with it, and retention removes it."""
    with warehouse.writing():
        warehouse.storage.replace(f"_nights/{copy.run_id}/run.json", copy.record.to_json())
    warehouse.set_state(copy.run_id, "superseded")


def exchange(warehouse: Warehouse, old: Run, copy: Run, now: str) -> None:
    """The pointers of a date that name `old` name `copy`, at last the main one where this is the greatest date.

    Weekly tables stay those that were named. There is no report of the copy. Raises Superseded where another run of
    the date was published meanwhile.
    """
    date = old.record.date
    with warehouse.leased(copy.run_id) as check:
        pointer = warehouse.pointer(date)
        if pointer is None or pointer["run_id"] != old.run_id:
            raise Superseded(f"another run of {date} was published meanwhile; the same command again goes on with it")
        for name, entry in pointer["tables"].items():
            if TABLES[name].kind == "nightly":
                entry |= {"run_id": copy.run_id, "path": copy.folder(name)}
            elif TABLES[name].kind == "history":
                entry["run_id"] = copy.run_id
        pointer |= {"run_id": copy.run_id, "published_at": now, "report": None}
        check()
        warehouse.storage.replace(f"_runs/{date}.json", json.dumps(pointer, indent=1, sort_keys=True).encode())
        warehouse.move_main_pointer()
        warehouse.note_states(date, copy.run_id)


def remove(warehouse: Warehouse, run_id: str) -> None:
    """All that a run wrote but its record, for retention, and what later pointers name of a weekly run.

    Raises MusaiError where a pointer names the run.
    """
    run = warehouse.run(run_id)
    with warehouse.leased("forget") as check:
        warehouse.move_main_pointer()  # a kill may have left it at a run whose date has another by now
        named = {pointer["run_id"] for date in warehouse.dates() if (pointer := warehouse.pointer(date))}
        if run_id in named:
            raise MusaiError(f"run {run_id} was published meanwhile; the same command again goes on with it")
        check()
        if run:
            warehouse.set_state(run_id, "superseded")  # a night at work on it cannot publish it any more
    histories = ["job_log"] if run and run.record.weekly else [t.name for t in TABLES.values() if t.kind == "history"]
    with warehouse.writing():
        for name in [*(table.name for table in TABLES.values() if table.kind == "nightly"), *histories]:
            warehouse.storage.delete(f"{name}/run_id={run_id}")
        for name in sorted(set(warehouse.storage.names(f"_nights/{run_id}")) - {"run.json", "state.json"}):
            warehouse.storage.delete(f"_nights/{run_id}/{name}")
        warehouse.storage.delete(f"_reports/{run_id}")
