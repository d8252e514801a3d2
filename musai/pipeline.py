"""The nightly in one process: which run, which jobs of it, one after the other in one Spark session."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError

from musai import provenance, session, storage, tables
from musai.config import Config
from musai.errors import AuditRefused, InputError, MusaiError
from musai.inputs import files
from musai.lineage import Events
from musai.progress import Progress
from musai.redaction import redacted
from musai.steps import Night, step
from musai.warehouse import Run, Warehouse, begin_record, small_file
from musai.warehouse.timing import usual_seconds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

SETTLED_S = 60.0  # how much older than a run a change must be: times of files are coarse, and clocks differ


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asks for; see contract.md for run_id, from_job and only."""

    run_date: dt.date | None = None
    run_id: str | None = None
    from_job: str | None = None
    only: tuple[str, ...] = ()


@dataclasses.dataclass
class Outcome:
    """What a night did: `seconds` and `notes` by job, the digests of its tables, and whether it was published."""

    run: Run
    seconds: dict[str, float]
    notes: dict[str, list[str]]
    kept: list[str]
    published: bool = False

    def digests(self) -> dict[str, str]:
        found = {}
        for table in tables.TABLES.values():
            if table.kind == "nightly" and self.run.has(table.name):
                jobs = table.writers if table.by_job else [None]
                manifests = [m for job in jobs if (m := self.run.manifest(table.name, job))]
                found[table.name] = " ".join(m["digest"][:16] for m in manifests)
        return found


def check(config: Config) -> list[str]:
    """Every fault of the inputs, a line each; reads headers, runs nothing."""
    return files.check(config)


def nightly(config: Config, request: Request, progress: Progress) -> Outcome:
    """Run the jobs. Raises InputError (2), AuditRefused (3) or another MusaiError (1); see contract.md."""
    try:
        return _nightly(config, request, progress)
    except (Py4JError, ConnectionError) as error:  # outside of a job: while what is there was verified, say
        raise MusaiError(session.reason(error)) from error


def _nightly(config: Config, request: Request, progress: Progress) -> Outcome:
    if request.from_job:
        tables.order([request.from_job])
    weekly = any(map(tables.is_weekly, tables.order(request.only)))
    faults = check(config)
    if faults:
        raise InputError(faults)
    now = dt.datetime.now(dt.UTC)
    progress.say("starting Spark")
    told = Events(config)
    spark = session.build(config)
    warehouse = Warehouse(storage.at(config.warehouse.path, spark), config)
    warehouse.mend()
    published = warehouse.run(request.run_id) if request.run_id and _only_publish(request) else None
    if published and _is_published(warehouse, published):
        progress.say(f"run {published.run_id} is published already")  # a retry of a task that died after its work
        return Outcome(published, {}, {}, [], published=True)
    base = _published_night(warehouse) if weekly else None
    run, jobs, kept = _run(spark, config, warehouse, request, now)
    outcome = Outcome(run, {}, {}, kept)
    progress.begin(run.run_id, jobs, kept, usual_seconds(warehouse, run))
    with warehouse.at_work(run):
        for job in jobs:
            night = Night(spark, config, warehouse, run, now, progress.step, base=base)
            if tables.TABLES["model_settings"] in tables.reads(job):
                night = night.tuned()
            progress.job(job)
            try:
                outcome.seconds[job] = _done(night, job, outcome, told)
            finally:
                if job.startswith("ingest_"):  # also where it failed: half a file looks like a bad one
                    files.check_unchanged(config, run.record.inputs)
            progress.job_done(job, outcome.seconds[job], night)
    if weekly:
        run.seal_existing(spark, "job_log", jobs[-1])
        warehouse.adopt(run)
    outcome.published = weekly or _is_published(warehouse, run)
    return outcome


def _published_night(warehouse: Warehouse) -> Run:
    """What weekly jobs learn from."""
    pointer = warehouse.pointer()
    found = warehouse.run(pointer["run_id"]) if pointer else None
    if found is None:
        raise InputError(f"{warehouse.storage.root}: weekly jobs learn from a published night, and there is none")
    return found


def _only_publish(request: Request) -> bool:
    return request.only == ("publish",) or request.from_job == "publish"


def _run(
    spark: SparkSession, config: Config, warehouse: Warehouse, request: Request, now: dt.datetime
) -> tuple[Run, list[str], list[str]]:
    """The run that the request names, a new one or the newest unpublished one of the date; its jobs and kept ones."""
    run_date = request.run_date
    existing = warehouse.run(request.run_id) if request.run_id else None
    if existing and run_date is None:
        run_date = existing.record.date
    run_date = run_date or provenance.default_run_date(config, now)
    weekly = any(map(tables.is_weekly, tables.order(request.only)))
    if (request.from_job or request.only) and not request.run_id and not weekly:
        existing = warehouse.unpublished(run_date)
    if existing and (request.from_job or not request.run_id):  # a job of a DAG names its run, and works beside others
        warehouse.nobody_at_work(existing)
    if request.from_job and existing is None:
        done = (warehouse.pointer(run_date) or {}).get("run_id")
        there = f"; run {done} of it is published" if done else ""
        lacking = f"run {request.run_id}" if request.run_id else f"unpublished run of {run_date}"
        raise InputError(f"--from {request.from_job}: there is no {lacking} to go on with{there}")
    run_id = existing.run_id if existing else request.run_id
    replaces = (warehouse.pointer(run_date) or {}).get("run_id")
    if existing and replaces == existing.run_id:
        raise InputError(f"run {existing.run_id} is published, and what is published never changes; start a new run")
    snapshot = files.snapshot(config, existing.record.inputs if existing else _settled(warehouse))
    wanted = tables.order(request.only or None)
    record = begin_record(config, run_id, run_date, snapshot, replaces, weekly)
    if existing and request.from_job:
        run = warehouse.resume(existing, record)
        return run, *_resumed(spark, run, request.from_job)
    if not weekly:
        _needs_met(Run(warehouse.storage, record), wanted)  # before the run begins: a run of nothing would stay behind
    return warehouse.begin(record), wanted, []


