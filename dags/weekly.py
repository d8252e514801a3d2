"""### MusAI weekly: what the nights use and need not train every time

One task a weekly job (`musai jobs`). Each learns from the published night, and its tables join those that are
published as soon as it is done; the nights after it use them. What was published before stays where a job fails.

* **Again**: clear the failed task; a job that keeps its progress goes on where it was.
* **Exit 2** (config or input unusable) and **exit 3** (refused: no better than what there is) are not retried.
"""

from airflow.sdk import DAG

from dags import settings
from dags.submit import SubmitJobs
from musai import tables

if tables.weekly():
    with DAG(
        "musai_weekly", schedule=settings.schedule("MUSAI_WEEKLY", "0 12 * * 0"), catchup=False, max_active_runs=1,
        params=settings.PARAMS, default_args=settings.TASKS, doc_md=__doc__, tags=["musai"],
    ):  # fmt: skip
        tasks = {job: SubmitJobs(jobs=(job,), **settings.ON_GPU) for job in tables.weekly()}
        for job, task in tasks.items():
            for before in sorted(tables.dependencies()[job]):
                tasks[before].set_downstream(task)
