"""What the MusAI run of a DAG run is called, and which one a task joins."""

from __future__ import annotations

import datetime as dt
import json
import re
from zoneinfo import ZoneInfo

import pytest

from dags import shared_run
from musai import provenance
from tests.dags.conftest import Airflow

TWO = "the tasks before this one worked on one and other: clear the whole DAG run"
DAY, START = dt.date(2026, 11, 22), dt.datetime(2026, 11, 23, 3, 0, 1, 500_000, dt.UTC)
SCHEDULED = "scheduled__2026-11-23T03:00:00+00:00"


def test_a_run_id_is_readable_and_holds_none_of_airflows_characters() -> None:
    name = shared_run.name(DAY, "musai_nightly", SCHEDULED, 0, START)
    assert re.fullmatch(r"2026-11-22-scheduled__2026-11-23T03\.00\.00\.00\.00-0-[0-9a-f]{10}", name)
    assert provenance.check_run_id(name) == name


def test_every_task_of_a_dag_run_gets_the_same_name() -> None:
    berlin = START.astimezone(ZoneInfo("Europe/Berlin"))  # the same instant
    assert shared_run.name(DAY, "d", SCHEDULED, 0, START) == shared_run.name(DAY, "d", SCHEDULED, 0, berlin)


def test_names_differ_where_anything_differs() -> None:
    names = [
        shared_run.name(DAY, "d", SCHEDULED, 0, START),
        shared_run.name(DAY, "d", SCHEDULED, 1, START),  # cleared
        shared_run.name(DAY, "d", SCHEDULED, 0, START + dt.timedelta(microseconds=1)),  # deleted and made again
        shared_run.name(DAY, "d", SCHEDULED, 0, None),
        shared_run.name(DAY, "e", SCHEDULED, 0, START),
        shared_run.name(DAY, "d", "scheduled__2026-11-23T03.00.00.00.00", 0, START),  # the same once it is cleaned
        shared_run.name(DAY, "d", SCHEDULED + "x" * 200, 0, START),
        shared_run.name(DAY, "d", SCHEDULED + "x" * 199, 0, START),  # the same once it is shortened
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("dag_run_id", ["", "..", "../../etc", "ночь 夜", "a\0b", "x" * 250, SCHEDULED])
def test_whatever_airflow_calls_its_run_the_name_is_within_the_contract(dag_run_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", shared_run.name(DAY, "d", dag_run_id, 999_999, START))


def test_which_run_a_task_joins(airflow: Airflow) -> None:
    """Of two first tasks and one after them; what the others have used is given as task -> (state, run id)."""
    cases: list[tuple[str, dict[str, tuple[str, str | None]], str]] = [
        ("first", {}, "new"),  # the DAG run begins, or was cleared as a whole
        ("first", {"second": ("running", "old")}, "new"),  # what an attempt that is not over says does not count
        ("first", {"second": ("failed", "old")}, "new"),
        ("first", {"second": ("success", "kept")}, "kept"),  # only this one was cleared: it goes on with that run
        ("after", {"first": ("success", "kept"), "second": ("success", "kept")}, "kept"),
        ("after", {"first": ("success", None), "second": ("success", "kept")}, "kept"),  # marked as success by hand
        ("after", {"first": ("success", None), "second": ("success", None)}, "new"),
        ("after", {"first": ("success", "one"), "second": ("success", "other")}, TWO),
    ]
    asked = json.dumps([[task, others] for task, others, _ in cases])
    assert json.loads(airflow.python("joined.py", asked)) == [joined for _, _, joined in cases]
