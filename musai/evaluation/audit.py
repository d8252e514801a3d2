"""Verdicts of the audit over figures that were measured elsewhere. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    check: str
    passed: bool
    message: str


def share_finding(check: str, good: int, of: int, least: float) -> Finding:
    """Whether `good` of `of` reaches the share `least`; of nothing it does not: an empty input serves nobody."""
    return Finding(check, of > 0 and good >= least * of, f"{good} of {of}, {least:.0%} are due")


def quality_finding(now: Mapping[str, float], before: Mapping[str, float], max_drop: float) -> Finding:
    """Refuse where even the upper end of this night's interval lies below the last figure less `max_drop`.

    Both map `value`, `low`, `high` to a figure; without one on either side there is nothing to hold against.
    """
    check = "quality: against the last evaluated run"
    if now.get("value") is None or before.get("value") is None:
        return Finding(check, True, "not measured in both runs")
    least = before["value"] * (1 - max_drop)
    high = now.get("high") or now["value"]
    text = f"{now['value']:.4f} (up to {high:.4f}), {before['value']:.4f} before, {least:.4f} is due"
    return Finding(check, high >= least, text)
