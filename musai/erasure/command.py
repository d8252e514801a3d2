"""`musai forget` on the terminal: which runs hold the listeners, and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid

from musai import session, storage
from musai.config import Config
from musai.erasure.forget import Found, find, forget
from musai.erasure.spark import Forgotten
from musai.errors import InputError
from musai.inputs.files import read_ids
from musai.warehouse import Warehouse


def ids_of(words: Sequence[str], file: str | None) -> tuple[str, ...]:
    """The ids of the command line and of the file, each once. Raises InputError where there are none."""
    ids = tuple(dict.fromkeys([*words, *read_ids(file, "--file")]))
    if not ids:
        raise InputError("forget: whom? Name ids, or a file with --file")
    return ids


def run(config: Config, ids: tuple[str, ...], dry_run: bool, grace_s: float, console: Console) -> None:
    """Raises MusaiError where it cannot be finished now; the same command then goes on."""
    spark = session.build(config)
    warehouse = Warehouse(storage.at(config.warehouse.path, spark), config)
    forgotten = Forgotten(spark, ids)
    if dry_run:
        found = find(warehouse, forgotten)
    else:
        found = forget(warehouse, forgotten, grace_s, lambda text: console.print(text, markup=False))
    console.print(_grid(found) if found else "no kept run holds them")
    if dry_run and found:
        console.print("nothing was changed; without --dry-run the runs of a date are written anew, others removed")
    missing = set(ids) - set(read_ids(config.inputs.erased_users, "inputs.erased_users"))
    if missing:
        where = config.inputs.erased_users or "a file that inputs.erased_users names"
        console.print(f"{len(missing)} of these ids are not in {where}: the next night reads them again", markup=False)


def _grid(found: Sequence[Found]) -> Grid:
    grid = Grid("date", "run", "rows that name them", box=None)
    for one in found:
        rows = ", ".join(f"{table} {count:,}" for table, count in one.rows.items()) or "not written far enough to tell"
        grid.add_row(str(one.date or "no date's"), one.run_id, rows)
    return grid
