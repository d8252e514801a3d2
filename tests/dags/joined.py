"""Run by .venv-airflow's Python: the run that `SubmitJobs` joins, for cases of test_submit.py, as JSON."""

import contextlib
import json
import sys
import types

with contextlib.redirect_stdout(sys.stderr):
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import AirflowFailException

    from dags.submit import SubmitJobs

    with DAG("joining", schedule=None) as dag:
        first, second, after = (SubmitJobs(jobs=["publish"], task_id=name) for name in ("first", "second", "after"))
        [first, second] >> after


class TaskInstance:
    """What a task asks its task instance about the others."""

    def __init__(self, others):
        self.others = others

    def get_task_states(self, dag_id, task_ids, run_ids):
        return {run_ids[0]: {task: self.others[task][0] for task in task_ids if task in self.others}}

    def xcom_pull(self, task_ids, key):
        return self.others[task_ids][1] if key == "run_id" else None


answers = []
for task, others in json.loads(sys.argv[1]):
    context = {"ti": TaskInstance(others), "dag_run": types.SimpleNamespace(dag_id="joining", run_id="manual__1")}
    try:
        answers.append(dag.get_task(task)._run_id(context))
    except AirflowFailException as error:
        answers.append(type(error).__name__)
print(json.dumps(answers))
