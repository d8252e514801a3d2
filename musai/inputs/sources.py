"""An input as the configuration describes it."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from musai.config import Config, FileFormat

FIELDS: Mapping[str, tuple[str, ...]] = {
    "interactions": ("user_id", "track_id", "plays", "event", "timestamp"),
    "tracks": (
        *("track_id", "title", "artist", "album", "genre", "release_date", "language", "lyrics", "tags"),
        *("audio_path", "midi_path", "licence", "explicit"),
    ),
    "aliases": ("bad_id", "good_id"),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "interactions": ("user_id", "track_id"),
    "tracks": ("track_id",),
    "aliases": ("bad_id", "good_id"),
}


@dataclasses.dataclass(frozen=True)
class Source:
    """`columns` maps our columns to theirs, a name or a position counted from 1; what it lacks bears our name."""

    name: str  # the key under `inputs`, and `rejected_rows.source`
    path: str
    columns: Mapping[str, str | int]
    format: FileFormat
    multiline: bool
    files: frozenset[str] | None = None  # names, as shown, of those to read; None: all that are there

    @property
    def fields(self) -> tuple[str, ...]:
        return FIELDS[self.name]

    @property
    def required(self) -> tuple[str, ...]:
        return REQUIRED[self.name]

    @property
    def key(self) -> str:
        return f"inputs.{self.name}"

    def theirs(self, field: str) -> str | int:
        return self.columns.get(field, field)

    def faults(self) -> list[str]:
        """What is wrong with the description itself."""
        key, found = f"{self.key}_format", []
        separator, quote, encoding = self.format.separator, self.format.quote, self.format.encoding
        try:
            if "a".encode(encoding).decode(encoding, "replace") != "a":
                raise LookupError
        except (LookupError, UnicodeError, TypeError):
            found.append(f"{key}.encoding: {encoding!r} is no encoding that Python knows")
        if separator is not None and (not separator or set(separator) & set("\r\n")):
            found.append(f"{key}.separator: {separator!r} cannot stand between columns")
        if separator and quote and quote in separator:
            found.append(f"{key}.quote: {quote!r} is in the separator too")
        if quote and quote in "\r\n":
            found.append(f"{key}.quote: a line end cannot quote")
        return found

    @property
    def encoding(self) -> str:
        """The name that Python gives the encoding: utf-8, utf-16, iso8859-1, ..."""
        name = codecs.lookup(self.format.encoding).name
        return "utf-8" if name == "utf-8-sig" else name

    @property
    def wide(self) -> bool:
        """Whether a line ends with something else than the byte 10 or 13 (UTF-16, EBCDIC)."""
        return "a\r\n".encode(self.encoding)[1:] != b"\r\n"


def source(config: Config, name: str, snapshot: Sequence[Mapping[str, Any]] | None = None) -> Source | None:
    """The input `interactions`, `tracks` or `aliases`; None where the configuration has none.

    With a run's `snapshot` it holds that run's files alone, whatever came since.
    """
    inputs: Any = config.inputs
    path: str | None = getattr(inputs, name)
    if path is None:
        return None
    columns, form = getattr(inputs, f"{name}_columns"), getattr(inputs, f"{name}_format")
    files = None
    if snapshot is not None:
        known = [entry["file"].partition("/") for entry in snapshot]
        files = frozenset(file for owner, _, file in known if owner == name)
    return Source(name, path, columns, form, inputs.multiline, files)


def sources(config: Config) -> Sequence[Source]:
    return [found for name in FIELDS if (found := source(config, name))]
