"""OpenLineage events (https://openlineage.io): which job of which run read and wrote what, for those who collect them.

Nothing is sent unless `lineage.url` says where to. A collector that is down costs the night a warning, never its end.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import uuid
from typing import TYPE_CHECKING, Any

import musai
from musai import tables
from musai.config import Config
from musai.errors import InputError
from musai.warehouse import Run

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

log = logging.getLogger(__name__)

PRODUCER = f"musai/{musai.__version__}"
INPUTS = {"ingest_interactions": ("interactions", "aliases"), "ingest_tracks": ("tracks",)}
UUIDS = uuid.UUID("5f0c6c1e-9d0b-5d62-8f2c-6d7573616900")  # the name space of our run ids: OpenLineage wants UUIDs


class Events:
    """Sends START, then COMPLETE or FAIL, for each job of a run."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.client = _client(config.lineage.url) if config.lineage.url else None

    def started(self, run: Run, job: str, attempt: int) -> None:
        self._emit("START", run, job, attempt)

    def ended(self, run: Run, job: str, attempt: int, error: str | None = None) -> None:
        self._emit("FAIL" if error else "COMPLETE", run, job, attempt, error)

    def _emit(self, state: str, run: Run, job: str, attempt: int, error: str | None = None) -> None:
        if self.client is None:
            return
        from openlineage.client import event_v2
        from openlineage.client.facet_v2 import error_message_run, parent_run

        space = self.config.lineage.namespace
        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(str(uuid.uuid5(UUIDS, run.run_id))), job=parent_run.Job(space, "musai")
        )
        facets: dict[str, Any] = {"parent": parent}
        if error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "python")
        event = event_v2.RunEvent(
            eventType=event_v2.RunState[state],
            eventTime=dt.datetime.now(dt.UTC).isoformat(),
            run=event_v2.Run(str(uuid.uuid5(UUIDS, f"{run.run_id}/{job}/{attempt}")), facets),
            job=event_v2.Job(space, f"musai.{job}"),
            producer=PRODUCER,
            inputs=self._inputs(run, job),
            outputs=_outputs(run, job) if state == "COMPLETE" else [],
        )
        try:
            self.client.emit(event)
        except Exception as failure:  # noqa: BLE001 - whatever a transport raises: lineage must not stop a night
            log.warning("lineage.url: %s of %s was not sent: %s", state, job, failure)

    def _inputs(self, run: Run, job: str) -> list[Any]:
        from openlineage.client import event_v2

        paths = [getattr(self.config.inputs, name) for name in INPUTS.get(job, ())]
        files = [event_v2.InputDataset("file", path) for path in paths if path is not None]
        return files + [
            event_v2.InputDataset(run.storage.root, table.name) for table in tables.reads(job) if run.has(table.name)
        ]


def _outputs(run: Run, job: str) -> list[Any]:
    from openlineage.client import event_v2
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    found = []
    for table in tables.writes(job):
        manifest = run.manifest(table.name, job)
        if manifest is None:
            continue
        fields = [schema_dataset.SchemaDatasetFacetFields(c.name, c.type, c.comment) for c in table.columns]
        rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=manifest["rows"])
        schema = schema_dataset.SchemaDatasetFacet(fields=fields)
        facets: dict[str, Any] = {"outputStatistics": rows}
        found.append(event_v2.OutputDataset(run.storage.root, table.name, facets, facets={"schema": schema}))
    return found


def _client(url: str) -> OpenLineageClient:
    """To a collector (http, https; its key from OPENLINEAGE_API_KEY) or a file, a JSON line an event."""
    try:
        from openlineage.client import OpenLineageClient
    except ImportError as error:
        raise InputError("lineage.url: openlineage-python is missing (pip install 'musai[lineage]')") from error
    if url.startswith(("http://", "https://")):
        transport: dict[str, Any] = {"type": "http", "url": url, "timeout": 5, "retry": {"total": 1}}
        if key := os.environ.get("OPENLINEAGE_API_KEY"):
            transport["auth"] = {"type": "api_key", "apiKey": key}
    else:
        transport = {"type": "file", "log_file_path": url.removeprefix("file://"), "append": True}
    return OpenLineageClient(config={"transport": transport})
