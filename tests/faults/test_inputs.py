"""Inputs that change under the night, or come with other columns."""

from __future__ import annotations

import csv
import pathlib
import shutil

import pytest

from tests.faults.conftest import DATE
from tests.faults.harness import Faults
from tests.faults.reader import Reader

pytestmark = pytest.mark.system


@pytest.fixture
def logs(night_folder: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The night's own listening log, to be spoilt."""
    return pathlib.Path(shutil.copytree(night_folder / "logs", tmp_path / "logs"))


@pytest.fixture
def faults(base: Faults, logs: pathlib.Path, tmp_path: pathlib.Path) -> Faults:
    return base.copied_to(tmp_path, f"inputs.interactions={logs}")


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_file_replaced_while_it_is_read(faults: Faults, logs: pathlib.Path, share: float) -> None:
    file, kept = logs / "log0.csv", logs / ".kept"
    shutil.copy2(file, kept)
    with Reader(faults.root) as reader:
        night = faults.night("--run-date", str(DATE))
        assert night.reach("ingest_interactions", share * faults.seconds["ingest_interactions"])
        (logs / ".new").write_text(file.read_text()[: -len(file.read_text()) // 3])
        (logs / ".new").replace(file)
        assert night.finish() == 1
        assert "an input changed while it was read: interactions/log0.csv has changed" in night.said
        kept.replace(file)
        again = faults.night("--run-date", str(DATE), "--from", "ingest_interactions")
        faults.recovered("input replaced", again, reader, "--from ingest_interactions")


def rewritten(file: pathlib.Path, header: list[str], row) -> None:
    with file.open(newline="") as old:
        rows = list(csv.DictReader(old))
    with file.open("w", newline="") as new:
        csv.writer(new).writerows([header, *(row(one) for one in rows)])


def test_a_column_more(faults: Faults, logs: pathlib.Path) -> None:
    for file in logs.glob("*.csv"):
        rewritten(file, ["more", "user_id", "track_id", "plays", "timestamp"], lambda one: ["x", *one.values()])
    with Reader(faults.root) as reader:
        night = faults.night("--run-date", str(DATE))
        faults.recovered("column gained", night, reader, "not a fault", but=["rejected_rows"])  # which show the row


@pytest.mark.parametrize(
    ("fault", "header", "row", "due"),
    [
        ("column lost", ["user_id", "plays"], lambda one: [one["user_id"], one["plays"]], "no column 'track_id'"),
        ("column retyped", ["user_id", "track_id", "plays"],
         lambda one: [one["user_id"], one["track_id"], "often"], "plays is not a number"),
    ],
)  # fmt: skip
def test_a_column_lost_or_retyped(faults: Faults, logs: pathlib.Path, fault, header, row, due) -> None:
    kept = shutil.copytree(logs, logs.parent / "kept")
    for file in logs.glob("*.csv"):
        rewritten(file, header, row)
    with Reader(faults.root) as reader:
        night = faults.night("--run-date", str(DATE))
        assert night.finish() == 2
        assert due in "\n".join(night.lines)
        shutil.copytree(kept, logs, dirs_exist_ok=True)
        faults.recovered(fault, faults.night("--run-date", str(DATE)), reader, "a new run")
