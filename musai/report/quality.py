"""Are the recommendations good: each metric with its interval against popularity and the nights before."""

from __future__ import annotations

import math
from typing import Any

from musai.columns import FOR_YOU
from musai.evaluation.ranking_metrics import ALL, LISTENER_GROUPS
from musai.report import drawing
from musai.report.facts import Facts, Rows
from musai.report.markup import absent, details, escape, section, table

TITLE = "Are the recommendations good?"
MEANINGS = {
    "recall": ("found again", "share of what people played later that stands in their list"),
    "ndcg": ("found again, near the top", "as before, but a hit counts more the higher it stands"),
    "map": ("precise at the top", "mean share of hits down to each hit"),
    "coverage": ("catalogue in use", "share of the catalogue that stands in somebody's list"),
    "novelty": ("novelty", "bits of surprise: each bit halves the people who know the tracks"),
    "popularity_share": ("hits of everybody", "share of the lists that goes to the best known tenth of the catalogue"),
    "diversity": ("variety", "how unlike each other the tracks of one list are"),
}
IN_PER_CENT = ("recall", "coverage", "popularity_share")


def render(facts: Facts) -> str:
    latest = _latest(facts)
    if latest is None:
        return section("quality", TITLE, absent("Nothing was measured yet: evaluation has not run in these nights."))
    now = [row for row in facts.metrics if row["run_id"] == latest]
    k = min(row["k"] for row in now)
    date = facts.dates[latest]
    users = max(row["users"] for row in now)
    said = f"On tracks held out from {users:,} listeners, lists of {k}."
    if latest != facts.run_id:
        said = f"Not measured this night: these are the figures of {escape(date)}. {said}"
    key = (
        '<ul class="legend"><li><span class="key dot"></span>ours, with its interval</li>'
        '<li><span class="key diamond"></span>recommending what is popular</li></ul>'
    )
    cards = "".join(_card(facts, now, metric, k) for metric in MEANINGS if _find(now, metric, k))
    return section("quality", TITLE, f'<p>{said}</p>{key}<div class="metrics">{cards}</div>{_every(now)}')


def _latest(facts: Facts) -> str | None:
    measured = {row["run_id"] for row in facts.metrics}
    return max(measured, key=lambda run_id: (run_id == facts.run_id, facts.dates[run_id]), default=None)


def _find(rows: Rows, metric: str, k: int, listeners: str = ALL) -> dict[str, Any] | None:
    """The figure of for_you; the other lists stand among all figures."""
    wanted = (metric, k, FOR_YOU, listeners)
    found = [row for row in rows if (row["metric"], row["k"], row["list"], row["listeners"]) == wanted]
    return found[0] if found and _number(found[0]["value"]) is not None else None


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _shown(metric: str, value: float | None) -> str:
    if _number(value) is None:
        return "-"
    assert value is not None
    return f"{value:.1%}" if metric in IN_PER_CENT else f"{value:.3f}"


def _card(facts: Facts, now: Rows, metric: str, k: int) -> str:
    title, meaning = MEANINGS[metric]
    whole = _find(now, metric, k)
    assert whole is not None
    groups = [(name, row) for name in (ALL, *LISTENER_GROUPS) if (row := _find(now, metric, k, name))]
    lines = [
        (name, row["value"], _number(row["low"]), _number(row["high"]), _number(row["baseline"]))
        for name, row in groups
    ]
    label = "; ".join(
        f"{name}: {_shown(metric, value)}"
        + (f" ({_shown(metric, low)} to {_shown(metric, high)})" if low is not None else "")
        + (f", popular {_shown(metric, base)}" if base is not None else "")
        for name, value, low, high, base in lines
    )
    baseline = f"popular: {_shown(metric, whole['baseline'])}" if _number(whole["baseline"]) is not None else ""
    return (
        f'<article class="metric"><h3>{title} <small>{escape(metric)}@{k}</small></h3>'
        f'<p class="large">{_shown(metric, whole["value"])} <small>{baseline}</small></p>'
        f'{drawing.intervals(lines, label)}{_past(facts, metric, k)}<p class="more">{meaning}</p></article>'
    )


def _past(facts: Facts, metric: str, k: int) -> str:
    """The metric over the nights, oldest first; nothing where there is but one."""
    runs = sorted({row["run_id"] for row in facts.metrics}, key=lambda run_id: facts.dates[run_id])
    found = [(run_id, _find([r for r in facts.metrics if r["run_id"] == run_id], metric, k)) for run_id in runs]
    points = [(facts.dates[run_id], row) for run_id, row in found if row]
    if len(points) < 2:
        return ""
    (first, start), (last, end) = points[0], points[-1]
    label = f"{first}: {_shown(metric, start['value'])}, {last}: {_shown(metric, end['value'])}"
    drawn = drawing.line([(r["value"], _number(r["low"]), _number(r["high"])) for _, r in points], label)
    return f'{drawn}<p class="more">{len(points)} nights, {escape(first)} to {escape(last)}</p>'


def _every(now: Rows) -> str:
    order = {metric: place for place, metric in enumerate(MEANINGS)}
    lines = [
        (
            f"{escape(row['metric'])}{'@' + str(row['k']) if row['k'] else ''}",
            escape(row["list"]),
            escape(row["listeners"]),
            *(_shown(row["metric"], row[name]) for name in ("value", "low", "high", "baseline")),
            f"{row['users']:,}",
        )
        for row in sorted(
            now, key=lambda row: (row["list"] != FOR_YOU, order.get(row["metric"], 99), row["k"], row["listeners"])
        )
    ]
    head = ("metric", "list", "listeners", "ours", "from", "to", "popular", "measured on")
    return details("All figures", table("Every figure of this measurement", head, lines, "figures", (3, 4, 5, 6, 7)))
