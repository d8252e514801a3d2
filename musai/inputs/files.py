"""The inputs' files from outside: what is wrong with them, what identifies their content, and lists of ids in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from musai.config import Config
from musai.errors import InputError
from musai.inputs import headers, listing
from musai.inputs.listing import Entry
from musai.inputs.sources import sources

WHOLE_DIGEST = 64 * 2**20  # bytes of a file up to which the snapshot's digest covers all of it
EDGE_DIGEST = 2**20  # of a larger one: its size, and so many bytes of its beginning and of its end
ID_FILES = ("erased_users", "blocked_tracks")  # text files under `inputs`, an id a line


def check(config: Config) -> list[str]:
    """Every fault of the inputs for which a night cannot begin, a line each; reads listings and headers."""
    faults = [] if config.inputs.interactions else ["inputs.interactions: the listening log has to be named"]
    for source in sources(config):
        faults += headers.survey(source).faults
    for name in ID_FILES:
        try:
            read_ids(getattr(config.inputs, name), f"inputs.{name}")
        except InputError as error:
            faults += error.faults
    return faults


def snapshot(config: Config) -> list[dict[str, Any]]:
    """What identifies the inputs' content: input/name, size, time of change and sha256 of each file.

    The sha256 covers the whole of a file up to 64 MB, and the first and last MB of a larger one.
    Raises InputError where an input cannot be listed or a file cannot be read.
    """
    paths = {source.name: source.path for source in sources(config)}
    paths |= {name: path for name in ID_FILES if (path := getattr(config.inputs, name)) is not None}
    found, faults = [], []
    for name, path in paths.items():
        try:
            found += [_identity(name, entry) for entry in listing.entries(path)]
        except (OSError, pa.ArrowException) as error:
            faults.append(f"inputs.{name}: {path}: {headers.reason_of(error)}")
    if faults:
        raise InputError(faults)
    return found


def _identity(name: str, entry: Entry) -> dict[str, Any]:
    file = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    digest = _digest(entry) if entry.size >= 0 else None
    return {"file": f"{name}/{file}", "size": entry.size, "mtime_ns": entry.mtime_ns, "sha256": digest}


def _digest(entry: Entry) -> str:
    digest = hashlib.sha256()
    with listing.opened(entry.path) as stream:
        if entry.size > WHOLE_DIGEST:
            digest.update(stream.read(EDGE_DIGEST))
            stream.seek(-EDGE_DIGEST, os.SEEK_END)
        while block := stream.read(EDGE_DIGEST):
            digest.update(block)
    return digest.hexdigest()


def changed(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each file that came, went or changed between two snapshots."""
    old = {entry["file"]: entry for entry in before}
    new = {entry["file"]: entry for entry in after}
    lines = [f"{name} is gone" for name in old if name not in new]
    lines += [f"{name} is new" for name in new if name not in old]
    lines += [f"{name} has changed" for name in old if name in new and old[name] != new[name]]
    return sorted(lines)


def read_ids(path: str | None, key: str = "inputs") -> list[str]:
    """The ids in a text file (UTF-8), one a line, each once and as it stands; lines of white space hold none.

    Raises InputError, naming the configuration's `key`, where the file or a line of it cannot be read.
    """
    if path is None:
        return []
    try:
        with listing.opened(path) as stream:
            content = stream.read().removeprefix(b"\xef\xbb\xbf")
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{key}: {path}: {headers.reason_of(error)}") from error
    ids: dict[str, None] = {}
    faults = []
    for number, line in enumerate(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), start=1):
        try:
            ids[line.decode("utf-8")] = None
        except UnicodeDecodeError:
            faults.append(f"{key}: {path}:{number}: not valid utf-8")
    if faults:
        raise InputError(faults)
    return [one for one in ids if one.strip()]
