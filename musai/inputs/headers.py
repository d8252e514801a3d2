"""What the files of an input say of themselves: header lines and Parquet schemas, and what is wrong with them.

Files with one header (or one Parquet schema of the columns that are wanted) form a group, which Spark reads as one.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import io
import itertools
import json
import pathlib
import zlib
from collections.abc import Container, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from musai.inputs import listing, parquet_types, records
from musai.inputs.listing import Entry, Form
from musai.inputs.sources import Source

HEAD_BYTES = (2**16, 2**24)  # of a text file that are looked at for its header: so many, or where no line ends, more
SAMPLE_LINES = 1000  # of a file without header: the most frequent number of columns among them is due in all

Reject = tuple[str, str]  # name of a file, reason


@dataclasses.dataclass(frozen=True)
class Group:
    """Files that are read alike. `columns` are (field, index from 0 in text files, column or key elsewhere)."""

    form: Form
    header: str | None
    width: int  # columns due in each line of a text file
    columns: tuple[tuple[str, Any], ...]
    types: tuple[str, ...]  # of Parquet columns, in Spark's words
    entries: tuple[Entry, ...] = ()


@dataclasses.dataclass(frozen=True)
class Survey:
    """`faults` are what makes the input unusable (exit 2), `rejects` files without which the run goes on."""

    source: Source
    groups: tuple[Group, ...]
    rejects: tuple[Reject, ...]
    faults: tuple[str, ...]

    def without(self, broken: Mapping[str, str]) -> Survey:
        """The same less some files, which are rejects now; a fault where none is left."""
        groups = []
        for group in self.groups:
            left = tuple(entry for entry in group.entries if entry.name not in broken)
            groups += [dataclasses.replace(group, entries=left)] if left else []
        rejects = tuple(sorted({**dict(self.rejects), **broken}.items()))
        faults = self.faults if groups or self.faults else tuple(_fault(self.source, *reject) for reject in rejects)
        return Survey(self.source, tuple(groups), rejects, faults)

    def only(self, names: Container[str]) -> Survey:
        """Some of the files that can be read, in the groups that they have among all."""
        groups = []
        for group in self.groups:
            named = tuple(entry for entry in group.entries if entry.name in names)
            groups += [dataclasses.replace(group, entries=named)] if named else []
        return Survey(self.source, tuple(groups), (), ())


@dataclasses.dataclass(frozen=True)
class _Look:
    """A file's header. `columns` is None where there are no names to go by (JSON lines, no header)."""

    entry: Entry
    form: Form
    columns: tuple[str, ...] | None = None
    header: str | None = None
    width: int = 0
    keys: frozenset[str] = frozenset()  # of the JSON objects at its beginning
    types: Mapping[str, str | None] = dataclasses.field(default_factory=dict)  # None: of no use here


class _NoUseError(ValueError):
    """A file cannot be used; the text says why."""


def survey(source: Source) -> Survey:
    """Look at every file of the input."""
    faults = source.faults()
    try:
        entries = listing.entries(source.path)
        if source.files is not None:
            entries = [entry for entry in entries if entry.shown in source.files]
    except (OSError, pa.ArrowException) as error:
        faults.append(f"{source.key}: {source.path}: {reason_of(error)}")
    if faults:
        return Survey(source, (), (), tuple(faults))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        looks = list(pool.map(lambda entry: _look_safely(source, entry), entries))
    seen = [look for look in looks if isinstance(look, _Look)]
    rejects: list[Reject] = [look for look in looks if isinstance(look, tuple)]
    faults = _column_faults(source, seen) if seen else []
    if not seen:
        faults = [_fault(source, name, reason) for name, reason in rejects]
        faults = faults or [f"{source.key}: {source.path}: there is no file in it, or they are empty"]
    members: dict[Group, list[Entry]] = collections.defaultdict(list)
    for look in seen:
        try:
            members[_group(source, look)].append(look.entry)
        except _NoUseError as error:
            rejects.append((look.entry.name, str(error)))
    if not members and not faults:
        faults = [_fault(source, name, reason) for name, reason in rejects]
    groups = tuple(dataclasses.replace(group, entries=tuple(found)) for group, found in members.items())
    return Survey(source, groups, tuple(sorted(rejects)), tuple(faults))


