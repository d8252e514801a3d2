"""What a person sees while a night works: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from musai.redaction import redacted


class Screen(Console):
    """Who left while we write (`| head`, a closed terminal) does not end what is at work: nobody is written to then."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


class Counts(Protocol):
    rows_read: int
    rows_written: int
    rejected: int
    notes: list[str]


class Progress:
    """`say` and `job_done` print a line; between them a terminal shows a bar with the job at work."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Screen(stderr=True, highlight=False, soft_wrap=True)
        self.run_id = self.at_work = ""  # of the run that has begun, and its job
        self._bar: Bar | None = None
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        stamp = f"{time.monotonic() - self._started:7.1f} s  "
        self.console.print(stamp + redacted(text), markup=False)

    def begin(self, run_id: str, jobs: Sequence[str], kept: Sequence[str], usual: Mapping[str, float]) -> None:
        """`usual`: seconds that jobs took the night before, by which the time left is told."""
        self.say(f"run {run_id}: {len(jobs)} jobs" + (f", kept {', '.join(kept)}" if kept else ""))
        self.run_id = run_id
        self._due, self._usual, self._rows = list(jobs), dict(usual), 0
        if self.console.is_terminal and self.console.file.isatty():
            self._bar = Bar(
                SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
                console=self.console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=len(jobs), rows=0, left=self._left())
            self._bar.start()

    def job(self, job: str) -> None:
        self.at_work = job
        self.step("")

    def step(self, text: str) -> None:
        if self._bar:
            self._bar.update(self._task, description=f"{self.at_work} {text}".strip(), refresh=True)

    def job_done(self, job: str, seconds: float, counts: Counts) -> None:
        rows = counts.rows_read + counts.rows_written
        parts = [f"{job:<26} {seconds:6.1f} s"]
        rate = rows / max(seconds, 0.1)
        parts += [f"{counts.rows_read:,} rows read, {counts.rows_written:,} written, {rate:,.0f} a second"]
        parts += [f"{counts.rejected:,} rejected"] if counts.rejected else []
        self.say("  ".join(parts))
        for note in counts.notes:
            self.say(f"{'':<26} {note}")
        self._due, self._rows = self._due[1:], self._rows + rows
        if self._bar:
            self._bar.update(self._task, advance=1, rows=self._rows, left=self._left(), refresh=True)

    def _left(self) -> str:
        """What the jobs that are left took the night before; nothing where one of them was not done then."""
        if not self._due or any(job not in self._usual for job in self._due):
            return ""
        minutes, seconds = divmod(round(sum(self._usual[job] for job in self._due)), 60)
        return f"about {minutes}:{seconds:02d} left"

    def end(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
