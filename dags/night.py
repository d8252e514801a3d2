"""The day that a DAG run covers. Needs PyYAML alone."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]


def time_zone(files: Iterable[str], settings: Iterable[str] = ()) -> ZoneInfo:
    """`ingest.time_zone` as `musai` merges it; whatever else is wrong with a file is left for `musai` to report."""
    layers = [{"ingest.time_zone": "UTC"}, *(_read(file) for file in files)]
    for key, _, text in (setting.partition("=") for setting in settings):
        if key in ("ingest", "ingest.time_zone"):
            layers.append({key: yaml.safe_load(text)})
    name = [zone for layer in layers if (zone := _zone(layer))][-1]
    try:
        return ZoneInfo(name)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"ingest.time_zone: there is no time zone {name}") from error


def _read(file: str) -> dict[str, Any]:
    found = [path for path in (pathlib.Path(file), ROOT / file) if path.is_file()]
    try:
        content = yaml.safe_load(found[0].read_text(encoding="utf-8")) if found else {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _zone(layer: dict[str, Any]) -> str | None:
    section = layer.get("ingest")
    return layer.get("ingest.time_zone") or (section.get("time_zone") if isinstance(section, dict) else None)


def run_date(asked: str | None, interval_end: dt.datetime | None, run_after: dt.datetime, zone: ZoneInfo) -> dt.date:
    """The day that was asked for, else the last whole day before the data interval's end (of a trigger: its time)."""
    if asked:
        return dt.date.fromisoformat(asked)
    return (interval_end or run_after).astimezone(zone).date() - dt.timedelta(days=1)
