"""The operator of every task: spark-submit of its job, in the MusAI run that the tasks of a DAG run share."""

import re
from collections.abc import Sequence
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowFailException

from dags import night, shared_run
from musai import tables

FINAL = (2, 3)  # unusable command, config or input; refused by the audit: trying again would end the same way


class SubmitJobs(SparkSubmitOperator):
    """Runs one job, or neighbouring ones in one Spark session, which saves starting a JVM for each."""

    def __init__(self, *, jobs: Sequence[str], **kwargs: Any) -> None:
        file = jobs[0] if len(jobs) == 1 else "nightly"
        named = {"task_id": "-".join(jobs), "name": f"musai {' '.join(jobs)}", "doc_md": "\n".join(map(_about, jobs))}
        super().__init__(application=str(night.ROOT / f"jobs/{file}.py"), **{**named, **kwargs})
        self.jobs = tuple(jobs)
        self.told: dict[str, Any] = {}  # what an alert can say of the night

    def execute(self, context: Any) -> None:
        try:
            self.application_args = self._arguments(context)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
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

    def _arguments(self, context: Any) -> list[str]:
        """Those of `musai`. The run is said in an XCom at once: whoever comes later joins it."""
        params, dag_run, ti = context["params"], context["dag_run"], context["ti"]
        zone = night.time_zone(params["config"], params["settings"])
        day = night.run_date(params["run_date"], dag_run.data_interval_end, dag_run.run_after, zone)
        others = self.upstream_task_ids or {task.task_id for task in self.dag.roots} - {self.task_id}
        run_id = shared_run.joined(ti, dag_run, others, day)
        if tables.is_weekly(self.jobs[0]):  # each is published by itself, as soon as it is done
            run_id = shared_run.name(day, self.task_id, dag_run.run_id, dag_run.clear_number, dag_run.start_date)
        ti.xcom_push(shared_run.KEY, run_id)
        self.told = {"run_id": run_id, "run_date": str(day)}
        words = ["--only", ",".join(self.jobs)] if len(self.jobs) > 1 else []
        words += [word for file in params["config"] for word in ("--config", file)]
        return [*words, "--run-date", str(day), "--run-id", run_id, *params["settings"]]


def _about(job: str) -> str:
    read, written = ([f"`{table.name}`" for table in found(job)] for found in (tables.reads, tables.writes))
    return f"* **{job}** reads {', '.join(read) or 'inputs'}; writes {', '.join(written) or 'pointers'}"
