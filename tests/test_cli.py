"""The command line: what cannot be used is said at once, a line a fault, before anything runs."""

from __future__ import annotations

import logging
import os
import pathlib

import pytest
from py4j import java_gateway
from rich.console import Console
from rich.table import Table as Grid

from musai import cli, show
from musai.progress import Screen


@pytest.fixture
def said(capsys, tmp_path: pathlib.Path):
    """Run `musai` on a log of one row; gives the exit status and the lines of standard error."""
    log = tmp_path / "log.csv"
    log.write_text("user_id,track_id\nu,t\n")

    def run(*words: str) -> tuple[int, list[str]]:
        status = cli.main([*words, f"inputs.interactions={log}", f"warehouse={tmp_path / 'warehouse'}"])
        return status, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize("command", ["check", "nightly"])
def test_every_fault_of_the_options_and_the_configuration_is_a_line(said, command: str) -> None:
    status, lines = said(command, "--run-date", "2026-02-30", "--run-id", "a b", "seed=x", "nosuch=1")
    assert status == 2
    assert [line.split(": ")[1] for line in lines] == ["--run-date 2026-02-30", "--run-id 'a b'", "seed", "nosuch"]


@pytest.mark.parametrize("fault", ["seed=x", "--run-date=2026-02-30"])
def test_faults_of_the_inputs_stand_beside_the_others(said, tmp_path: pathlib.Path, fault: str) -> None:
    status, lines = said("check", fault, f"inputs.tracks={tmp_path}/nosuch.csv", "ingest.formats.interactions.x=1")
    assert (status, len(lines)) == (2, 2), "what tells how inputs are read is at fault: they cannot be looked at"
    status, lines = said("check", fault, f"inputs.tracks={tmp_path}/nosuch.csv")
    assert status == 2
    assert len(lines) == 2
    assert "inputs.tracks" in lines[1]
    assert "nosuch.csv" in lines[1]


@pytest.mark.parametrize("day", ["2026-W01-1", "20260101", "2026-1-1", "today", ""])
def test_a_day_is_written_in_one_way(said, day: str) -> None:
    assert said("check", "--run-date", day) == (2, [f"musai: --run-date {day}: YYYY-MM-DD is due"])


@pytest.mark.parametrize("option", ["--only", "--from", "--run-id"])
def test_an_empty_option_is_a_fault_and_no_whole_night(said, option: str) -> None:
    """As a shell makes it of a variable that is not set."""
    status, lines = said("nightly", f"{option}=")
    assert status == 2
    assert len(lines) == 1


def test_from_takes_a_job_of_the_night_and_no_only_beside_it(said) -> None:
    assert said("nightly", "--from", "train_als", "--only", "publish") == (
        2, ["musai: --from and --only: one of them at a time"],
    )  # fmt: skip
    assert said("nightly", "--from", "tune_recommender") == (
        2, ["musai: tune_recommender: weekly, not to be run with jobs of the night"],
    )  # fmt: skip


def test_an_id_comes_out_of_a_pipe_in_one_line_and_is_whole_on_a_narrow_screen(capsys) -> None:
    name = "0123456789" * 20
    grid = Grid("", show._whole("track"), box=None)
    grid.add_row("1", name)
    cli._output().print(grid)
    assert name in capsys.readouterr().out
    Console(width=60).print(grid)
    assert name in "".join(capsys.readouterr().out.split()[2:])


def test_a_reader_who_leaves_ends_nothing() -> None:
    """As in `musai nightly | head -1`: rich by itself would end the process with status 1."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        screen = Screen(file=gone)
        for _ in range(3):
            screen.print("a line\n" * 5_000)  # more than the buffers hold


def test_numbers_of_tracks_begin_at_one(capsys) -> None:
    for count in ("0", "-1", "many"):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["generate", "--style", "folk", "--emotion", "happy", f"--count={count}", "nowhere"])
    assert "a number from 1 is due, not 'many'" in capsys.readouterr().err


def test_a_piece_that_is_not_there_cannot_be_used(capsys, tmp_path: pathlib.Path) -> None:
    assert cli.main(["transfer", f"{tmp_path}/no.mid", "--to", "folk", f"{tmp_path}/out.mid"]) == 2
    assert capsys.readouterr().err == f"musai: {tmp_path}/no.mid: No such file or directory\n"


def test_an_interrupt_prints_no_traceback_of_py4j() -> None:
    files = (java_gateway.__file__, cli.__file__)
    assert [cli._worth_a_line(logging.makeLogRecord({"name": "root", "pathname": file})) for file in files] == [
        False, True,
    ]  # fmt: skip
