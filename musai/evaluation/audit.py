"""Verdicts of the audit over figures that were measured elsewhere. Pure functions."""

from __future__ import annotations

import math
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
    """Refuse where this night's figure lies below the last one less `max_drop` by more than chance explains.

    Both map `value`, `low`, `high` to a figure; without one on either side there is nothing to hold against. Chance is
    the half-width of the interval of the difference now - (1 - max_drop) x before: the two intervals' own, added as
    those of independent samples are. Listeners of both nights are mostly the same, so that it is refused rather too
    seldom than too often.
    """
    check = "quality: against the last evaluated run"
    if now.get("value") is None or before.get("value") is None:
        return Finding(check, True, "not measured in both runs")
    least = before["value"] * (1 - max_drop)
    chance = math.hypot(_half_width(now), (1 - max_drop) * _half_width(before))
    text = f"{now['value']:.4f}, {before['value']:.4f} before, {least:.4f} less {chance:.4f} for chance is due"
    return Finding(check, now["value"] >= least - chance, text)


def _half_width(figure: Mapping[str, float]) -> float:
    """Of its interval; 0 without one."""
    low, high = figure.get("low"), figure.get("high")
    return 0.0 if low is None or high is None else (high - low) / 2
