"""The lease of who publishes: short, expiring, and noticed by its holder when it is lost.

`_lease/<number>.json` is held by whoever created the greatest number; it says until when. A holder that is done marks
it as released, so that numbers only grow and a slow rival that still looks at an older one cannot take the lease from
a later holder: it creates a number, sees a greater one beside it and withdraws.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from musai.errors import Superseded
from musai.storage import Storage
from musai.warehouse.processes import here, is_dead

log = logging.getLogger(__name__)

FOLDER = "_lease"
PAUSE_S = 0.05


@contextlib.contextmanager
def held(storage: Storage, seconds: float, run_id: str, run_date: str = "") -> Iterator[Callable[[], None]]:
    """Hold the lease; gives a function that raises Superseded where it was lost meanwhile.

    Waits while a run of another date holds it. A rival of the same date raises Superseded, which says who. What is
    taken over at once: a lease that expired, one from so far ahead that a clock must have jumped, one whose process
    is dead on this machine, and an earlier one of the same run.
    """
    mine = _taken(storage, seconds, run_id, run_date)
    since = time.monotonic()

    def check() -> None:
        newest, entry = _newest(storage)
        if newest != mine:
            by = f"run {entry['run_id']}" if entry else "another run"
            raise Superseded(
                f"{by} took over the lease of run {run_id}, which held it for too long; nothing was changed"
            )
        if time.monotonic() - since > seconds:
            raise Superseded(f"run {run_id} held the lease for more than {seconds:g} s; nothing was changed")

    try:
        yield check
    finally:
        with contextlib.suppress(OSError):  # it expires by itself; one that was lost is not the newest any more
            storage.replace(f"{FOLDER}/{mine:012d}.json", json.dumps({"released": True}).encode())


def _taken(storage: Storage, seconds: float, run_id: str, run_date: str) -> int:
    """The number of a lease that is ours now."""
    while True:
        newest, entry = _newest(storage)
        now = dt.datetime.now(dt.UTC)
        if entry and entry["run_id"] != run_id and not _void(entry, now):
            if run_date and entry["run_date"] == run_date:
                raise Superseded(
                    f"run {entry['run_id']} of {run_date} is publishing (until {entry['until']} at the latest); "
                    f"nothing was changed. `musai nightly --run-id {run_id} --from publish` tries again"
                )
            time.sleep(PAUSE_S)
            continue
        if entry:
            log.warning("taking over the lease that run %s held until %s", entry["run_id"], entry["until"])
        until = (now + dt.timedelta(seconds=seconds)).isoformat()
        content = {"run_id": run_id, "run_date": run_date, "until": until, "seconds": seconds, "process": here()}
        mine = newest + 1
        if storage.create(f"{FOLDER}/{mine:012d}.json", json.dumps(content).encode()):
            if _newest(storage)[0] == mine:
                for number in _numbers(storage):
                    if number < mine:
                        storage.delete(f"{FOLDER}/{number:012d}.json")
                return mine
            storage.delete(f"{FOLDER}/{mine:012d}.json")


def _numbers(storage: Storage) -> list[int]:
    stems = [name.removesuffix(".json") for name in storage.names(FOLDER)]
    return sorted(int(stem) for stem in stems if stem.isdigit())


def _newest(storage: Storage) -> tuple[int, dict[str, Any] | None]:
    """The greatest number and what it says; None where it was released or says nothing that can be understood."""
    numbers = _numbers(storage)
    if not numbers:
        return 0, None
    try:
        entry = json.loads(storage.read(f"{FOLDER}/{numbers[-1]:012d}.json") or b"{}")
        dt.datetime.fromisoformat(entry["until"])
        return numbers[-1], entry
    except (ValueError, KeyError, TypeError):
        return numbers[-1], None


def _void(entry: dict[str, Any], now: dt.datetime) -> bool:
    until = dt.datetime.fromisoformat(entry["until"])
    jumped = until > now + dt.timedelta(seconds=2 * entry["seconds"])
    return now >= until or jumped or is_dead(entry["process"])
