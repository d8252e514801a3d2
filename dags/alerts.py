"""What is said when a task has failed for good: one JSON line in its log, and a call of whoever wants to know."""

from __future__ import annotations

import importlib
import json
import logging
import os
from typing import Any

log = logging.getLogger(__name__)


def failed(context: Any) -> None:
    """`on_failure_callback`; MUSAI_ALERT=package.module:function is called with the same mapping that is logged.

    `event` is `refused` where the audit kept a run from being published (`reason` says which check), else `failed`.
    """
    ti, told = context["ti"], getattr(context.get("task"), "told", {})
    alert = {
        "event": "refused" if told.get("exit_status") == 3 else "failed",
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
        "dag_run_id": ti.run_id,
        "try_number": ti.try_number,
        **told,
    }
    alert["reason"] = told.get("reason") or str(context.get("exception") or "the task was killed or lost")[:2000]
    log.error("musai alert: %s", json.dumps(alert, ensure_ascii=False))
    module, _, function = os.environ.get("MUSAI_ALERT", "").partition(":")
    if module:
        getattr(importlib.import_module(module), function)(alert)
