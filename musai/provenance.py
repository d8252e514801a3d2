"""What a run is: its id and date, and the code, configuration and inputs that it stands for."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import importlib.resources
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import musai
from musai.config import Config
from musai.errors import InputError

RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """Written once when a run begins; `replaces` is the run that its date's pointer named then, if any.

    `weekly`: a run of weekly jobs, whose tables join those of a published night.
    """

    run_id: str
    run_date: str
    started_at: str
    config_digest: str
    code: str
    seed: int
    inputs: list[dict[str, Any]]
    replaces: str | None
    weekly: bool = False

    def to_json(self) -> bytes:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> RunRecord:
        return cls(**json.loads(content))

    @property
    def date(self) -> dt.date:
        return dt.date.fromisoformat(self.run_date)

    @property
    def inputs_digest(self) -> str:
        contents = [_content(entry) for entry in self.inputs]
        return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def changed_inputs(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each file of a snapshot that went or changed since. One that came later is no file of that run."""
    now = {entry["file"]: _content(entry) for entry in after}
    gone = [f"{entry['file']} is gone" for entry in before if entry["file"] not in now]
    there = [entry for entry in before if entry["file"] in now]
    return sorted(gone + [f"{entry['file']} has changed" for entry in there if now[entry["file"]] != _content(entry)])


def _content(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A file of a snapshot without the time of its last change, which a copy or a new owner alters."""
    return {key: value for key, value in entry.items() if key != "changed_ns"}


def check_run_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id) or run_id in (".", ".."):
        raise InputError(f"--run-id {run_id!r}: 1 to 80 letters, digits, dots, dashes or underlines are due")
    return run_id


def new_run_id(run_date: dt.date, now: dt.datetime) -> str:
    """`<run_date>-<UTC start>`, to the microsecond so that two starts do not meet."""
    return f"{run_date}-{now.astimezone(dt.UTC):%Y%m%dT%H%M%S%fZ}"


def default_run_date(config: Config, now: dt.datetime) -> dt.date:
    """The last whole day in `ingest.time_zone`: yesterday there."""
    return now.astimezone(config.ingest.zone).date() - dt.timedelta(days=1)


@functools.cache
def code_version() -> str:
    """Version and sha256 over the package's own source files, so that an edited clone is told from a release."""
    root = pathlib.Path(str(importlib.resources.files("musai").joinpath("__init__.py"))).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return f"{musai.__version__}+{digest.hexdigest()[:12]}"
