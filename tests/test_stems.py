"""One stem, everywhere: a job has the same name in the tables, musai/steps, jobs and tests/steps."""

from __future__ import annotations

import pathlib

from musai import tables

ROOT = pathlib.Path(__file__).parents[1]
WHOLE_NIGHT = "nightly"  # the one entry that is no job: all of them, or some neighbours, in one Spark application


def stems(folder: str, prefix: str = "") -> set[str]:
    found = {path.stem for path in (ROOT / folder).glob(f"{prefix}*.py")}
    return {stem.removeprefix(prefix) for stem in found} - {"__init__", "conftest"}


def test_every_job_has_its_step_its_entry_and_its_test():
    jobs = {*tables.order(), *tables.weekly()}
    assert stems("musai/steps") == jobs
    assert stems("jobs") == jobs | {WHOLE_NIGHT}
    assert stems("tests/steps", "test_") == jobs


def test_an_entry_is_a_few_lines_and_calls_its_own_job():
    every = (*tables.order(), *tables.weekly())
    calls = {job: f'main(["run", "{job}"' for job in every} | {WHOLE_NIGHT: f'main(["{WHOLE_NIGHT}"'}
    for entry, call in calls.items():
        text = (ROOT / "jobs" / f"{entry}.py").read_text(encoding="utf-8")
        assert call in text
        assert len(text.splitlines()) <= 10


def test_steps_stay_short():
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "musai/steps").glob("[a-z]*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 130} == {}
