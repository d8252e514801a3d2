"""A DAG of tests/dags/test_submit.py: one task for each exit status, all with one retry."""

import datetime as dt
import pathlib

from airflow.sdk import DAG, Asset, Param

from dags.alerts import failed
from dags.submit import SubmitJobs

PARAMS = {"run_date": Param(None, type=["null", "string"]), "config": Param([]), "settings": Param(["seed=7"])}

with DAG("exits", schedule=None, params=PARAMS):
    for status in (0, 1, 2, 3):
        task = SubmitJobs(
            jobs=["publish"], task_id=f"exit_{status}", env_vars={"EXIT_WITH": str(status)}, retries=1,
            retry_delay=dt.timedelta(seconds=1), on_failure_callback=failed, outlets=[Asset("exits")],
        )  # fmt: skip
        task.application = str(pathlib.Path(__file__).with_name("application.py"))
