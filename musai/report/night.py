"""Did the night go well: the audit, the rows that came in, the time of each job against the nights before."""

from __future__ import annotations

import statistics
from typing import Any

from musai.report import drawing
from musai.report.facts import Facts, Rows
from musai.report.markup import absent, card, details, escape, figure, seconds, section, table

PARTS = {"used": "used", "outside": "outside the window", "erased": "erased", "rejected": "rejected"}
DRAWN = '<span class="unseen">as a bar</span>'  # heads a column of pictures
TITLE = "Did the night go well?"


def render(facts: Facts) -> str:
    return section("night", TITLE, _verdict(facts.findings) + _cards(facts) + _rows_in(facts) + _jobs(facts))


def refused(facts: Facts) -> Rows:
    return [finding for finding in facts.findings if not finding["passed"]]


def _verdict(findings: Rows) -> str:
    failed = [finding for finding in findings if not finding["passed"]]
    lines = [(escape(row["check"]), escape(row["message"])) for row in findings if row["passed"]]
    held = details(f"The {len(lines)} checks that hold", table("Checks that hold", ("check", "found"), lines, "held"))
    if not failed:
        return f'<p class="verdict good">The audit found nothing wrong: all {len(findings)} checks hold.</p>{held}'
    items = "".join(f"<li><b>{escape(row['check'])}</b>: {escape(row['message'])}</li>" for row in failed)
    many = "1 check does" if len(failed) == 1 else f"{len(failed)} checks do"
    text = f"The audit refuses this run: {many} not hold. What was published before stays."
    return f'<p class="verdict bad">{text}</p><ul class="failed">{items}</ul>{held}'


def _cards(facts: Facts) -> str:
    read = sum(row["read"] for row in facts.counts)
    rejected = sum(row["rejected"] for row in facts.counts)
    now = [row["seconds"] for row in _last_attempts(facts.jobs).get(facts.run_id, {}).values()]
    sizes = facts.sizes
    return (
        '<dl class="cards">'
        + card("listeners", f"{sizes.get('users', 0):,}")
        + card("tracks with listeners", f"{sizes.get('items', 0):,}")
        + card("places in lists", f"{sizes.get('recommendations', 0):,}")
        + card("rows rejected", f"{rejected / read:.2%}" if read else "-", f"{rejected:,} of {read:,}")
        + card("time so far", seconds(sum(now)), "without this page and publishing")
        + "</dl>"
    )


def _rows_in(facts: Facts) -> str:
    if not facts.counts:
        return absent("What the inputs held was not counted in this run.")
    parts = []
    for row in facts.counts:
        amounts = [(name, row[name]) for name in PARTS if name in row]
        words = ", ".join(f"{amount:,} {PARTS[name]}" for name, amount in amounts)
        legend = "".join(f'<li><span class="key {name}"></span>{n:,} {PARTS[name]}</li>' for name, n in amounts)
        label = f"{row['source']}: {row['read']:,} rows read, {words}"
        caption = f'{escape(row["source"])}: {row["read"]:,} rows read<ul class="legend">{legend}</ul>'
        parts.append(figure(drawing.shares(amounts, label), caption))
    most = max((row["rows"] for row in facts.reasons), default=0)
    lines = [
        (escape(row["reason"]), escape(row["source"]), f"{row['rows']:,}", drawing.bar(row["rows"], most))
        for row in facts.reasons
    ]
    why = table("Why rows were rejected", ("reason", "input", "rows", DRAWN), lines, "reasons", (2,)) if lines else ""
    return f"<h3>What came in</h3>{''.join(parts)}{why}"


def _last_attempts(jobs: Rows) -> dict[str, dict[str, dict[str, Any]]]:
    """run_id -> job -> the row of its last attempt, in the order in which they began."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sorted(jobs, key=lambda row: (row["started_at"], row["attempt"])):
        found.setdefault(row["run_id"], {})[row["job"]] = row
    return found


def _jobs(facts: Facts) -> str:
    attempts = _last_attempts(facts.jobs)
    now = attempts.pop(facts.run_id, {})
    before = {job: [run[job]["seconds"] for run in attempts.values() if job in run] for job in now}
    most = max((value for job, row in now.items() for value in (row["seconds"], *before[job])), default=0)
    lines = []
    for job, row in now.items():
        usual = seconds(statistics.median(before[job])) if before[job] else "-"
        again = f", attempt {row['attempt']}" if row["attempt"] > 1 else ""
        lines.append(
            (
                f"<code>{escape(job)}</code>",
                seconds(row["seconds"]),
                drawing.bar(row["seconds"], most, before[job]),
                usual,
                f"{row['rows_read']:,}",
                f"{row['rows_written']:,}",
                escape(row["status"]) + again,
                escape(row["message"]),
            )
        )
    if not lines:
        return absent("No job has logged its time in this run.")
    nights = len(attempts)
    compared = f"strokes: the {nights} nights before" if nights > 1 else "stroke: the night before" if nights else ""
    caption = f"Time of each job{f' ({compared})' if compared else ''}"
    head = ("job", "time", DRAWN, "usually", "rows read", "written", "status", "what it says")
    return "<h3>How long it took</h3>" + table(caption, head, lines, "jobs", (1, 3, 4, 5))