def _fault(source: Source, name: str, reason: str) -> str:
    return f"{source.key}: {name}: {reason}"


def reason_of(error: Exception) -> str:
    """One short line of what Python or Arrow says."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]


# -- one file -------------------------------------------------------------------------------------------------------


def _look_safely(source: Source, entry: Entry) -> _Look | Reject | None:
    """The file's header, or why it is of no use; None for an empty file, which counts as nothing."""
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        name = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return name, "the name of the file is not valid utf-8"
    try:
        return _look(source, entry)
    except (_NoUseError, OSError, EOFError, zlib.error, pa.ArrowException) as error:
        return entry.name, reason_of(error)


def _look(source: Source, entry: Entry) -> _Look | None:
    if entry.size == 0:
        return None
    if pathlib.PurePosixPath(entry.name).name.startswith(listing.HIDDEN):
        raise _NoUseError("files whose names begin with . or _ are left out")
    if entry.size < 0:
        raise _NoUseError("it is a dangling link or no regular file")
    try:
        form = listing.form(entry.name, source.format)
    except ValueError as error:
        raise _NoUseError(str(error)) from error
    if form.kind == "parquet":
        return _look_at_parquet(entry, form)
    for limit in HEAD_BYTES:
        head = _head(entry, form, limit)
        if not head:
            return None
        whole = len(head) < limit
        found = records.records(
            io.BytesIO(head), source.encoding, form.separator or "", source.format.quote, _spans(source, form)
        )
        lines = list(itertools.islice(found, SAMPLE_LINES))
        if not whole and len(lines) < SAMPLE_LINES:
            lines.pop()  # which may be cut off
        lines = [line for line in lines if not records.blank(line.text, form.separator or "")]
        if lines or whole:
            break
    else:
        raise _NoUseError(f"its first {limit >> 20} MiB hold no whole line")
    if form.kind == "json":
        return _Look(entry, form, keys=_keys(lines))
    return _look_at_lines(source, entry, form, lines) if lines else None


def _spans(source: Source, form: Form) -> bool:
    return source.multiline and form.kind == "csv"


def _head(entry: Entry, form: Form, limit: int) -> bytes:
    head = b""
    with listing.opened(entry.path) as stream:
        try:
            text = listing.unpacked(stream) if form.packed else stream
            while len(head) < limit and (block := text.read(limit - len(head))):
                head += block
        except (OSError, EOFError, zlib.error) as error:
            raise _NoUseError(f"unreadable gzip: {reason_of(error)}" if form.packed else reason_of(error)) from error
    return head


def _look_at_lines(source: Source, entry: Entry, form: Form, lines: Sequence[records.Record]) -> _Look:
    """The header, or where there is none the number of columns that most lines have."""
    separator, quote = form.separator or "", source.format.quote
    if not source.format.header:
        counts = collections.Counter(
            len(tokens) for line in lines if line.valid and (tokens := records.tokens(line.text, separator, quote))
        )
        width = max(counts, key=lambda width: (counts[width], width)) if counts else 0
        return _Look(entry, form, width=width)
    if not lines[0].valid:
        raise _NoUseError(f"its header is not valid {source.encoding}")
    names = records.tokens(lines[0].text, separator, quote)
    if names is None:
        raise _NoUseError("its header has broken quoting")
    return _Look(entry, form, tuple(name.strip() for name in names), lines[0].text, len(names))


def _keys(lines: Sequence[records.Record]) -> frozenset[str]:
    keys: set[str] = set()
    for line in lines:
        try:
            value = json.loads(line.text) if line.valid else None
        except (ValueError, RecursionError):
            continue
        keys |= set(value) if isinstance(value, dict) else set()
    return frozenset(keys)


