"""A reader of published tables who knows the contract and none of our code, and does not trust it."""

from __future__ import annotations

import collections
import hashlib
import json
import pathlib
import random
import threading
from typing import Any, Self

import pyarrow.dataset as ds
import pyarrow.parquet as pq

WHOLE, NOTHING_YET = "whole", "nothing yet"
HISTORY = ("job_log", "recommendation_metrics", "tuning_trials")
PAUSE_S = 0.25


class Reader(threading.Thread):
    """Looks at every pointer again and again; `seen` counts what it found: `whole`, or what was wrong."""

    def __init__(self, root: pathlib.Path, seed: int = 0) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.seen: collections.Counter[str] = collections.Counter()
        self._content: dict[str, str] = {}  # of a table's folder when it was seen first: it never changes
        self._random = random.Random(seed)  # noqa: S311
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.is_set():
            self.look()
            self._done.wait(PAUSE_S)

    def look(self) -> None:
        pointers = [self.root / "_published.json", *sorted((self.root / "_runs").glob("*.json"))]
        for path in pointers:
            try:
                self.seen[self._state(json.loads(path.read_bytes()))] += 1
            except FileNotFoundError as error:
                self.seen[NOTHING_YET if error.filename == str(path) and len(pointers) == 1 else f"{error}"] += 1
            except (OSError, ValueError, KeyError) as error:
                self.seen[f"{path.name}: {error!r}"] += 1

    def _state(self, pointer: dict[str, Any]) -> str:
        run_id = pointer["run_id"]
        for name, entry in pointer["tables"].items():
            folder = self.root / entry["path"]
            if name in HISTORY:
                folder /= f"run_id={run_id}"
                if name != "job_log" and not folder.exists():
                    continue  # not measured that night
            elif folder.name != f"run_id={run_id}" or entry["run_id"] != run_id:
                return f"{name}: of {folder.name} beside run {run_id}"
            if fault := self._fault(name, folder, run_id):
                return f"{name}: {fault}"
        sampled = self._random.choice(list(pointer["tables"].values()))["path"]
        return self._changed(sampled, run_id) or self._not_audited(run_id) or WHOLE

    def _fault(self, name: str, folder: pathlib.Path, run_id: str) -> str | None:
        """Its manifests are of the run, and count the rows that are there."""
        manifests = list(folder.rglob("_manifest.json"))
        if not manifests:
            return "no manifest"
        for manifest in manifests:
            content = json.loads(manifest.read_bytes())
            rows = sum(pq.read_metadata(part).num_rows for part in manifest.parent.glob("*.parquet"))
            if (content["run_id"], content["table"], content["rows"]) != (run_id, name, rows):
                return f"{rows} rows, and a manifest of {content['rows']} of {content['run_id']}"
        return None

    def _changed(self, path: str, run_id: str) -> str | None:
        folder = self.root / path
        folder = folder if folder.name.startswith("run_id=") else folder / f"run_id={run_id}"
        digest = hashlib.sha256()
        for part in sorted(folder.rglob("*.parquet")):
            digest.update(part.read_bytes())
        found = digest.hexdigest()
        return None if self._content.setdefault(str(folder), found) == found else f"{path} has changed"

    def _not_audited(self, run_id: str) -> str | None:
        results = rows(self.root / "_nights" / run_id / "audit_results")
        return None if results and all(row["passed"] for row in results) else f"{run_id} was not audited"


def rows(folder: pathlib.Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(folder, format="parquet", partitioning=None).to_table().to_pylist()
    return found


def contents(root: pathlib.Path, run_id: str) -> dict[str, str]:
    """Table -> sha256 over its rows, put in order, read without Spark: the digests of a run that we did not compute.

    Without the one column that holds the run's id."""
    found = {}
    for folder in sorted(root.glob(f"*/run_id={run_id}")):
        if folder.parent.name != "job_log":
            found_rows = [{name: row[name] for name in row if name != "created_run_id"} for row in rows(folder)]
            lines = sorted(json.dumps(row, sort_keys=True, default=str) for row in found_rows)
            found[folder.parent.name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return found


def digests(root: pathlib.Path, run_id: str) -> dict[str, list[str]]:
    """Table -> the digests in its manifests."""
    return {
        folder.parent.name: [json.loads(one.read_bytes())["digest"] for one in sorted(folder.rglob("_manifest.json"))]
        for folder in sorted(root.glob(f"*/run_id={run_id}"))
        if folder.parent.name != "job_log"
    }
