"""Every table once: schema, key, kind, writer and readers. The order of the jobs follows from it.

Types are Spark's own, as text, so that a DAG file can import this module without Spark. Times are UTC microseconds.
Kinds: `nightly` tables in a pointer come from one run; `weekly` ones keep their last published run, and a job that
writes one is a weekly job, which runs apart from the nights; `history` ones grow by one run's rows a run; `internal`
ones live in the run's own folder and are no part of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable

from musai.errors import InputError
from musai.tables import creation, emotion, recommendation, tracks, trained
from musai.tables.declaration import Column, Kind, Table

MODULES = (recommendation, tracks, emotion, creation, trained)
TABLES: dict[str, Table] = {table.name: table for module in MODULES for table in module.DECLARED}


def reads(job: str) -> list[Table]:
    return [table for table in TABLES.values() if job in table.readers]


def writes(job: str) -> list[Table]:
    return [table for table in TABLES.values() if job in table.writers]


def is_weekly(job: str) -> bool:
    """Whether a job trains what the nights use until a newer one is there: it writes a weekly table."""
    return any(table.kind == "weekly" for table in writes(job))


def order(wanted: Iterable[str] | None = None) -> list[str]:
    """Jobs so that each comes after the writers of all it reads; ties in the order of declaration.

    All jobs of the night, or the `wanted` ones, which may be weekly. Raises InputError where there is no such job, or
    where both kinds are asked for: a night and a weekly training are runs of their own.
    """
    after = dependencies()
    done: list[str] = []
    while len(done) < len(after):
        ready = [job for job, needs in after.items() if job not in done and needs <= set(done)]
        if not ready:
            raise ValueError(f"the tables form a circle among {sorted(set(after) - set(done))}")
        done.append(ready[0])
    if wanted is None:
        return [job for job in done if not is_weekly(job)]
    asked = set(wanted)
    unknown = sorted(asked - set(done))
    if unknown:
        raise InputError(f"no job {', '.join(unknown)}; the jobs are {', '.join(done)}")
    if len({is_weekly(job) for job in asked}) > 1:
        raise InputError(f"{', '.join(sorted(filter(is_weekly, asked)))}: weekly, not to be run with jobs of the night")
    return [job for job in done if job in asked]


def weekly() -> list[str]:
    """The weekly jobs in their order."""
    return order(job for job in dependencies() if is_weekly(job))


def dependencies() -> dict[str, set[str]]:
    """Job -> the jobs of its own schedule whose tables it reads.

    In the order of the tables that they write. A weekly job reads the published night, and a night the published weekly
    tables: no job waits for the other kind.
    """
    writers = [job for table in TABLES.values() for job in table.writers]
    jobs = dict.fromkeys([*writers, *(job for table in TABLES.values() for job in table.readers)])
    found = {job: {writer for table in reads(job) for writer in table.writers} - {job} for job in jobs}
    return {job: {need for need in needs if is_weekly(need) == is_weekly(job)} for job, needs in found.items()}


def downstream(job: str) -> set[str]:
    """`job` and every job that depends on it, directly or not."""
    after, found = dependencies(), {job}
    while True:
        more = {other for other, needs in after.items() if needs & found} - found
        if not more:
            return found
        found |= more


__all__ = [
    "TABLES",
    "Column",
    "Kind",
    "Table",
    "dependencies",
    "downstream",
    "is_weekly",
    "order",
    "reads",
    "weekly",
    "writes",
]
