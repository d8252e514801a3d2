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

pytestmark = pytest.mark.system  # minutes of spark-submits; to join `make test` once it is measured on a quiet machine

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
    }
    file = folder / "tiny.yaml"
    file.write_text(json.dumps(config))
    return file


@pytest.mark.slow
def test_a_night_through_airflow_publishes_one_whole_run(airflow: Airflow, tmp_path: pathlib.Path) -> None:
    config = write_inputs(tmp_path)
    airflow("airflow", "dags", "test", "musai_nightly", "2025-01-15", timeout_s=3000, MUSAI_CONFIG=str(config))

    attempts = airflow.rows("select task_id, state, try_number from task_instance")
    assert sorted(attempts) == sorted((job, "success", 1) for job in tables.order())
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
    for job, whole in airflow.rows("select task_id, duration from task_instance order by start_date"):
        print(f"{job:<26} task {whole:6.1f} s, of which the job {seconds[job]:6.1f} s")
