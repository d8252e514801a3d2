"""What a DAG run stands for: the day it covers, and what its MusAI run is called. Needs PyYAML alone."""

from __future__ import annotations

import datetime as dt
import hashlib
import pathlib
import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]


def time_zone(files: Iterable[str], settings: Iterable[str] = ()) -> ZoneInfo:
    """`ingest.time_zone` as `musai` merges it; a file or key that is wrong otherwise is left for `musai` to report."""
    layers = [{"ingest.time_zone": "UTC"}, *(_read(file) for file in files)]
    for key, _, text in (setting.partition("=") for setting in settings):
        if key in ("ingest", "ingest.time_zone"):
            layers.append({key: yaml.safe_load(text)})
    return ZoneInfo([zone for layer in layers if (zone := _zone(layer))][-1])


def _read(file: str) -> dict[str, Any]:
    found = [path for path in (pathlib.Path(file), ROOT / file) if path.is_file()]
    content = yaml.safe_load(found[0].read_text(encoding="utf-8")) if found else {}
    return content if isinstance(content, dict) else {}


def _zone(layer: dict[str, Any]) -> str | None:
    section = layer.get("ingest")
    return layer.get("ingest.time_zone") or (section.get("time_zone") if isinstance(section, dict) else None)


def run_date(asked: str | None, interval_end: dt.datetime | None, run_after: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The day that was asked for, else the last whole day before the data interval's end (of a trigger: its time)."""
    if asked:
        return dt.date.fromisoformat(asked)
    return (interval_end or run_after).astimezone(zone).date() - dt.timedelta(days=1)


def run_id(day: dt.date, dag_id: str, dag_run_id: str, cleared: int, started: dt.datetime | None) -> str:
    """A name within [A-Za-z0-9._-]{1,80} for one DAG run and one clearing of it.

    The digest keeps apart what shortening makes alike, and `started` a DAG run that was deleted and made again.
    """
    exact = "\0".join([dag_id, dag_run_id, str(cleared), started.astimezone(dt.UTC).isoformat() if started else ""])
    readable = re.sub(r"[^A-Za-z0-9._-]+", ".", dag_run_id)[:50]
    return f"{day}-{readable}-{cleared}-{hashlib.sha256(exact.encode()).hexdigest()[:10]}"