def _look_at_parquet(entry: Entry, form: Form) -> _Look:
    with listing.opened(entry.path) as stream:
        try:
            file = pq.ParquetFile(stream)
            schema, physical = file.schema_arrow, _physical(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _NoUseError(f"unreadable Parquet: {reason_of(error)}") from error
    types = {field.name: parquet_types.spark_type(field.type, physical.get(field.name)) for field in schema}
    return _Look(entry, form, tuple(schema.names), types=types)


def _physical(file: pq.ParquetFile) -> dict[str, str]:
    columns = [file.schema.column(index) for index in range(len(file.schema))]
    return {column.path: column.physical_type for column in columns}


# -- columns --------------------------------------------------------------------------------------------------------


def _group(source: Source, look: _Look) -> Group:
    """The group of a file. Raises _NoUseError where a required column is missing or of a type that says nothing."""
    columns, types = [], []
    for field in source.fields:
        place = _place(source, look, field)
        if place is None:
            if field in source.required:
                raise _NoUseError(f"no column {source.theirs(field)!r}")
            continue
        if look.form.kind == "parquet":
            type_ = look.types[place]
            if type_ == parquet_types.NOTHING:
                continue
            if type_ is None or not parquet_types.fits(field, type_):
                raise _NoUseError(f"column {place!r} is of a type that cannot be {field}")
            types.append(type_)
        columns.append((field, place))
    if not {field for field, _ in columns} >= set(source.required):
        raise _NoUseError("a required column holds nulls only")
    return Group(look.form, look.header, look.width, tuple(columns), tuple(types))


def _place(source: Source, look: _Look, field: str) -> Any:
    """Where a file holds a field: index, column or key; None where it does not."""
    theirs = source.theirs(field)
    if look.form.kind == "json":
        return None if isinstance(theirs, int) else theirs
    if isinstance(theirs, int):
        names = look.columns
        if look.form.kind == "parquet":
            return names[theirs - 1] if names and theirs <= len(names) else None
        return theirs - 1 if theirs <= look.width else None
    if look.columns is None or theirs not in look.columns:
        return None
    alike = [name for name in look.columns if name == theirs]
    if look.form.kind == "parquet":  # Spark takes names for equal that differ in case alone
        alike = [name for name in look.columns if name.lower() == theirs.lower()]
    if len(alike) > 1:
        raise _NoUseError(f"the column {theirs!r} stands in it twice")
    return theirs if look.form.kind == "parquet" else look.columns.index(theirs)


def _column_faults(source: Source, looks: Sequence[_Look]) -> list[str]:
    """Columns that are required, or named in the configuration, and that no file has."""
    faults = []
    for field in source.fields:
        theirs, key = source.theirs(field), f"{source.key}_columns.{field}"
        named = field in source.columns
        if not (named or field in source.required) or any(_has(source, look, field) for look in looks):
            continue
        if look := next((look for look in looks if look.columns is not None or look.form.kind == "json"), None):
            known = sorted(look.keys) if look.columns is None else look.columns
            has = ", ".join(repr(name) for name in known[:20]) + (", ..." if len(known) > 20 else "")
            has = f"has {has}" if known else "names none"
            if isinstance(theirs, int) and look.columns is None:
                faults.append(f"{key}: JSON lines have no positions; name the key instead of {theirs}")
                continue
            hint = "" if named else f"; name the one that holds it with {key}"
            faults.append(f"{key if named else source.key}: no column {theirs!r}: {look.entry.name} {has}{hint}")
        elif isinstance(theirs, int):
            faults.append(f"{key}: {theirs}: {looks[0].entry.name} has {looks[0].width} columns")
        else:
            faults.append(f"{key}: where {source.key}_format.header is false its position is due, from 1")
    return faults


def _has(source: Source, look: _Look, field: str) -> bool:
    try:
        place = _place(source, look, field)
    except _NoUseError:
        return True
    if look.form.kind == "json" and look.keys and field in source.required:
        return place in look.keys
    return place is not None


__all__ = ["Group", "Reject", "Survey", "reason_of", "survey"]
