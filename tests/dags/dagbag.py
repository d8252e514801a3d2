"""Run by .venv-airflow's Python: loads a DAG folder as Airflow does, once for each environment that is given as JSON
(name -> variables), and prints as JSON what it then holds and what loading it cost."""

import contextlib
import json
import os
import sys
import time

with contextlib.redirect_stdout(sys.stderr):  # Airflow logs there
    import airflow.providers.apache.spark.operators.spark_submit  # noqa: F401  (with DagBag: Airflow's own imports)
    from airflow.dag_processing.dagbag import DagBag


def loaded(folder, variables):
    os.environ.update(variables)
    for name in [name for name in sys.modules if name.split(".")[0] == "dags"]:
        del sys.modules[name]  # dags.settings reads the environment; Airflow loads a file in a process of its own
    begun = time.perf_counter()
    bag = DagBag(dag_folder=folder)
    seconds = time.perf_counter() - begun
    for name in variables:
        del os.environ[name]
    return {
        "seconds": seconds,
        "import_errors": bag.import_errors,
        "packages": sorted({name.split(".")[0] for name in sys.modules}),
        "dags": {
            dag.dag_id: {
                "doc": dag.doc_md,
                "schedule": [dag.timetable.expression, str(dag.timetable.timezone)],
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "params": {name: dag.params[name] for name in dag.params},
                "tasks": {
                    task.task_id: {
                        "upstream": sorted(task.upstream_task_ids),
                        "application": task.application,
                        "connection": task._conn_id,
                        "pool": task.pool,
                        "outlets": [outlet.name for outlet in task.outlets],
                        "retries": task.retries,
                        "backoff": task.retry_exponential_backoff,
                        "timeout_s": task.execution_timeout.total_seconds(),
                        "trigger_rule": task.trigger_rule.value,
                        "callbacks": [callback.__name__ for callback in task.on_failure_callback],
                        "doc": task.doc_md,
                    }
                    for task in dag.tasks
                },
            }
            for dag in bag.dags.values()
        },
    }


with contextlib.redirect_stdout(sys.stderr):
    answer = json.dumps({name: loaded(sys.argv[1], variables) for name, variables in json.loads(sys.argv[2]).items()})
print(answer)
