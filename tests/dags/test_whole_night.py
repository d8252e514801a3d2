"""`airflow dags test` of the whole nightly DAG: real spark-submits, from two files to published tables."""

from __future__ import annotations

import itertools
import json
import pathlib
from typing import Any

import pyarrow.dataset as ds
import pytest

from musai import tables
from tests.dags.conftest import Airflow

USERS, TRACKS, HEARD = 60, 40, 12


def write_inputs(folder: pathlib.Path) -> pathlib.Path:
    """A log and a catalogue of a few hundred rows, and the config that names them."""
    days = itertools.cycle(range(1, 29))
    events = [
        (user, (user * 5 + step * step) % TRACKS, step + 1, next(days))
        for user in range(USERS)
        for step in range(HEARD)
    ]
    log = [f"u{user:02d},t{track:02d},{plays},2024-12-{day:02d}T12:00:00Z" for user, track, plays, day in events]
    log.insert(0, "user_id,track_id,plays,timestamp")
    (folder / "log.csv").write_text("\n".join(log))
    catalogue = ["track_id,title,artist", *(f"t{n:02d},Track {n},Artist {n % 7}" for n in range(TRACKS))]
    (folder / "tracks.csv").write_text("\n".join(catalogue))
    config = {
        "warehouse": str(folder / "warehouse"),
        "inputs": {"interactions": str(folder / "log.csv"), "tracks": str(folder / "tracks.csv")},
        "recommend.top_n": 5,
        "evaluation": {"ks": [5], "resamples": 20},
        "factorization": {"factors": 8, "iterations": 3},
        "generation": {"tracks": 4},
    }
    file = folder / "tiny.yaml"
    file.write_text(json.dumps(config))
    return file


def groups() -> list[tuple[str, ...]]:
    """Reading the inputs, all that is learnt and made, and what ends the night: four spark-submits."""
    order = tables.order()
    last = tuple(order[order.index("audit_run") :])
    inputs = [(job,) for job in order if job.startswith("ingest_")]
    return [*inputs, tuple(job for job in order if (job,) not in inputs and job not in last), last]


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked", [pytest.param(groups(), id="neighbours-together"),
              pytest.param([(job,) for job in tables.order()], id="a-task-a-job", marks=pytest.mark.system)],
)  # fmt: skip
def test_a_night_through_airflow_publishes_one_whole_run(
    airflow: Airflow, tmp_path: pathlib.Path, asked: list[tuple[str, ...]]
) -> None:
    config = write_inputs(tmp_path)
    together = ",".join("+".join(group) for group in asked if len(group) > 1)
    airflow(
        "airflow", "dags", "test", "musai_nightly", "2025-01-15", timeout_s=3000, MUSAI_CONFIG=str(config),
        MUSAI_TOGETHER=together,
    )  # fmt: skip

    attempts = airflow.rows("select task_id, state, try_number from task_instance")
    assert sorted(attempts) == sorted(("-".join(group), "success", 1) for group in asked)
    handed = {json.loads(value) for (value,) in airflow.rows("select value from xcom where key = 'run_id'")}
    assert len(handed) == 1
    run_id = handed.pop()

    warehouse = tmp_path / "warehouse"
    pointer = json.loads((warehouse / "_published.json").read_text())
    assert (pointer["run_id"], pointer["run_date"]) == (run_id, "2025-01-14")
    [(extra,)] = airflow.rows("select extra from asset_event")
    assert json.loads(extra) == {"run_id": run_id, "run_date": "2025-01-14"}

    def read(table: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = ds.dataset(warehouse / pointer["tables"][table]["path"]).to_table().to_pydict()
        return found

    assert sum(read("interactions")["events"]) == USERS * HEARD
    assert read("recommendations")["list"].count("for_you") == USERS * 5
    log = read("job_log")
    assert sorted(zip(log["job"], log["attempt"], log["status"], strict=True)) == sorted(
        (job, 1, "done") for job in tables.order()
    )
    seconds = dict(zip(log["job"], log["seconds"], strict=True))
    for task, whole in airflow.rows("select task_id, duration from task_instance order by start_date"):
        inside = sum(seconds[job] for job in task.split("-"))
        print(f"{whole:6.1f} s, of which {inside:6.1f} s in the jobs: {task}")
