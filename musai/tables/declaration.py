"""What a table's declaration says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["nightly", "weekly", "history", "internal"]


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """`optional`: a night may do without it (no catalogue, say); readers then go on without.
    `by_job`: several jobs write to it in one run, each into a folder of its own.
    `served`: sorted by its key and asked for a few rows at a time, so that its files have small row groups."""

    name: str
    kind: Kind
    key: tuple[str, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    columns: tuple[Column, ...]
    comment: str
    optional: bool = False
    by_job: bool = False
    served: bool = False

    @property
    def writer(self) -> str:
        """The one writer; the first of `rejected_rows`, to which several jobs write; any of them for `job_log`."""
        return self.writers[0] if self.writers else "every job"

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


def columns(text: str) -> tuple[Column, ...]:
    """Lines of `name type | comment`."""
    found = []
    for line in text.strip().splitlines():
        declaration, comment = line.split(" | ", 1)
        name, type_ = declaration.split(maxsplit=1)
        found.append(Column(name, type_.strip(), comment.strip()))
    return tuple(found)
