"""The warehouse as a whole: the runs in the making, the pointers to what is published, and moving them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

from musai import provenance
from musai.config import Config
from musai.errors import InputError, MusaiError, Superseded, listed
from musai.provenance import RunRecord
from musai.storage import Storage
from musai.tables import TABLES
from musai.warehouse import lease, processes, retention
from musai.warehouse.runs import Run

log = logging.getLogger(__name__)

PUBLISHED = "_published.json"
OVER = ("published", "superseded")  # states in which a run's folders change no more


class Warehouse:
    """What is published, and the runs in the making."""

    def __init__(self, storage: Storage, config: Config) -> None:
        self.storage = storage
        self.config = config

    # -- runs ---------------------------------------------------------------------------------------------------

    def begin(self, record: RunRecord) -> Run:
        """Create the run's record, or take the one that is there; a different one is InputError."""
        with self.writing():
            created = self.storage.create(f"_nights/{record.run_id}/run.json", record.to_json())
        existing = None if created else self.run(record.run_id)
        if existing is None:
            return Run(self.storage, record)
        self._still_open(existing)
        faults = _of_another_date(existing.record, record)
        if existing.record.config_digest != record.config_digest:
            faults.append(f"run {record.run_id}: the configuration changed since it began")
        changed = provenance.changed_inputs(existing.record.inputs, record.inputs)
        if changed:
            faults.append(f"run {record.run_id}: an input changed since it began: {listed(changed)}")
        if faults:
            raise InputError(faults)
        return existing

    def resume(self, run: Run, record: RunRecord) -> Run:
        """Go on with a run under the configuration and inputs of now; what was written under others is done again."""
        self._still_open(run)
        if faults := _of_another_date(run.record, record):
            raise InputError(faults)
        before = run.record
        now_valid = dataclasses.replace(
            record, run_id=before.run_id, started_at=before.started_at, replaces=before.replaces
        )
        with self.writing():
            self.storage.replace(f"_nights/{run.run_id}/run.json", now_valid.to_json())
        self.set_state(run.run_id, "running")
        return Run(self.storage, now_valid)

    @contextlib.contextmanager
    def at_work(self, run: Run) -> Iterator[None]:
        """Others on this machine are told meanwhile that this process works on the run."""
        with self.writing():
            note = processes.note(self.storage, run.run_id)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # it tells of a dead process soon
                self.storage.delete(note)

    def nobody_at_work(self, run: Run) -> None:
        """Raise InputError where another process of this machine is at work on a run that is to be gone on with."""
        if others := processes.others(self.storage, run.run_id):
            raise InputError(
                f"run {run.run_id} is being worked on by {listed(others)}; wait for it, or begin a new run"
            )

    def _still_open(self, run: Run) -> None:
        """Raise InputError where a run was published or given up: its folders must not change any more."""
        if self.standing(run) in OVER:
            named = (self.pointer(run.record.date) or {}).get("run_id")
            what = "is published" if named == run.run_id else f"was replaced by run {named or 'of a later night'}"
            raise InputError(f"run {run.run_id} {what}, and what is published never changes; start a new run")

    def run(self, run_id: str) -> Run | None:
        content = self.storage.read(f"_nights/{provenance.check_run_id(run_id)}/run.json")
        return Run(self.storage, RunRecord.from_json(content)) if content else None

    def runs(self) -> list[Run]:
        """Every run that has a record, oldest first."""
        names = [name for name in self.storage.names("_nights") if provenance.RUN_ID.fullmatch(name)]
        found = [run for name in names if (run := self.run(name))]
        return sorted(found, key=lambda run: (run.record.started_at, run.run_id))

    def state(self, run_id: str) -> str:
        """What was noted of a run last: running (or broken off), refused, superseded or published."""
        return self.state_since(run_id)[0]

    def state_since(self, run_id: str) -> tuple[str, dt.datetime | None]:
        content = self.storage.read(f"_nights/{run_id}/state.json")
        if content is None:
            return "running", None
        noted = json.loads(content)
        return noted["state"], dt.datetime.fromisoformat(noted["at"])

    def set_state(self, run_id: str, state: str) -> None:
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        with self.writing():
            self.storage.replace(f"_nights/{run_id}/state.json", json.dumps({"state": state, "at": at}).encode())

    def standing(self, run: Run) -> str:
        """A run's state as the pointers have it, whatever a kill left noted of it."""
        named = (self.pointer(run.record.date) or {}).get("run_id")
        if named == run.run_id:
            return "published"
        state = self.state(run.run_id)
        if run.record.weekly:
            return state
        return "superseded" if state in OVER or named not in (None, run.record.replaces) else state

    def unpublished(self, run_date: dt.date) -> Run | None:
        """The newest night of the date that was neither published nor given up."""
        nights = [run for run in self.runs() if run.record.date == run_date and not run.record.weekly]
        ours = [run for run in nights if self.standing(run) not in OVER]
        return ours[-1] if ours else None

    # -- pointers -----------------------------------------------------------------------------------------------

    def pointer(self, run_date: dt.date | None = None) -> dict[str, Any] | None:
        """The published run of a date, or of the greatest date."""
        content = self.storage.read(PUBLISHED if run_date is None else f"_runs/{run_date}.json")
        return json.loads(content) if content else None

    def dates(self) -> list[dt.date]:
        found = []
        for name in self.storage.names("_runs"):
            with contextlib.suppress(ValueError):  # no pointer of ours
                found.append(dt.date.fromisoformat(name.removesuffix(".json")))
        return sorted(found)

    def parent(self, run_date: dt.date) -> dict[str, Any] | None:
        """The published run of the greatest earlier date."""
        earlier = [date for date in self.dates() if date < run_date]
        return self.pointer(earlier[-1]) if earlier else None

    def published_path(self, table: str) -> str:
        return self.storage.uri(self.published_folder(table))

    def published_folder(self, table: str, run_date: dt.date | None = None) -> str:
        """Where a table of a date's published run, or of the greatest date's, lies in the warehouse."""
        pointer = self.pointer(run_date)
        if pointer is None:
            what = f"no run of {run_date}" if run_date else "nothing"
            raise InputError(f"{self.storage.root}: {what} is published yet; `musai nightly` does it")
        if table not in TABLES:
            raise InputError(f"{table}: no such table; they are {', '.join(TABLES)}")
        if table not in pointer["tables"]:
            raise InputError(f"{table}: the run of {pointer['run_date']} did not make it")
        folder: str = pointer["tables"][table]["path"]
        return folder

    def mend(self) -> None:
        """Finish what a publisher that died between the two pointers began."""
        if self._main_pointer_is_right():
            return
        with self.leased("mend") as check:
            check()
            self.move_main_pointer()

    def _main_pointer_is_right(self) -> bool:
        dates = self.dates()
        return not dates or self.storage.read(PUBLISHED) == self.storage.read(f"_runs/{dates[-1]}.json")

    def move_main_pointer(self) -> None:
        """Only under the lease: `_published.json` becomes the pointer of the greatest date."""
        if not self._main_pointer_is_right():
            latest = self.dates()[-1]
            content = self.storage.read(f"_runs/{latest}.json")
            assert content is not None
            self.storage.replace(PUBLISHED, content)
            log.info("%s names the run of %s now", PUBLISHED, latest)

    def publish(self, run: Run, now: dt.datetime | None = None, report: str | None = None) -> dict[str, Any]:
        """Move the date's pointer, and the main one where this is the greatest date, to `run`.

        Raises Superseded where another run of the date was published since this one began, or is publishing. A run
        that is published already stays as it is: a publisher that was killed may be started again.
        """
        date = run.record.date
        with self.leased(run.run_id, run.record.run_date) as check:
            pointer = self.pointer(date)
            current = pointer["run_id"] if pointer else None
            if current not in (None, run.record.replaces, run.run_id):
                self.set_state(run.run_id, "superseded")
                raise Superseded(
                    f"run {current} of {date} was published while this one ({run.run_id}) was at work; nothing was "
                    "changed. Start a new run to replace it"
                )
            if current != run.run_id and self.state(run.run_id) == "superseded":
                raise Superseded(f"run {run.run_id} was given up while it was at work; start a new run")
            if pointer is None or current != run.run_id:
                pointer = self._pointer_of(run, now or dt.datetime.now(dt.UTC), report)
                content = json.dumps(pointer, indent=1, sort_keys=True).encode()
                check()
                self.storage.replace(f"_runs/{date}.json", content)
            self.move_main_pointer()
            self.note_states(date, run.run_id)
        return pointer

    def adopt(self, run: Run) -> dict[str, Any]:
        """The newest published night's pointers name the tables of a weekly run from now on; later nights carry them.

        Raises InputError where no night is published yet.
        """
        with self.leased(run.run_id, run.record.run_date) as check:
            if (pointer := self.pointer()) is None:
                raise InputError(f"{self.storage.root}: nothing is published yet, which weekly tables could join")
            made = {table.name for table in TABLES.values() if table.kind == "weekly" and run.has(table.name)}
            entries = {name: {"run_id": run.run_id, "path": run.folder(name)} for name in sorted(made)}
            history = [t.name for t in TABLES.values() if t.kind == "history" and run.has(t.name)]
            grown = {name: {"run_id": run.run_id, "path": name} for name in history if name not in pointer["tables"]}
            joined = pointer | {"tables": pointer["tables"] | entries | grown}
            check()
            self.storage.replace(
                f"_runs/{pointer['run_date']}.json", json.dumps(joined, indent=1, sort_keys=True).encode()
            )
            self.move_main_pointer()
            self.set_state(run.run_id, "published")
        return joined

    def note_states(self, date: dt.date, published: str) -> None:
        """Runs of the date that began before this one was published cannot be published any more."""
        for run in self.runs():
            if run.record.date == date and run.record.replaces != published and not run.record.weekly:
                due = "published" if run.run_id == published else "superseded"
                if self.state(run.run_id) != due:
                    self.set_state(run.run_id, due)

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
    def leased(self, run_id: str, run_date: str = "") -> Iterator[Callable[[], None]]:
        seconds = self.config.warehouse.publish_lease_s
        with self.writing(), lease.held(self.storage, seconds, run_id, run_date) as check:
            yield check

    def expire(self, now: dt.datetime) -> list[str]:
        """Remove what no kept pointer names and no unfinished run owns; returns the removed paths."""
        with self.leased("retention"):
            removed = retention.due(self, now)
        with self.writing():
            for path in removed:
                self.storage.delete(path)
        return removed

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise MusaiError(
                f"{self.storage.root}: cannot be used as a warehouse: {where}{error.strerror or error}"
            ) from error


def _of_another_date(before: RunRecord, after: RunRecord) -> list[str]:
    if before.run_date == after.run_date:
        return []
    return [f"--run-id {before.run_id}: it is of {before.run_date}, not {after.run_date}"]


def begin_record(
    config: Config,
    run_id: str | None,
    run_date: dt.date,
    inputs: list[dict[str, Any]],
    replaces: str | None,
    weekly: bool = False,
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
        weekly=weekly,
    )
