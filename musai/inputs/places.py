"""What people read of a row that could not be used: its file and line, and its text, made safe."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

RAW_CHARACTERS = 1000
RAW_BYTES = 32 * 2**10  # of a row that are looked at for ids of erased users
ERASED = "[erased]"
SCHEMA = "place string, reason string, raw string"


def plain(path: str) -> str:
    """A path or URI as Spark's `_metadata.file_path` gives it, without its escapes and without `file:`."""
    return local(urllib.parse.unquote(path))


def local(path: str) -> str:
    return re.sub(r"^file:/+", "/", path)


def shown(raw: bytes | None) -> str | None:
    """The row's text, bytes that are no UTF-8 as \\xNN."""
    return None if raw is None else raw[: 4 * RAW_CHARACTERS].decode("utf-8", "backslashreplace")[:RAW_CHARACTERS]


def holds_any(ids: Iterable[str]) -> Callable[[bytes], bool]:
    """A function that says whether one of the ids stands anywhere in a row, as it is or as CSV or JSON write it."""
    by_length: dict[int, set[bytes]] = {}
    for one in ids:
        for text in (one, one.replace('"', '""'), json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1]):
            raw = text.encode("utf-8", "surrogatepass")
            by_length.setdefault(len(raw), set()).add(raw)

    def holds(row: bytes) -> bool:
        return any(
            row[start : start + length] in known
            for length, known in by_length.items()
            for start in range(len(row) - length + 1)
        )

    return holds


def described(
    names: Mapping[str, str], rows: frozenset[str], erased: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For Spark's mapInArrow: (file, line, reason, raw, unknown) -> (place, reason, raw).

    `names` are the inputs' names of the files, `rows` those counted by rows rather than lines (Parquet). A row
    whose user is `unknown` because it could not be parsed does not show its text where an erased id stands in it.
    """
    holds = holds_any(erased)

    def place(name: str, line: int | None) -> str:
        if line is None:
            return name
        return f"{name}:row {line}" if name in rows else f"{name}:{line}"

    def text(raw: bytes | None, unknown: bool) -> str | None:
        return ERASED if unknown and raw and erased and holds(raw) else shown(raw)

    def describe(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            files, lines, reasons, raws, unknown = (column.to_pylist() for column in batch.columns)
            known = {file: names.get(plain(file), plain(file)) for file in set(files)}
            places = [place(known[file], line) for file, line in zip(files, lines, strict=True)]
            texts = [text(raw, user) for raw, user in zip(raws, unknown, strict=True)]
            arrays = [pa.array(values, pa.string()) for values in (places, reasons, texts)]
            yield pa.RecordBatch.from_arrays(arrays, names=["place", "reason", "raw"])

    return describe
