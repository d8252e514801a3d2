"""The day folders: `_days/<run_id>.<number>/`, what ingest made of the files that it read in a night (`musai.days`).

A folder counts once its manifest is there, and changes no more. `_nights/<run_id>/days.json` names those that a run
was merged from. Nothing that is published leads into them: what is gone is made anew from the log.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from musai.provenance import RUN_ID
from musai.storage import DELETED, Storage

ROOT, NOTE = "_days", "days.json"
MANIFEST, RETIRED = "_manifest.json", "_retired.json"
GRACE = dt.timedelta(days=1)  # between retirement and removal: a night may just have begun to read the folder


def paths(storage: Storage) -> list[str]:
    """Every folder, written whole or not."""
    return [f"{ROOT}/{name}" for name in storage.names(ROOT) if not name.startswith(".")]


def manifests(storage: Storage) -> dict[str, dict[str, Any]]:
    """path -> manifest of the folders that a night may read."""
    found = {}
    for path in paths(storage):
        if not storage.read(f"{path}/{RETIRED}") and (content := storage.read(f"{path}/{MANIFEST}")):
            found[path] = json.loads(content)
    return found


def begun(storage: Storage, run_id: str) -> str:
    """The path of a new folder of a run. What earlier attempts of the run left unfinished is removed."""
    number = 0
    for path in paths(storage):
        if _run_id(path) != run_id:
            continue
        if storage.read(f"{path}/{MANIFEST}") is None:
            storage.delete(path)
        else:
            number = max(number, int(path.rpartition(".")[2]))
    return f"{ROOT}/{run_id}.{number + 1}"


def _run_id(path: str) -> str | None:
    """The run that wrote a folder; None where the name is none of ours."""
    run_id, _, number = path.removeprefix(f"{ROOT}/").rpartition(".")
    return run_id if RUN_ID.fullmatch(run_id) and number.isdigit() else None


def seal(storage: Storage, path: str, manifest: Mapping[str, Any]) -> None:
    """From now on the folder counts."""
    storage.replace(f"{path}/{MANIFEST}", json.dumps(manifest, sort_keys=True).encode())


def note(storage: Storage, run_id: str, named: Collection[str]) -> None:
    """Say which folders a run reads, before it does."""
    storage.replace(f"_nights/{run_id}/{NOTE}", json.dumps(sorted(named)).encode())


def retire(storage: Storage, path: str, now: dt.datetime) -> None:
    """No night begins to read the folder any more."""
    storage.replace(f"{path}/{RETIRED}", json.dumps({"at": now.isoformat(timespec="seconds")}).encode())


def remove(storage: Storage, path: str) -> None:
    """The manifest first: what a kill leaves of it does not count."""
    storage.delete(f"{path}/{MANIFEST}")
    storage.delete(path)


def due(storage: Storage, alive: Collection[str], now: dt.datetime) -> list[str]:
    """Retire the folders that none of the `alive` runs names, then list those that were retired a day ago, and what
    kills left of others."""
    named = {path for run_id in alive for path in _noted(storage, run_id)}
    found = [f"{ROOT}/{name}" for name in storage.names(ROOT) if name.endswith(DELETED)]
    for path in paths(storage):
        if path in named:
            continue
        retired = storage.read(f"{path}/{RETIRED}")
        if retired is None:
            retire(storage, path, now)
        elif now - dt.datetime.fromisoformat(json.loads(retired)["at"]) > GRACE:
            found.append(path)
    return found


def _noted(storage: Storage, run_id: str) -> Iterable[str]:
    content = storage.read(f"_nights/{run_id}/{NOTE}")
    return json.loads(content) if content else ()
