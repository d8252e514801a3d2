"""Who is at work: the processes of a run as far as this machine can tell of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import platform
import uuid
from typing import Any

from musai.storage import Storage

AT_WORK = "at_work"  # a folder of a run's own, with an entry for each process that works on it


def here() -> dict[str, Any]:
    """This process, and the space in which its number means something."""
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        place = f"{boot} {pathlib.Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        place = platform.node()
    return {"place": place, "pid": os.getpid(), "born": _born(os.getpid())}


def _born(pid: int) -> str:
    """When a process began, in the kernel's ticks: a number that is given again names another process."""
    try:
        return (
            pathlib.Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
    except OSError:
        return ""


def is_dead(process: dict[str, Any]) -> bool:
    """Whether a process of this machine is gone; of another machine's nobody here can tell."""
    if process["place"] != here()["place"]:
        return False
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return process.get("born", "") not in ("", _born(process["pid"]))


def note(storage: Storage, run_id: str) -> str:
    """Note that this process works on a run; the path of the note, to be removed. A kill leaves it behind."""
    path = f"_nights/{run_id}/{AT_WORK}/{uuid.uuid4().hex}.json"
    since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    storage.replace(path, json.dumps({"process": here(), "since": since}).encode())
    return path


def others(storage: Storage, run_id: str) -> list[str]:
    """Processes of this machine that work on a run, a line each; notes that the dead left are removed."""
    found, folder = [], f"_nights/{run_id}/{AT_WORK}"
    for name in storage.names(folder):
        try:
            note = json.loads(storage.read(f"{folder}/{name}") or b"{}")
            process, since = note["process"], note["since"]
            dead = is_dead(process)
        except (ValueError, KeyError, TypeError):
            continue  # being written, or nothing of ours
        if dead:
            storage.delete(f"{folder}/{name}")
        elif process["place"] == here()["place"] and process["pid"] != os.getpid():
            found.append(f"process {process['pid']} since {since}")
    return found
