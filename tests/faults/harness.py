"""Faults in the middle of nights: what readers saw meanwhile, how the night recovered, and whether its tables are
those of an undisturbed one. Every case adds to one table, which is printed at the end."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import json
import pathlib
import random
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table as Grid

from musai import tables
from tests.faults.night import QUICK, Night, Victim
from tests.faults.reader import Reader, contents, digests, rows

TRIES = 4  # of a night that a fault broke: more than that is hand work


@dataclasses.dataclass(frozen=True)
class Kill:
    """`share`: how far into the job, of its usual time. The job `""` is what comes before the first."""

    victim: Victim
    job: str
    share: float

    @property
    def fault(self) -> str:
        if self.victim == "worker" and self.job == "train_als":
            return "kill -9 the training process"
        return {"machine": "kill -9 everything"}.get(self.victim, f"kill -9 the {self.victim}")


def plan(seed: int, count: int, victims: Sequence[Victim]) -> list[Kill]:
    """Kills at random points; every job and every victim in turn, so that none is left out."""
    drawn = random.Random(seed)  # noqa: S311
    jobs = [*tables.order()]
    drawn.shuffle(jobs)
    kills = [Kill(victims[n % len(victims)], jobs[n % len(jobs)], drawn.uniform(0, 0.9)) for n in range(count)]
    if "worker" in victims:
        kills[-1] = Kill("worker", "train_als", 0.0)
    return kills


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
    """A warehouse with a published, undisturbed run; `seconds` are those of its jobs."""

    root: pathlib.Path
    arguments: Sequence[str]
    rows: dict[str, Row]
    run_id: str = ""
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def night(self, *more: str, **environment: str) -> Night:
        return Night([*self.arguments, *QUICK, f"warehouse={self.root}", *more], environment)

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
        """One night with these kills, each followed by `--from` the job that was at work; then what came of it."""
        with Reader(self.root) as reader:
            night, done = self.night("--run-date", str(run_date), *more), list[tuple[str, str]]()
            for kill in kills:
                night.reach(kill.job, kill.share * self.seconds.get(kill.job, 5.0))
                job, happened = night.job, night.kill(kill.victim)
                assert happened, f"{kill}: nothing to kill in {job or 'the start'}: {night.lines[-3:]}"
                if kill.victim in ("worker", "executor"):
                    done.append((kill.fault, "by itself"))
                else:
                    assert night.finish() != 0
                    night = self._again(night, job, run_date, more)
                    done.append((kill.fault, f"--from {job}" if job else "a new run"))
            night, tries = self._finished(night, run_date, more)
            reader.look()
        for fault, recovery in done:
            self.note(fault, {}, recovery)
        self.rows[done[0][0]].states.update(reader.seen)
        assert set(reader.seen) == {"whole"}
        assert tries == 0, f"{tries} more runs were needed"
        self.same_as_undisturbed(night.run_id)

    def _again(self, night: Night, job: str, run_date: dt.date, more: Sequence[str]) -> Night:
        go_on = ["--from", job] if job else []
        return self.night("--run-date", str(run_date), *go_on, *more)

    def _finished(self, night: Night, run_date: dt.date, more: Sequence[str]) -> tuple[Night, int]:
        """The night that ended well, and how many more it took."""
        for tries in range(TRIES):
            job = night.job
            if night.finish() == 0:
                return night, tries
            job = night.job or job
            night = self._again(night, job, run_date, more)
        raise AssertionError("\n".join(night.lines[-30:]))

    def same_as_undisturbed(self, run_id: str) -> None:
        """Every table of the run has the digest that an undisturbed night gave it, by our manifests and by its rows."""
        for measure in (digests, contents):
            due, found = measure(self.root, self.run_id), measure(self.root, run_id)
            due.pop("recommendation_metrics", None) if "recommendation_metrics" not in found else None
            assert found == due
        left = [path for path in self.root.rglob("*") if path.name == "_temporary" and run_id in str(path)]
        assert left == []
        pointers = [json.loads(path.read_bytes()) for path in (self.root / "_runs").glob("*.json")]
        assert run_id in [pointer["run_id"] for pointer in pointers]

    def fault(self, name: str, night: Night, reader: Reader, recovery: str) -> None:
        """Account for a fault other than a kill, after `night` recovered from it."""
        reader.look()
        self.note(name, reader.seen, recovery)
        assert set(reader.seen) == {"whole"}
        self.same_as_undisturbed(night.run_id)


def seconds(root: pathlib.Path, run_id: str) -> dict[str, float]:
    return {row["job"]: row["seconds"] for row in rows(root / "job_log" / f"run_id={run_id}")}


def show(found: Mapping[str, Row], console: Console) -> None:
    grid = Grid("fault", "times", "seen by readers", "recovery", box=None)
    for fault, row in found.items():
        states = ", ".join(f"{state} ({count:,} looks)" for state, count in row.states.items())
        recovery = ", ".join(f"{name} ({count})" for name, count in row.recovery.items())
        grid.add_row(fault, str(row.times), states or "as above", recovery)
    console.print(grid)
