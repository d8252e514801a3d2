"""What all DAGs have in common, and what the environment changes of it."""

import datetime as dt
import os

from airflow.sdk import CronTriggerTimetable, Param

from dags import night
from dags.alerts import failed

CONFIG = [file for file in os.environ.get("MUSAI_CONFIG", "").split(",") if file]
ON_GPU = {"pool": os.environ.get("MUSAI_GPU_POOL", "musai_gpu")}
SETTING = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_.]*="}
PARAMS = {
    "run_date": Param(None, type=["null", "string"], format="date", description="another day than the usual one"),
    "config": Param(CONFIG, type="array", items={"type": "string"}, description="config files; later ones win"),
    "settings": Param([], type="array", items=SETTING, description="KEY=VALUE; over all config files"),
}
TASKS = {
    "retries": 3,
    "retry_delay": dt.timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": dt.timedelta(minutes=30),
    "execution_timeout": dt.timedelta(hours=float(os.environ.get("MUSAI_TIMEOUT_HOURS", "6"))),
    "on_failure_callback": failed,
}


def schedule(variable: str, usual: str, at_once: bool = False) -> CronTriggerTimetable:
    """The cron line of an environment variable, in `ingest.time_zone`. `at_once`: a new DAG begins with the run that
    was due last, instead of waiting for the next."""
    zone = night.time_zone(CONFIG).key
    return CronTriggerTimetable(os.environ.get(variable, usual), timezone=zone, run_immediately=at_once)
