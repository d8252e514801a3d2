"""Every table once: schema, key, kind, writer and readers. The order of the jobs follows from it.

Types are Spark's own, as text, so that a DAG file can import this module without Spark. Times are UTC microseconds.
Kinds: `nightly` tables in a pointer come from one run; `weekly` ones keep their last published run; `history` ones
grow by one run's rows a run; `internal` ones live in the run's own folder and are no part of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable

from musai.errors import InputError
from musai.tables import emotion, recommendation
from musai.tables.declaration import Column, Kind, Table

TABLES: dict[str, Table] = {table.name: table for table in (*recommendation.DECLARED, *emotion.DECLARED)}


def reads(job: str) -> list[Table]:
    return [table for table in TABLES.values() if job in table.readers]


def writes(job: str) -> list[Table]:
    return [table for table in TABLES.values() if job in table.writers]


def order(wanted: Iterable[str] | None = None) -> list[str]:
    """The jobs so that each comes after the writers of all it reads; ties in the order of declaration."""
    after = dependencies()
    done: list[str] = []
    while len(done) < len(after):
        ready = [job for job, needs in after.items() if job not in done and needs <= set(done)]
        if not ready:
            raise ValueError(f"the tables form a circle among {sorted(set(after) - set(done))}")
        done.append(ready[0])
    if wanted is None:
        return done
    asked = set(wanted)
    unknown = sorted(asked - set(done))
    if unknown:
        raise InputError(f"no job {', '.join(unknown)}; the jobs are {', '.join(done)}")
    return [job for job in done if job in asked]


def dependencies() -> dict[str, set[str]]:
    """Job -> the jobs whose tables it reads."""
    jobs = dict.fromkeys(job for table in TABLES.values() for job in (*table.writers, *table.readers))
    return {job: {writer for table in reads(job) for writer in table.writers} - {job} for job in jobs}


def downstream(job: str) -> set[str]:
    """`job` and every job that depends on it, directly or not."""
    after, found = dependencies(), {job}
    while True:
        more = {other for other, needs in after.items() if needs & found} - found
        if not more:
            return found
        found |= more


__all__ = ["TABLES", "Column", "Kind", "Table", "dependencies", "downstream", "order", "reads", "writes"]
