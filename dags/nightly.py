"""### MusAI nightly: from listening logs to published recommendations

One task a job, in the order that follows from the tables (`musai jobs`). All tasks of a DAG run work on one MusAI
run (XCom `run_id`), of which readers see nothing before `publish` is done.

* **The day** is the last whole one before the data interval's end (or before the trigger) in `ingest.time_zone`.
* **Backfill**: `airflow backfill create --dag-id musai_nightly --from-date D --to-date E` makes what was due from
  D 00:00 to E 00:00; for the days of 1 to 3 June say D = 2 June and E = 5 June. Readers keep the latest day.
* **Again**: clear failed tasks to go on with the same MusAI run; clear the whole DAG run to begin a new one.
* **Exit 2** (config or input unusable) and **exit 3** (audit refused) are not retried; the task's log says why.
"""

import datetime as dt
import os

from airflow.sdk import DAG, Asset, CronTriggerTimetable, Param

from dags import night
from dags.alerts import failed
from dags.submit import SubmitJobs
from musai import tables

CONFIG = [file for file in os.environ.get("MUSAI_CONFIG", "").split(",") if file]
TOGETHER = [tuple(tables.order(jobs.split("+"))) for jobs in os.environ.get("MUSAI_TOGETHER", "").split(",") if jobs]
ON_GPU = {"pool": os.environ.get("MUSAI_GPU_POOL", "musai_gpu")}
PUBLISHED = [Asset("musai_published")]

SCHEDULE = CronTriggerTimetable(os.environ.get("MUSAI_SCHEDULE", "0 3 * * *"), timezone=night.time_zone(CONFIG).key)
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

with DAG(
    "musai_nightly", schedule=SCHEDULE, catchup=False, max_active_runs=2, params=PARAMS, default_args=TASKS,
    doc_md=__doc__, tags=["musai"],
):  # fmt: skip
    group_of = {job: (job,) for job in tables.order()} | {job: group for group in TOGETHER for job in group}
    tasks = {}
    for group in dict.fromkeys(group_of.values()):
        outlets, pool = PUBLISHED if "publish" in group else [], ON_GPU if "train_als" in group else {}
        tasks[group] = SubmitJobs(jobs=group, outlets=outlets, **pool)
    for job, needs in tables.dependencies().items():
        for before in sorted({group_of[need] for need in needs} - {group_of[job]}):
            tasks[before].set_downstream(tasks[group_of[job]])
