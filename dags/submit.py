"""The operator of every task: spark-submit of its job, in the MusAI run that the tasks of a DAG run share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowFailException

from dags import night
from musai import tables

FINAL = (2, 3)  # unusable command, config or input; refused by the audit: trying again would end the same way


class SubmitJobs(SparkSubmitOperator):
    """Runs one job, or neighbouring ones in one Spark session, which saves starting a JVM for each."""

    def __init__(self, *, jobs: Sequence[str], **kwargs: Any) -> None:
        file = jobs[0] if len(jobs) == 1 else "nightly"
        kwargs = {"task_id": "-".join(jobs), "name": f"musai {' '.join(jobs)}", "doc_md": _about(jobs), **kwargs}
        super().__init__(application=str(night.ROOT / "jobs" / f"{file}.py"), **kwargs)
        self.jobs = tuple(jobs)
        self.told: dict[str, Any] = {}  # what an alert can say of the night

    def execute(self, context: Any) -> None:
        params, dag_run = context["params"], context["dag_run"]
        zone = night.time_zone(params["config"], params["settings"])
        day = night.run_date(params["run_date"], dag_run.data_interval_end, dag_run.run_after, zone)
        run_id = self._run_id(context) or night.run_id(
            day, dag_run.dag_id, dag_run.run_id, dag_run.clear_number, dag_run.start_date
        )
        self.told = {"run_id": run_id, "run_date": str(day)}
        context["ti"].xcom_push("run_id", run_id)
        self.application_args = ["--only", ",".join(self.jobs)] if len(self.jobs) > 1 else []
        self.application_args += [word for file in params["config"] for word in ("--config", file)]
        self.application_args += ["--run-date", str(day), "--run-id", run_id, *params["settings"]]
        try:
            super().execute(context)
        except AirflowException as error:
            process, of_pod = self._hook._submit_sp, self._hook._spark_exit_code
            self.told["exit_status"] = status = of_pod or (process.returncode if process else None)
            self.told["reason"] = "; ".join(re.findall(r"^musai: (.+)$", str(error), re.MULTILINE))
            if status in FINAL:
                raise AirflowFailException(f"exit {status}: {self.told['reason']}") from error
            raise
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = self.told

    def _run_id(self, context: Any) -> str | None:
        """What the tasks before this one used; of a first task, what another first task that stands has used.

        `clear_number` alone would not do: it also counts the clearing of a single task, whose run goes on.
        """
        ti, dag_run = context["ti"], context["dag_run"]
        others = self.upstream_task_ids or {task.task_id for task in self.dag.roots} - {self.task_id}
        found = ti.get_task_states(dag_id=dag_run.dag_id, task_ids=sorted(others), run_ids=[dag_run.run_id])
        done = [task for task, state in found.get(dag_run.run_id, {}).items() if state == "success"]
        used = {ti.xcom_pull(task_ids=task, key="run_id") for task in sorted(done)} - {None}
        if len(used) > 1:
            raise AirflowFailException(f"tasks before this one belong to {sorted(used)}: clear the whole DAG run")
        return used.pop() if used else None


def _about(jobs: Sequence[str]) -> str:
    lines = []
    for job in jobs:
        read, written = ([f"`{table.name}`" for table in found(job)] for found in (tables.reads, tables.writes))
        lines.append(f"* **{job}** reads {', '.join(read) or 'inputs'}; writes {', '.join(written) or 'pointers'}")
    return "\n".join(lines)
