"""Run by .venv-airflow's Python: the run that `SubmitJobs` joins, for cases of test_shared_run.py, as JSON."""

import contextlib
import datetime as dt
import json
import sys
import types

with contextlib.redirect_stdout(sys.stderr):
    from airflow.sdk import DAG

    from dags import shared_run
    from dags.submit import SubmitJobs

    with DAG("joining", schedule=None) as dag:
        first, second, after = (SubmitJobs(jobs=["publish"], task_id=name) for name in ("first", "second", "after"))
        [first, second] >> after


class TaskInstance:
    """What a task asks its task instance about the others."""

    def __init__(self, others):
        self.others = others
        self.said = {}

    def get_task_states(self, dag_id, task_ids, run_ids):
        return {run_ids[0]: {task: self.others[task][0] for task in task_ids if task in self.others}}

    def xcom_push(self, key, value):
        self.said = {key: value}

    def xcom_pull(self, task_ids, key):
        return self.others[task_ids][1] if key == "run_id" else None


answers = []
end = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
facts = {"dag_id": "joining", "run_id": "manual__1", "clear_number": 1, "start_date": end}
dag_run = types.SimpleNamespace(**facts, data_interval_end=end, run_after=end)
new = shared_run.name(dt.date(2026, 11, 22), *facts.values())
for task, others in json.loads(sys.argv[1]):
    ti, params = TaskInstance(others), {"run_date": None, "config": ["a.yaml", "b.yaml"], "settings": ["seed=7"]}
    try:
        words = dag.get_task(task)._arguments({"ti": ti, "dag_run": dag_run, "params": params})
    except ValueError as error:
        answers.append(str(error))
        continue
    run_id = ti.said["run_id"]
    assert " ".join(words) == f"--config a.yaml --config b.yaml --run-date 2026-11-22 --run-id {run_id} seed=7", words
    answers.append("new" if run_id == new else run_id)
print(json.dumps(answers))