def _settled(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Files as the run that is published saw them, less those that had changed just then: where times are coarse, a
    later change may not show in them."""
    pointer = warehouse.pointer()
    run = warehouse.run(pointer["run_id"]) if pointer else None
    if run is None:
        return []
    began = dt.datetime.fromisoformat(run.record.started_at).timestamp() - SETTLED_S
    return [entry for entry in run.record.inputs if entry["changed_ns"] < began * 1e9]


def _resumed(spark: SparkSession, run: Run, from_job: str) -> tuple[list[str], list[str]]:
    """(jobs to do, jobs that are kept): see `--from` in contract.md."""
    every = tables.order()
    again = tables.downstream(from_job) | {"publish"}
    for job in every:
        if job not in again and (fault := verify(spark, run, job)):
            log.info("%s is done again: %s", job, fault)
            again |= tables.downstream(job)
    return [job for job in every if job in again], [job for job in every if job not in again]


def _needs_met(run: Run, wanted: Sequence[str]) -> None:
    """Raise InputError where a job reads what the run lacks and none of the wanted jobs writes."""
    faults = []
    for job in wanted:
        for table in tables.reads(job):
            there = run.has(table.name) or table.optional or table.kind in ("history", "weekly")
            if not there and not set(table.writers) & set(wanted):
                faults.append(f"{job}: run {run.run_id} lacks {table.name}, which {table.writer} writes")
    if faults:
        raise InputError(faults)


def verify(spark: SparkSession, run: Run, job: str) -> str | None:
    """None where a job finished and its tables still are what it wrote, else what is wrong. Reads them whole."""
    marker = run.storage.read(_marker(run, job))
    if marker is None:
        return "it did not finish"
    for table in json.loads(marker)["tables"]:
        fault = run.verify(spark, table, job)
        if fault:
            return f"{table}: {fault}"
    return None


def _marker(run: Run, job: str) -> str:
    return f"_nights/{run.run_id}/done/{job}.json"


def _done(night: Night, job: str, outcome: Outcome, told: Events) -> float:
    """Run one job; its log row and its marker of completion are written here."""
    run, started, begun = night.run, dt.datetime.now(dt.UTC), time.monotonic()
    run.storage.delete(_marker(run, job))
    for table in tables.writes(job):  # what an earlier attempt wrote must not be taken for this one's
        run.discard(table.name, job)
    attempt = _attempt(run, job)
    told.started(run, job, attempt)
    try:
        night.log_row = lambda status: log_row(night, job, started, time.monotonic() - begun, status)
        step(job)(night)
    except Exception as error:
        _log_failure(night, error)
        told.ended(run, job, attempt, redacted(session.reason(error)))
        if isinstance(error, MusaiError):
            raise
        log.debug("%s failed", job, exc_info=True)
        raise MusaiError(f"{job}: {session.reason(error)}") from error
    seconds = time.monotonic() - begun
    outcome.notes[job] = night.notes
    if not night.log_sealed:
        log_row(night, job, started, seconds, "done")
    written = [table.name for table in tables.writes(job) if run.manifest(table.name, job)]
    if job != "publish":
        run.storage.replace(_marker(run, job), json.dumps({"tables": written}).encode())
    told.ended(run, job, attempt)
    return seconds


def _log_failure(night: Night, error: Exception) -> None:
    """A log row of the failure, where one can be written: the disk may be full, or Spark gone."""
    night.notes.append(session.reason(error))
    try:
        if not _is_published(night.warehouse, night.run):  # its folders never change: publish failed after its work
            night.log_row("refused" if isinstance(error, AuditRefused) else "failed")
    except (OSError, Py4JError) as second:
        log.warning("there is no log row of this failure: %s", session.reason(second))


def _is_published(warehouse: Warehouse, run: Run) -> bool:
    return (warehouse.pointer(run.record.date) or {}).get("run_id") == run.run_id


def _log_folder(run: Run) -> str:
    return f"job_log/run_id={run.run_id}"


def _attempt(run: Run, job: str) -> int:
    """1 for the first time that the run does the job: each time before left a row."""
    return 1 + sum(name.startswith(f"part-{job}-") for name in run.storage.names(_log_folder(run)))


def log_row(night: Night, job: str, started: dt.datetime, seconds: float, status: str) -> None:
    """One row, one small file of `job_log`; also one JSON line in the log."""
    row = {
        "job": job,
        "attempt": _attempt(night.run, job),
        "started_at": started,
        "seconds": round(seconds, 3),
        "rows_read": night.rows_read,
        "rows_written": night.rows_written,
        "rejected": night.rejected,
        "status": status,
        "message": redacted("; ".join(night.notes)),
    }
    content = small_file([row], tables.TABLES["job_log"])
    night.run.storage.replace(f"{_log_folder(night.run)}/part-{job}-{row['attempt']}.parquet", content)
    log.info(
        "%s", json.dumps({"run_id": night.run.run_id, **row, "started_at": started.isoformat()}, ensure_ascii=False)
    )
