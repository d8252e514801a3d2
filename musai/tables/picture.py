"""The flow as a picture: each job with the tables it writes, above the jobs that read them. Drawn from the tables."""

from __future__ import annotations

import html
from collections.abc import Mapping

from musai.tables import dependencies, is_weekly, order, weekly, writes

WIDTH, GAP_X, GAP_Y, MARGIN = 212, 16, 44, 16  # of a box, between boxes, between rows
HEAD, LINE = 24, 15  # heights of a box's name and of each table in it

STYLE = """
svg { background: #fbfbf9; } text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1d2327; }
.job { font-weight: 600; } .table { fill: #586068; font-size: 11px; }
rect { fill: #fff; stroke: #11677a; } .weekly rect { stroke-dasharray: 5 3; }
path { fill: none; stroke: #11677a; stroke-opacity: .45; stroke-width: 1.3; }
@media (prefers-color-scheme: dark) {
  svg { background: #15181a; } text { fill: #e7eaea; } .table { fill: #a7afb3; }
  rect { fill: #1d2124; stroke: #5cc0d3; } path { stroke: #5cc0d3; }
}
"""


def svg() -> str:
    """The nightly jobs in rows, each under all it waits for, then the weekly ones with the jobs that use what they
    learn; an edge that others imply is left out."""
    rows = _rows()
    places = _placed(rows)
    width = max(x + WIDTH for x, _, _ in places.values()) + MARGIN
    height = max(y + tall for _, y, tall in places.values()) + MARGIN
    edges = [_edge(places[need], places[job]) for job in order() for need in sorted(_direct()[job])]
    boxes = [_box(job, *places[job]) for row in rows for job in row]
    label = "The jobs of a night from top to bottom with the tables they write; dashed: weekly jobs and who uses them"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f"<style>{STYLE}</style>\n" + "\n".join([*edges, *boxes]) + "\n</svg>\n"
    )


def _rows() -> list[list[str]]:
    after = dependencies()
    level: dict[str, int] = {}
    for job in order():
        level[job] = 1 + max((level[need] for need in after[job]), default=-1)
    rows = [[job for job in order() if level[job] == number] for number in range(max(level.values()) + 1)]
    return [*rows, weekly()]


def _placed(rows: list[list[str]]) -> dict[str, tuple[int, int, int]]:
    """job -> left, top, height; rows are centred, and stand in the order of where what they wait for stands."""
    widest = max(map(len, rows)) * (WIDTH + GAP_X) - GAP_X
    places: dict[str, tuple[int, int, int]] = {}
    top = MARGIN
    for row in rows:
        row = sorted(row, key=lambda job: _middle(job, places))
        left = MARGIN + (widest - len(row) * (WIDTH + GAP_X) + GAP_X) // 2
        for number, job in enumerate(row):
            places[job] = (left + number * (WIDTH + GAP_X), top, HEAD + LINE * len(_shown(job)) + 6)
        top += max(places[job][2] for job in row) + GAP_Y
    return places


def _middle(job: str, places: Mapping[str, tuple[int, int, int]]) -> float:
    lefts = [places[need][0] for need in _direct()[job] if need in places]
    return sum(lefts) / len(lefts) if lefts else 0.0


def _direct() -> dict[str, set[str]]:
    """job -> the jobs it waits for that none of the others waits for."""
    after = dependencies()
    all_of: dict[str, set[str]] = {}
    for job in (*order(), *weekly()):
        all_of[job] = after[job] | {far for need in after[job] for far in all_of[need]}
    implied = {job: {far for need in needs for far in all_of[need]} for job, needs in after.items()}
    return {job: needs - implied[job] for job, needs in after.items()}


def _shown(job: str) -> list[str]:
    if job == "publish":
        return ["_published.json"]
    names = [table.name for table in writes(job) if table.kind != "internal"]
    if is_weekly(job):
        readers = {reader for table in writes(job) for reader in table.readers if not is_weekly(reader)}
        names += [f"→ {reader}" for reader in order() if reader in readers - {"audit_run"}]
    return names


def _box(job: str, x: int, y: int, tall: int) -> str:
    names = "".join(
        f'<text class="table" x="{x + 10}" y="{y + HEAD + LINE * number + 10}">{html.escape(name)}</text>'
        for number, name in enumerate(_shown(job))
    )
    kind = "weekly" if is_weekly(job) else "nightly"
    return (
        f'<g class="{kind}"><rect x="{x}" y="{y}" width="{WIDTH}" height="{tall}" rx="6"/>'
        f'<text class="job" x="{x + 10}" y="{y + 17}">{html.escape(job)}</text>{names}</g>'
    )


def _edge(above: tuple[int, int, int], below: tuple[int, int, int]) -> str:
    (x, y, tall), (to_x, to_y, _) = above, below
    start, end = x + WIDTH // 2, to_x + WIDTH // 2
    bend = (to_y - y - tall) // 2
    return f'<path d="M{start} {y + tall}C{start} {y + tall + bend} {end} {to_y - bend} {end} {to_y}"/>'
