"""The warehouses that faults happen to, and the table of what came of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import os
import pathlib
import shutil

import pytest
from rich.console import Console

from tests import nights
from tests.faults.harness import Faults, Row, show

SEED = int(os.environ.get("MUSAI_FAULTS_SEED", "1"))
DATE = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)  # of the nights that faults happen to


ROWS = pytest.StashKey[dict[str, Row]]()


@pytest.fixture(scope="session")
def fault_rows(request: pytest.FixtureRequest) -> dict[str, Row]:
    """What came of every fault; printed when all tests are done."""
    return request.config.stash.setdefault(ROWS, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if found := config.stash.get(ROWS, None):
        text = io.StringIO()
        show(found, Console(file=text, width=160))
        terminalreporter.write_line("\n" + text.getvalue())


@pytest.fixture(scope="session")
def tiny(night: nights.Made, night_folder: pathlib.Path, tmp_path_factory, fault_rows) -> Faults:
    """A copy of the tiny night's warehouse, whose one run was published without a fault; its date is run again."""
    root = tmp_path_factory.mktemp("faults") / "warehouse"
    shutil.copytree(night_folder / "warehouse", root)
    arguments = [*nights.overrides_of(night_folder), "spark.master=local[2,4]"]
    return Faults(root, arguments, fault_rows, night.outcome.run.run_id, night.outcome.seconds)


@pytest.fixture(scope="session")
def base(night_folder: pathlib.Path, tmp_path_factory, fault_rows) -> Faults:
    """A warehouse with one published run, and what an undisturbed night of the next day makes of it, by the command
    itself. A fault happens to that day in a copy of it: what a night creates depends on its date and its parent."""
    root = tmp_path_factory.mktemp("faults") / "warehouse"
    quicker = ["similarity.track_methods=[cosine]", "recommend.blend={cosine: 0.5, als: 0.5}"]
    every = ["evaluation.every_n_nights=1", "warehouse.keep_runs=100"]
    arguments = [*nights.overrides_of(night_folder), *quicker, *every, "spark.master=local[2,4]"]
    made = Faults(root, arguments, fault_rows)
    made.undisturbed(DATE - dt.timedelta(days=1))
    due = made.copied_to(tmp_path_factory.mktemp("undisturbed"))
    due.undisturbed(DATE)
    return dataclasses.replace(due, root=root, due=due.root)
