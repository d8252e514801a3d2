"""A run's tables: write them, verify them, publish them in one atomic step, read what is published, expire the old.

Layout (contract.md): `<table>/run_id=<run_id>/part-*.parquet` with `_manifest.json` last; `_runs/<run_date>.json` and
`_published.json` are the pointers. Ours alone: `_nights/<run_id>/` holds the run's record, its state and its internal
tables, `_lease.json` the lease of who publishes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from musai import provenance
from musai.config import Config
from musai.errors import InputError, MusaiError, Superseded
from musai.provenance import RunRecord
from musai.storage import Storage
from musai.tables import TABLES, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

log = logging.getLogger(__name__)

MANIFEST = "_manifest.json"
PUBLISHED = "_published.json"
LEASE = "_lease.json"
SUPERSEDED_STAYS = dt.timedelta(days=1)
HASH_SEEDS = (42, 4242)  # two independent 64-bit hashes a row


@dataclasses.dataclass
class Run:
    """The tables of one run. `scope` sends all but the `shared` ones into a folder of the run's own (the
    evaluation's, say)."""

    storage: Storage
    record: RunRecord
    scope: str = ""
    shared: frozenset[str] = frozenset()

    @property
    def run_id(self) -> str:
        return self.record.run_id

    def folder(self, table: str, job: str | None = None) -> str:
        """Path of a table's folder, relative to the warehouse."""
        if self.scope and table not in self.shared:
            path = f"_nights/{self.run_id}/{self.scope}/{table}"
        elif TABLES[table].kind == "internal":
            path = f"_nights/{self.run_id}/{table}"
        else:
            path = f"{table}/run_id={self.run_id}"
        return f"{path}/job={job}" if job and len(TABLES[table].writers) > 1 else path

    def uri(self, table: str) -> str:
        return self.storage.uri(self.folder(table))

    def nested(self, scope: str, shared: Iterable[str] = ()) -> Run:
        return Run(self.storage, self.record, scope, frozenset(shared))

    def manifest(self, table: str, job: str | None = None) -> dict[str, Any] | None:
        content = self.storage.read(f"{self.folder(table, job)}/{MANIFEST}")
        return json.loads(content) if content else None

    def has(self, table: str) -> bool:
        """Whether the table counts as written: by every job that writes to it and has begun."""
        return self.rows(table) is not None

    def rows(self, table: str) -> int | None:
        if len(TABLES[table].writers) > 1:
            found = [m for job in TABLES[table].writers if (m := self.manifest(table, job))]
            return sum(m["rows"] for m in found) if found else None
        manifest = self.manifest(table)
        return manifest["rows"] if manifest else None

    def read(self, session: SparkSession, table: str) -> DataFrame:
        """A written table. Raises InputError where the run lacks it."""
        if not self.has(table):
            raise InputError(f"{table}: run {self.run_id} has not written it; {TABLES[table].writer} does")
        return session.read.schema(schema_of(TABLES[table])).parquet(self.uri(table))

    def write(self, frame: DataFrame, table: str, job: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace the job's rows of a table; the manifest comes last and gives rows and digest."""
        from pyspark.sql import Observation

        declared, folder = TABLES[table], self.folder(table, job)
        self.storage.delete(folder)
        observed = Observation(f"{table}-{job}")
        frame = typed(frame, declared)
        measured = frame.observe(observed, *_digest_columns(declared))
        measured.write.mode("error").option("compression", "zstd").parquet(self.storage.uri(folder))
        return self.seal(table, job, observed.get, extra)

    def seal(self, table: str, job: str, measured: Mapping[str, int], extra: Mapping[str, Any] | None = None) -> Any:
        manifest = {
            "table": table,
            "run_id": self.run_id,
            "job": job,
            "rows": measured["rows"],
            "digest": _digest(measured),
            "config_digest": self.record.config_digest,
            "inputs_digest": self.record.inputs_digest,
            "inputs": self.record.inputs if job.startswith("ingest_") else [],
            "code": self.record.code,
            "seed": self.record.seed,
            **(extra or {}),
        }
        content = json.dumps(manifest, indent=1, sort_keys=True).encode()
        self.storage.replace(f"{self.folder(table, job)}/{MANIFEST}", content)
        return manifest

    def seal_existing(self, session: SparkSession, table: str, job: str) -> None:
        """A manifest for files that are there already."""
        frame = session.read.schema(schema_of(TABLES[table])).parquet(self.uri(table))
        measured = frame.agg(*_digest_columns(TABLES[table])).first()
        assert measured is not None
        self.seal(table, job, measured.asDict())

    def verify(self, session: SparkSession, table: str, job: str) -> str | None:
        """Read a job's rows of a table again; None where they are what the manifest says, else what is wrong."""
        from pyspark.errors import PySparkException

        manifest = self.manifest(table, job)
        if manifest is None:
            return "not written"
        if manifest["config_digest"] != self.record.config_digest:
            return "written under another configuration"
        if manifest["inputs_digest"] != self.record.inputs_digest:
            return "written from other inputs"
        if manifest["code"] != self.record.code:
            return "written by another version of the code"
        path = self.storage.uri(self.folder(table, job))
        try:
            frame = session.read.schema(schema_of(TABLES[table])).parquet(path)
            measured = frame.agg(*_digest_columns(TABLES[table])).first()
        except PySparkException as error:
            return f"cannot be read: {str(error).splitlines()[0]}"
        assert measured is not None
        if _digest(measured.asDict()) != manifest["digest"]:
            return "differs from its manifest"
        return None


def schema_of(table: Table) -> Any:
    """The declared schema as a StructType, with each column's comment."""
    from pyspark.sql.types import StructField, StructType, _parse_datatype_string

    return StructType(
        [StructField(c.name, _parse_datatype_string(c.type), True, {"comment": c.comment}) for c in table.columns]
    )


def typed(frame: DataFrame, table: Table) -> DataFrame:
    """The declared columns in the declared order, types and comments; a missing one is an error of the caller."""
    from pyspark.sql import functions as F

    return frame.select(
        *(F.col(c.name).cast(c.type).alias(c.name, metadata={"comment": c.comment}) for c in table.columns)
    )


def _digest_columns(table: Table) -> list[Column]:
    """Rows, and exact sums of 28-bit parts of two hashes a row: no order, partition or core count changes them.

    With unique keys the set of rows is the sequence of rows in key order, so this is a digest over that sequence
    that needs no sort. Nulls are hashed as such (xxhash64 alone skips them).
    """
    from pyspark.sql import functions as F

    parts: list[Column] = []
    for column in table.columns:
        value = F.col(column.name)
        if column.type.startswith("map"):
            value = F.sort_array(F.map_entries(value))
        parts += [F.isnull(value), value]
    sums = [F.count(F.lit(1)).alias("rows")]
    mask = F.lit((1 << 28) - 1)
    for number, seed in enumerate(HASH_SEEDS):
        hashed = F.xxhash64(F.lit(seed), *parts)
        sums.append(F.sum(hashed.bitwiseAND(mask)).alias(f"low{number}"))
        sums.append(F.sum(F.shiftrightunsigned(hashed, 36)).alias(f"high{number}"))
    return sums


def _digest(measured: Mapping[str, int]) -> str:
    values = {key: int(measured[key] or 0) for key in sorted(measured) if key == "rows" or key[:-1] in ("low", "high")}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Warehouse:
    """What is published, and the runs in the making."""

    def __init__(self, storage: Storage, config: Config) -> None:
        self.storage = storage
        self.config = config

    # -- runs ---------------------------------------------------------------------------------------------------

    def begin(self, record: RunRecord) -> Run:
        """Create the run's record, or take the one that is there; a different one is InputError."""
        path = f"_nights/{record.run_id}/run.json"
        if self.storage.create(path, record.to_json()):
            return Run(self.storage, record)
        existing = self.run(record.run_id)
        assert existing is not None
        faults = []
        if existing.record.run_date != record.run_date:
            faults.append(f"--run-id {record.run_id}: it is of {existing.record.run_date}, not {record.run_date}")
        if existing.record.config_digest != record.config_digest:
            faults.append(f"run {record.run_id}: the configuration changed since it began")
        if existing.record.inputs_digest != record.inputs_digest:
            faults.append(f"run {record.run_id}: an input changed since it began: {_changed(existing.record, record)}")
        if faults:
            raise InputError(faults)
        return existing

    def resume(self, run: Run, record: RunRecord) -> Run:
        """Go on with a run under the configuration and inputs of now; what was written under others is done again."""
        now_valid = dataclasses.replace(record, run_id=run.run_id, started_at=run.record.started_at)
        self.storage.replace(f"_nights/{run.run_id}/run.json", now_valid.to_json())
        self.set_state(run.run_id, "running")
        return Run(self.storage, now_valid)

    def run(self, run_id: str) -> Run | None:
        content = self.storage.read(f"_nights/{run_id}/run.json")
        return Run(self.storage, RunRecord.from_json(content)) if content else None

    def runs(self) -> list[Run]:
        """Every run that has a record, oldest first."""
        found = [run for name in self.storage.names("_nights") if (run := self.run(name))]
        return sorted(found, key=lambda run: (run.record.started_at, run.run_id))

    def state(self, run_id: str) -> str:
        """running (or broken off), refused, superseded or published; the pointers decide what is published."""
        return self._state(run_id)["state"]

    def _state(self, run_id: str) -> dict[str, str]:
        content = self.storage.read(f"_nights/{run_id}/state.json")
        return json.loads(content) if content else {"state": "running", "at": ""}

    def set_state(self, run_id: str, state: str) -> None:
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self.storage.replace(f"_nights/{run_id}/state.json", json.dumps({"state": state, "at": at}).encode())

    def unpublished(self, run_date: dt.date) -> Run | None:
        """The newest run of the date that was neither published nor given up."""
        named = (self.pointer(run_date) or {}).get("run_id")
        open_runs = [r for r in self.runs() if r.record.date == run_date and r.run_id != named]
        open_runs = [r for r in open_runs if self.state(r.run_id) in ("running", "refused")]
        return open_runs[-1] if open_runs else None

    # -- pointers -----------------------------------------------------------------------------------------------

    def pointer(self, run_date: dt.date | None = None) -> dict[str, Any] | None:
        """The published run of a date, or of the greatest date."""
        content = self.storage.read(PUBLISHED if run_date is None else f"_runs/{run_date}.json")
        return json.loads(content) if content else None

    def dates(self) -> list[dt.date]:
        names = [name.removesuffix(".json") for name in self.storage.names("_runs") if name.endswith(".json")]
        return sorted(dt.date.fromisoformat(name) for name in names if not name.startswith("."))

    def parent(self, run_date: dt.date) -> dict[str, Any] | None:
        """The published run of the greatest earlier date."""
        earlier = [date for date in self.dates() if date < run_date]
        return self.pointer(earlier[-1]) if earlier else None

    def published_path(self, table: str) -> str:
        pointer = self.pointer()
        if pointer is None:
            raise InputError(f"{self.storage.root}: nothing is published yet; `musai nightly` does it")
        if table not in TABLES:
            raise InputError(f"{table}: no such table; they are {', '.join(TABLES)}")
        if table not in pointer["tables"]:
            raise InputError(f"{table}: the run of {pointer['run_date']} did not make it")
        return self.storage.uri(pointer["tables"][table]["path"])

    def mend(self) -> None:
        """Finish what a publisher that died between the two pointers began."""
        dates = self.dates()
        if dates and self.storage.read(PUBLISHED) != (latest := self.storage.read(f"_runs/{dates[-1]}.json")):
            if latest:
                log.warning("finishing the publication of %s, which was broken off", dates[-1])
                self.storage.replace(PUBLISHED, latest)

    def publish(self, run: Run, now: dt.datetime, report: str | None = None) -> dict[str, Any]:
        """Move the date's pointer, and the main one where this is the greatest date, to `run`.

        Raises Superseded where another run of the date was published since this one began, or is publishing.
        """
        with self.lease(run.run_id):
            current = (self.pointer(run.record.date) or {}).get("run_id")
            if current not in (run.record.replaces, run.run_id):
                self.set_state(run.run_id, "superseded")
                raise Superseded(
                    f"run {current} of {run.record.run_date} was published while this one ({run.run_id}) was at work; "
                    "nothing was changed. Start a new run to replace it"
                )
            pointer = self._pointer_of(run, now, report)
            content = json.dumps(pointer, indent=1, sort_keys=True).encode()
            self.storage.replace(f"_runs/{run.record.run_date}.json", content)
            if run.record.date >= self.dates()[-1]:
                self.storage.replace(PUBLISHED, content)
            self.set_state(run.run_id, "published")
            for other in self.runs():  # can never be published any more: the pointer is not what they began with
                if other.record.date == run.record.date and other.run_id != run.run_id:
                    self.set_state(other.run_id, "superseded")
        return pointer

    def _pointer_of(self, run: Run, now: dt.datetime, report: str | None) -> dict[str, Any]:
        carried = (self.pointer(run.record.date) or self.parent(run.record.date) or {}).get("tables", {})
        named: dict[str, Any] = {}
        for table in TABLES.values():
            if table.kind == "internal":
                continue
            if table.kind == "history":
                if run.has(table.name) or table.name in carried:
                    named[table.name] = {"run_id": run.run_id, "path": table.name}
            elif run.has(table.name):
                named[table.name] = {"run_id": run.run_id, "path": run.folder(table.name)}
            elif table.kind == "weekly" and table.name in carried:
                named[table.name] = carried[table.name]
            else:
                log.info("%s was not made in this run and is not published", table.name)
        return {
            "format": 1,
            "run_id": run.run_id,
            "run_date": run.record.run_date,
            "published_at": now.astimezone(dt.UTC).isoformat(timespec="microseconds"),
            "report": report,
            "tables": named,
        }

    @contextlib.contextmanager
    def lease(self, run_id: str) -> Iterator[None]:
        """The right to publish, for `warehouse.publish_lease_s` at most; one that expired is taken over."""
        span = dt.timedelta(seconds=self.config.warehouse.publish_lease_s)
        while True:
            now = dt.datetime.now(dt.UTC)
            mine = json.dumps({"run_id": run_id, "until": (now + span).isoformat()}).encode()
            if self.storage.create(LEASE, mine):
                break
            try:
                held = json.loads(self.storage.read(LEASE) or b"")
            except ValueError:  # released, or not yet written whole, between the two looks
                time.sleep(0.05)
                continue
            until = dt.datetime.fromisoformat(held["until"])
            if held["run_id"] != run_id and now < until <= now + 2 * span:  # from far ahead: a clock that jumped
                raise Superseded(
                    f"run {held['run_id']} is publishing (until {held['until']} at the latest); nothing was changed. "
                    f"`musai nightly --run-id {run_id} --from publish` tries again"
                )
            log.warning("taking over the lease of run %s, which held it until %s", held["run_id"], held["until"])
            self.storage.delete(LEASE)
        try:
            yield
        finally:
            if self.storage.read(LEASE) == mine:
                self.storage.delete(LEASE)

    # -- retention ----------------------------------------------------------------------------------------------

    def expire(self, now: dt.datetime) -> list[str]:
        """Remove what no kept pointer names and no unfinished run owns; returns the removed paths.

        A run that was superseded keeps its tables for `SUPERSEDED_STAYS`: a reader may have just opened them.
        """
        for date in self.dates()[: -self.config.warehouse.keep_runs]:
            self.storage.delete(f"_runs/{date}.json")
        kept = [pointer for date in (None, *self.dates()) if (pointer := self.pointer(date))]
        named = {entry["path"] for pointer in kept for entry in pointer["tables"].values()}
        runs = {run.run_id: run.record for run in self.runs()}
        alive = {pointer["run_id"] for pointer in kept} | {run_id for run_id in runs if not self._over(run_id, now)}
        oldest = now.date() - dt.timedelta(days=self.config.warehouse.keep_history_days)
        history = {run_id for run_id, record in runs.items() if record.date >= oldest}
        removed = []
        for table in TABLES.values():
            stays = alive | history if table.kind == "history" else alive
            for name in self.storage.names(table.name):
                run_id, path = name.removeprefix("run_id="), f"{table.name}/{name}"
                if run_id in runs and run_id not in stays and path not in named:
                    removed.append(path)
        for run_id in runs.keys() - alive:
            record = ("run.json", "state.json") if run_id in history else ()  # says how old the history rows are
            names = self.storage.names(f"_nights/{run_id}")
            removed += [f"_nights/{run_id}/{name}" for name in names if name not in record]
        for path in removed:
            self.storage.delete(path)
        return removed

    def _over(self, run_id: str, now: dt.datetime) -> bool:
        """Whether nobody can go on with a run, nor be reading it."""
        state = self._state(run_id)
        if state["state"] == "superseded":
            return now - dt.datetime.fromisoformat(state["at"]) > SUPERSEDED_STAYS
        return state["state"] == "published"


def _changed(before: RunRecord, after: RunRecord) -> str:
    old = {entry["file"]: entry for entry in before.inputs}
    new = {entry["file"]: entry for entry in after.inputs}
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def begin_record(
    config: Config, run_id: str | None, run_date: dt.date, inputs: list[dict[str, Any]], replaces: str | None
) -> RunRecord:
    """The record of a run that begins now."""
    now = dt.datetime.now(dt.UTC)
    if run_date > provenance.default_run_date(config, now) + dt.timedelta(days=1):
        raise InputError(f"--run-date {run_date}: it is in the future")
    return RunRecord(
        run_id=provenance.check_run_id(run_id) if run_id else provenance.new_run_id(run_date, now),
        run_date=run_date.isoformat(),
        started_at=now.isoformat(timespec="microseconds"),
        config_digest=config.digest(),
        code=provenance.code_version(),
        seed=config.seed,
        inputs=inputs,
        replaces=replaces,
    )


__all__ = ["MANIFEST", "PUBLISHED", "MusaiError", "Run", "Warehouse", "begin_record", "schema_of", "typed"]
