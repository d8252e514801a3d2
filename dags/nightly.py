"""### MusAI nightly: from listening logs to published recommendations

One task a job, in the order that follows from the tables (`musai jobs`). All tasks of a DAG run work on one MusAI
run (XCom `run_id`), of which readers see nothing before `publish` is done.

* **The day** is the last whole one before the data interval's end (or before the trigger) in `ingest.time_zone`.
* **Backfill**: `airflow backfill create --dag-id musai_nightly --from-date D --to-date E` makes what was due from
  D 00:00 to E 00:00; for the days of 1 to 3 June say D = 2 June and E = 5 June. Readers keep the latest day.
* **Again**: clear failed tasks to go on with the same MusAI run; clear the whole DAG run to begin a new one.
* **Exit 2** (config or input unusable) and **exit 3** (audit refused) are not retried; the task's log says why.
"""

import os

from airflow.sdk import DAG, Asset

from dags import settings
from dags.submit import SubmitJobs
from musai import tables

TOGETHER = [tuple(tables.order(jobs.split("+"))) for jobs in os.environ.get("MUSAI_TOGETHER", "").split(",") if jobs]
PUBLISHED = [Asset("musai_published")]

with DAG(
    "musai_nightly", schedule=settings.schedule("MUSAI_SCHEDULE", "0 3 * * *", at_once=True), catchup=False,
    max_active_runs=2, params=settings.PARAMS, default_args=settings.TASKS, doc_md=__doc__, tags=["musai"],
):  # fmt: skip
    nightly = tables.order()
    group_of = {job: (job,) for job in nightly} | {job: group for group in TOGETHER for job in group}
    tasks = {}
    for group in dict.fromkeys(group_of.values()):
        outlets = PUBLISHED if "publish" in group else []
        tasks[group] = SubmitJobs(jobs=group, outlets=outlets, **(settings.ON_GPU if "train_als" in group else {}))
    for job in nightly:
        for before in sorted({group_of[need] for need in tables.dependencies()[job]} - {group_of[job]}):
            tasks[before].set_downstream(tasks[group_of[job]])
