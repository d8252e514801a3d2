"""How long the jobs of a night usually take."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musai.warehouse.publishing import Warehouse
    from musai.warehouse.runs import Run


def usual_seconds(warehouse: Warehouse, run: Run) -> dict[str, float]:
    """job -> what it took in the run that is published of this date, or else of the one before; none without one."""
    import pyarrow.parquet as pq

    pointer = warehouse.pointer(run.record.date) or warehouse.parent(run.record.date)
    folder = f"job_log/run_id={pointer['run_id']}" if pointer else ""
    found: dict[str, float] = {}
    for name in warehouse.storage.names(folder) if pointer else ():
        if name.startswith("part-") and (content := warehouse.storage.read(f"{folder}/{name}")):
            for row in pq.read_table(io.BytesIO(content), columns=["job", "seconds"]).to_pylist():
                found[row["job"]] = max(row["seconds"], found.get(row["job"], 0.0))
    return found
