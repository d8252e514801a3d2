"""The operator against real spark-submits of a tiny application: what is retried and what is said."""

from __future__ import annotations

import collections
import json
import pathlib

import pytest

from tests.dags.conftest import ROOT, Airflow

EXITS = ROOT / "tests/dags/exits"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, migrated: pathlib.Path) -> Airflow:
    """A DAG whose tasks end with 0, 1, 2 and 3, each with one retry, has run."""
    home = tmp_path_factory.mktemp("exits")
    (home / "airflow.db").write_bytes((migrated / "airflow.db").read_bytes())
    airflow = Airflow(home)
    airflow(
        "airflow", "dags", "test", "exits", "2026-11-22", status=1, AIRFLOW__CORE__DAGS_FOLDER=str(EXITS),
        LAUNCHES=str(home / "launches"), ALERTS=str(home / "alerts"), MUSAI_ALERT="tests.dags.exits.collect:write",
    )  # fmt: skip
    return airflow


def launches(airflow: Airflow) -> list[list[str]]:
    return [line.split() for line in (airflow.home / "launches").read_text().splitlines()]


@pytest.mark.slow
def test_exit_1_is_retried_and_exits_2_and_3_are_not(ended: Airflow) -> None:
    assert collections.Counter(status for status, *_ in launches(ended)) == {"0": 1, "1": 2, "2": 1, "3": 1}
    states = ended.rows("select task_id, state from task_instance order by 1")
    assert states == [("exit_0", "success"), ("exit_1", "failed"), ("exit_2", "failed"), ("exit_3", "failed")]


@pytest.mark.slow
def test_every_task_hands_over_the_same_run_the_day_and_the_settings(ended: Airflow) -> None:
    handed = {tuple(words) for _, *words in launches(ended)}
    assert len(handed) == 1
    words = handed.pop()
    assert words[:3] == ("--run-date", "2026-11-21", "--run-id")
    assert words[3].startswith("2026-11-21-manual__")
    assert words[4:] == ("seed=7",)


@pytest.mark.slow
def test_a_failure_for_good_is_told_once_with_the_run_and_the_reason(ended: Airflow) -> None:
    run_id = launches(ended)[0][4]
    alerts = {alert["task_id"]: alert for alert in map(json.loads, (ended.home / "alerts").read_text().splitlines())}
    assert len((ended.home / "alerts").read_text().splitlines()) == 3
    told = {task: (alert["event"], alert["exit_status"], alert["try_number"]) for task, alert in alerts.items()}
    assert told == {"exit_1": ("failed", 1, 2), "exit_2": ("failed", 2, 1), "exit_3": ("refused", 3, 1)}
    for alert in alerts.values():
        assert (alert["dag_id"], alert["run_id"], alert["run_date"]) == ("exits", run_id, "2026-11-21")
        assert alert["reason"] == "inputs.tracks: not there"


@pytest.mark.slow
def test_the_asset_is_made_by_success_alone_and_names_the_run(ended: Airflow) -> None:
    [(task, extra)] = ended.rows("select source_task_id, extra from asset_event")
    assert task == "exit_0"
    assert json.loads(extra) == {"run_id": launches(ended)[0][4], "run_date": "2026-11-21"}
