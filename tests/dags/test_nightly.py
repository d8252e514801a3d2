"""The nightly DAG as Airflow loads it: what it is made of, and what loading it costs."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from musai import tables
from tests.dags.conftest import ROOT, Airflow

HEAVY = {"implicit", "numpy", "pandas", "py4j", "pyarrow", "pyspark", "scipy", "torch"}


LAST = tables.order()[-2:]
ENVIRONMENTS = {
    "plain": {},
    "changed": {
        "MUSAI_CONFIG": "conf/demo.yaml,berlin.yaml", "MUSAI_SCHEDULE": "15 4 * * *", "MUSAI_GPU_POOL": "cards",
        "MUSAI_TIMEOUT_HOURS": "0.5",
    },
    "together": {"MUSAI_TOGETHER": f"ingest_interactions+build_user_item,{LAST[1]}+{LAST[0]}"},
    "apart": {"MUSAI_TOGETHER": "ingest_interactions+publish"},
    "misspelt": {"MUSAI_TOGETHER": "audit_run+pubish"},
}  # fmt: skip


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The DAG folder as Airflow loads it in each of the environments."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "berlin.yaml").write_text("ingest: {time_zone: Europe/Berlin}")
    asked = json.dumps(ENVIRONMENTS).replace("berlin.yaml", str(home / "berlin.yaml"))
    found: dict[str, Any] = json.loads(Airflow(home).python("dagbag.py", str(ROOT / "dags"), asked))
    return found


@pytest.fixture(scope="module")
def bag(bags: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = bags["plain"]
    return plain


@pytest.fixture(scope="module")
def nightly(bag: dict[str, Any]) -> dict[str, Any]:
    dag: dict[str, Any] = bag["dags"]["musai_nightly"]
    return dag


def test_the_folder_loads_without_errors_and_holds_the_dags(bag: dict[str, Any]) -> None:
    assert bag["import_errors"] == {}
    assert sorted(bag["dags"]) == ["musai_nightly", *(["musai_weekly"] if tables.weekly() else [])]


def test_the_weekly_dag_is_one_task_a_weekly_job(bag: dict[str, Any]) -> None:
    weekly = bag["dags"].get("musai_weekly", {"tasks": {}})["tasks"]
    assert {job: set(task["upstream"]) for job, task in weekly.items()} == {
        job: tables.dependencies()[job] for job in tables.weekly()
    }
    assert {task["pool"] for task in weekly.values()} <= {"musai_gpu"}


def test_loading_takes_under_a_second_and_imports_nothing_heavy(bag: dict[str, Any]) -> None:
    assert bag["seconds"] < 1
    assert HEAVY & set(bag["packages"]) == set()
    assert {"musai", "dags", "yaml"} <= set(bag["packages"])


def test_there_is_one_task_a_job_and_one_edge_a_dependency(nightly: dict[str, Any]) -> None:
    upstream = {job: set(task["upstream"]) for job, task in nightly["tasks"].items()}
    assert upstream == {job: tables.dependencies()[job] for job in tables.order()}


def test_each_task_submits_the_file_of_its_job(nightly: dict[str, Any]) -> None:
    for job, task in nightly["tasks"].items():
        assert pathlib.Path(task["application"]) == ROOT / "jobs" / f"{job}.py"
        assert pathlib.Path(task["application"]).is_file()
        assert task["connection"] == "spark_default"


def test_two_dates_may_run_at_once_and_missed_ones_are_not_made_up_for(nightly: dict[str, Any]) -> None:
    assert (nightly["max_active_runs"], nightly["catchup"]) == (2, False)


def test_every_task_is_retried_later_and_later_ends_in_time_and_says_when_it_failed(nightly: dict[str, Any]) -> None:
    for task in nightly["tasks"].values():
        assert (task["retries"], task["backoff"], task["timeout_s"]) == (3, 2.0, 6 * 3600)
        assert task["trigger_rule"] == "all_success"
        assert task["callbacks"] == ["failed"]


def test_the_gpu_job_alone_waits_for_the_pool(nightly: dict[str, Any]) -> None:
    in_pool = [job for job, task in nightly["tasks"].items() if task["pool"] == "musai_gpu"]
    assert in_pool == ["train_als"]


def test_publishing_alone_makes_the_asset(nightly: dict[str, Any]) -> None:
    outlets = {job: task["outlets"] for job, task in nightly["tasks"].items() if task["outlets"]}
    assert outlets == {"publish": ["musai_published"]}


def test_the_pages_say_what_is_run(nightly: dict[str, Any]) -> None:
    assert "airflow backfill create --dag-id musai_nightly" in nightly["doc"]
    assert nightly["tasks"]["train_als"]["doc"].startswith("* **train_als** reads `users`, `items`")


def test_a_run_can_be_given_a_day_files_and_settings(nightly: dict[str, Any]) -> None:
    assert nightly["params"] == {"run_date": None, "config": ["conf/demo.yaml"], "settings": []}  # conf/airflow.env


def test_the_environment_changes_schedule_zone_pool_time_and_files(bags: dict[str, Any]) -> None:
    dag = bags["changed"]["dags"]["musai_nightly"]
    assert dag["schedule"] == ["15 4 * * *", "Europe/Berlin"]
    assert [pathlib.Path(file).name for file in dag["params"]["config"]] == ["demo.yaml", "berlin.yaml"]
    assert dag["tasks"]["train_als"]["pool"] == "cards"
    assert dag["tasks"]["publish"]["timeout_s"] == 1800


def test_neighbouring_jobs_can_share_a_task(bags: dict[str, Any]) -> None:
    tasks = bags["together"]["dags"]["musai_nightly"]["tasks"]
    first, last = "ingest_interactions-build_user_item", "-".join(LAST)
    alone = set(tables.order()) - {"ingest_interactions", "build_user_item", *LAST}
    assert set(tasks) == alone | {first, last}
    assert tasks[first]["upstream"] == []
    assert tasks["compute_similarities"]["upstream"] == [first]
    assert set(tasks[last]["upstream"]) >= {"recommend_tracks", "evaluate_recommendations"} - set(LAST)
    assert pathlib.Path(tasks[last]["application"]) == ROOT / "jobs/nightly.py"
    assert tasks[last]["outlets"] == ["musai_published"]


def test_jobs_that_are_no_neighbours_cannot_share_a_task(bags: dict[str, Any]) -> None:
    assert "musai_nightly" not in bags["apart"]["dags"]
    assert "Cycle detected" in " ".join(bags["apart"]["import_errors"].values())


def test_a_name_that_is_no_job_is_an_import_error(bags: dict[str, Any]) -> None:
    assert "no job pubish" in " ".join(bags["misspelt"]["import_errors"].values())
