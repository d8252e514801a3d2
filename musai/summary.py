"""The end of a night on the terminal: rows in, rejected, listeners served, quality, time a job, digests."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from musai.pipeline import Outcome
from musai.redaction import redacted


def show(outcome: Outcome, console: Console) -> None:
    run = outcome.run
    grid = Grid("job", "seconds", "what", box=None, title=f"run {run.run_id}", title_justify="left")
    for job in outcome.kept:
        grid.add_row(job, "kept", "")
    for job, seconds in outcome.seconds.items():
        grid.add_row(job, f"{seconds:.1f}", escape("\n".join(outcome.notes.get(job, []))))
    grid.add_row("together", f"{sum(outcome.seconds.values()):.1f}", "")
    console.print(grid)
    digests = Grid("table", "rows", "digest", box=None)
    for table, digest in outcome.digests().items():
        digests.add_row(table, str(run.rows(table)), digest)
    console.print(digests)
    if outcome.published:
        console.print(redacted(f"published {run.run_id} in {run.storage.root}"), markup=False)
