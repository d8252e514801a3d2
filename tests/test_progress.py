"""What a person sees while a night works: on a real terminal, and elsewhere."""

from __future__ import annotations

import errno
import io
import os
import re
import types

from rich.console import Console

from musai.progress import Progress
from musai.warehouse.timing import usual_seconds

COUNTS = types.SimpleNamespace(rows_read=1_000, rows_written=500, rejected=3, notes=["all is well"])
USUAL = {"train_als": 61.0, "publish": 4.4}


def jobs_of_a_night(progress: Progress) -> None:
    progress.begin("r1", ["train_als", "publish"], ["ingest_tracks"], USUAL)
    progress.job("train_als")
    progress.step("writing user_factors")
    progress.job_done("train_als", 3.0, COUNTS)
    progress.job("publish")
    progress.end()


def test_elsewhere_there_is_a_plain_line_a_job() -> None:
    text = io.StringIO()
    jobs_of_a_night(Progress(Console(file=text, width=200)))
    lines = [re.sub(r"^ +[\d.]+ s  ", "", line) for line in text.getvalue().splitlines()]
    assert lines == [
        "run r1: 2 jobs, kept ingest_tracks",
        f"{'train_als':<26}    3.0 s  1,000 rows read, 500 written, 500 a second  3 rejected",
        f"{'':<26} all is well",
    ]


def all_of(master: int) -> str:
    """What was written to a terminal that is closed by now; a single read may get a part of it."""
    parts = []
    with os.fdopen(master, "rb", buffering=0) as file:
        try:
            while part := file.read(4096):
                parts.append(part)
        except OSError as end:
            if end.errno != errno.EIO:  # how Linux says that nobody is left to write
                raise
    return b"".join(parts).decode()


def test_a_terminal_shows_the_job_the_rows_and_the_time_left() -> None:
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w") as file:
        jobs_of_a_night(Progress(Console(file=file, width=160, force_terminal=True)))
    seen = all_of(master)
    assert "about 1:05 left" in seen
    assert "train_als writing user_factors" in seen
    assert "1,500 rows" in seen
    assert "about 0:04 left" in seen
    assert "1/2" in seen


def test_a_job_that_was_not_done_before_leaves_the_time_open() -> None:
    progress = Progress(Console(file=io.StringIO()))
    progress.begin("r1", ["train_als", "new_job"], [], USUAL)
    assert progress._left() == ""


def test_the_usual_time_is_that_of_the_published_run(night) -> None:
    from musai.storage import at
    from musai.warehouse import Warehouse

    warehouse = Warehouse(at(night.config.warehouse.path), night.config)
    found = usual_seconds(warehouse, night.outcome.run)
    assert set(found) == set(night.outcome.seconds)
    assert found["train_als"] > 0
    assert usual_seconds(Warehouse(at(night.config.warehouse.path + "-none"), night.config), night.outcome.run) == {}
