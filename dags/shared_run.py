"""The MusAI run that the tasks of one DAG run work on: what it is called, and how they agree on it."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable
from typing import Any

KEY = "run_id"  # of the XCom in which each task says what run it has worked on


def name(day: dt.date, dag_id: str, dag_run_id: str, cleared: int, started: dt.datetime | None) -> str:
    """A run id within [A-Za-z0-9._-]{1,80} for one DAG run and one clearing of it.

    The digest keeps apart what shortening makes alike, and `started` a DAG run that was deleted and made again.
    """
    exact = "\0".join([dag_id, dag_run_id, str(cleared), started.astimezone(dt.UTC).isoformat() if started else ""])
    readable = re.sub(r"[^A-Za-z0-9._-]+", ".", dag_run_id)[:50]
    return f"{day}-{readable}-{cleared}-{hashlib.sha256(exact.encode()).hexdigest()[:10]}"


def joined(ti: Any, dag_run: Any, tasks: Iterable[str], day: dt.date) -> str:
    """The run that those of `tasks` have worked on whose success stands; without any, a new one.

    A task goes on with the run of the tasks before it, and a first task with that of another first task which was not
    cleared with it. `clear_number` alone would not do: it also counts the clearing of a single task.
    """
    states = ti.get_task_states(dag_id=dag_run.dag_id, task_ids=sorted(tasks), run_ids=[dag_run.run_id])
    done = [task for task, state in states.get(dag_run.run_id, {}).items() if state == "success"]
    runs = {ti.xcom_pull(task_ids=task, key=KEY) for task in sorted(done)} - {None}
    if len(runs) > 1:
        raise ValueError(f"the tasks before this one worked on {' and '.join(sorted(runs))}: clear the whole DAG run")
    new = name(day, dag_run.dag_id, dag_run.run_id, dag_run.clear_number, dag_run.start_date)
    return runs.pop() if runs else new
