"""Faults in the middle of nights: what readers saw meanwhile, how the night recovered, and whether its tables are
those of an undisturbed one. Every case adds to one table, which is printed at the end."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import json
import pathlib
import random
import shutil
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table as Grid

from musai import tables
from tests.faults.night import QUICK, Night, Victim
from tests.faults.reader import Reader, contents, digests, rows


@dataclasses.dataclass(frozen=True)
class Kill:
    """`share`: how far into the job, of its usual time. The job `""` is what comes before the first."""

    victim: Victim
    job: str
    share: float

    @property
    def fault(self) -> str:
        if self.victim == "worker":
            return f"kill -9 a {'training process' if self.job == 'train_als' else 'worker of Spark'}"
        return {"machine": "kill -9 all of it", "spark": "kill -9 Spark's process"}.get(
            self.victim, f"kill -9 the {self.victim}"
        )


def plan(seed: int, count: int, victims: Sequence[Victim]) -> list[Kill]:
    """Kills at random points; every job and every victim in turn, so that none is left out."""
    drawn = random.Random(seed)  # noqa: S311
    jobs = [*tables.order()]
    drawn.shuffle(jobs)
    kills = []
    for number in range(count):
        job = jobs[number % len(jobs)]
        most = 0.2 if job == "publish" else 0.9  # which takes a moment
        kills.append(Kill(victims[number % len(victims)], job, drawn.uniform(0, most)))
    return [*kills[:-1], Kill("worker", "train_als", 0.0)] if "worker" in victims else kills


def in_nights(kills: Sequence[Kill], size: int) -> list[list[Kill]]:
    """So many kills a night, in the order of its jobs."""
    order = ["", *tables.order()]
    groups = [kills[start : start + size] for start in range(0, len(kills), size)]
    return [sorted(group, key=lambda kill: (order.index(kill.job), kill.share)) for group in groups]


@dataclasses.dataclass
class Row:
    times: int = 0
    states: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    recovery: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@dataclasses.dataclass
class Faults:
    """A warehouse with a published run. What a night is to come to: the tables of the undisturbed `run_id` in the
    warehouse `due` (this one, if None); `seconds` are those of its jobs."""

    root: pathlib.Path
    arguments: Sequence[str]
    rows: dict[str, Row]
    run_id: str = ""
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    workers: Sequence[int] = ()
    due: pathlib.Path | None = None

    def night(self, *more: str, **environment: str) -> Night:
        return Night([*self.arguments, *QUICK, f"warehouse={self.root}", *more], environment, self.workers)

    def copied_to(self, folder: pathlib.Path, *more: str) -> Faults:
        """The same in another place, where more of the configuration may differ."""
        shutil.copytree(self.root, folder / "warehouse")
        return dataclasses.replace(self, root=folder / "warehouse", arguments=[*self.arguments, *more])

    def undisturbed(self, run_date: dt.date) -> None:
        night = self.night("--run-date", str(run_date))
        assert night.finish() == 0, "\n".join(night.lines[-20:])
        self.run_id = night.run_id
        self.seconds = seconds(self.root, self.run_id)

    def note(self, fault: str, states: Mapping[str, int], recovery: str, times: int = 1) -> None:
        row = self.rows.setdefault(fault, Row())
        row.times += times
        row.states.update(states)
        row.recovery[recovery] += times

    def killed(self, kills: Sequence[Kill], run_date: dt.date, *more: str) -> None:
        """One night with these kills, gone on with by `--from` wherever it broke off; then what came of it.

        A kill for which the night was too fast is left out.
        """
        done: list[list[str]] = []  # fault, recovery
        with Reader(self.root) as reader:
            night = self.night("--run-date", str(run_date), *more)
            for kill in kills:
                night.reach(kill.job, kill.share * self.seconds.get(kill.job, 5.0))
                if night.over and night.finish() != 0:  # the last kill of a worker or an executor was too much for it
                    night, done[-1][1] = self._again(night, night.job, run_date, more)
                    night.reach(kill.job, 0.0)
                job = night.job
                if night.kill(kill.victim):
                    done.append([kill.fault, "by itself"])
                    if kill.victim not in ("worker", "executor"):
                        assert night.finish() != 0
                        night, done[-1][1] = self._again(night, job, run_date, more)
            if night.finish() != 0:
                night, done[-1][1] = self._again(night, night.job, run_date, more)
            assert night.finish() == 0, "\n".join(night.lines[-30:])
            reader.look()
        for fault, recovery in done:
            self.note(fault, reader.seen, recovery)
        assert set(reader.seen) == {"whole"}
        self.same_as_undisturbed(night.run_id)

    def _again(self, night: Night, job: str, run_date: dt.date, more: Sequence[str]) -> tuple[Night, str]:
        """The run after a night that broke off in a job, and what its operator did: nothing else."""
        pointer = self.root / "_runs" / f"{run_date}.json"
        published = pointer.exists() and json.loads(pointer.read_bytes())["run_id"] == night.run_id
        go_on = ["--from", job] if job and not published else []
        return self.night("--run-date", str(run_date), *go_on, *more), f"--from {job}" if go_on else "a new run"

    def same_as_undisturbed(self, run_id: str, but: Sequence[str] = ()) -> None:
        """Every table of the run has the digest that an undisturbed night gave it, by our manifests and by its rows."""
        for measure in (digests, contents):
            due, found = measure(self.due or self.root, self.run_id), measure(self.root, run_id)
            optional = {"recommendation_metrics"} - found.keys()  # not due every night
            for table in {*but, *optional}:
                due.pop(table, None), found.pop(table, None)
            assert found == due
        left = [path for path in self.root.rglob("*") if path.name == "_temporary" and run_id in str(path)]
        assert left == []
        pointers = [json.loads(path.read_bytes()) for path in (self.root / "_runs").glob("*.json")]
        assert run_id in [pointer["run_id"] for pointer in pointers]

    def recovered(self, fault: str, night: Night, reader: Reader, recovery: str, but: Sequence[str] = ()) -> None:
        """Account for a fault other than a kill, from which `night` is to recover."""
        assert night.finish() == 0, "\n".join(night.lines[-20:])
        reader.look()
        self.note(fault, reader.seen, recovery)
        assert set(reader.seen) == {"whole"}
        self.same_as_undisturbed(night.run_id, but)


def seconds(root: pathlib.Path, run_id: str) -> dict[str, float]:
    return {row["job"]: row["seconds"] for row in rows(root / "job_log" / f"run_id={run_id}")}


def show(found: Mapping[str, Row], console: Console) -> None:
    grid = Grid("fault", "times", "seen by readers", "recovery", box=None)
    for fault, row in found.items():
        states = ", ".join(f"{state} ({count:,} looks)" for state, count in row.states.items())
        recovery = ", ".join(f"{count} x {name}" for name, count in sorted(row.recovery.items()))
        grid.add_row(fault, str(row.times), states, recovery)
    console.print(grid)
