"""The inputs' files from outside: what is wrong with them, what identifies their content, and lists of ids in them."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from musai import provenance
from musai.config import Config
from musai.errors import InputError, MusaiError, listed
from musai.inputs import headers, listing
from musai.inputs.listing import Entry
from musai.inputs.sources import sources

log = logging.getLogger(__name__)

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


def snapshot(config: Config, known: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """What identifies the inputs' content: input/name, size, time of change and sha256 of each file.

    The sha256 covers the whole of a file up to 64 MB; of a larger one the first and last MB and the time of change.
    A file that has the same size and time in `known`, an earlier snapshot, is not read again; one that cannot be read
    has no sha256, and is a reject. Raises InputError where an input cannot be listed.
    """
    unchanged = {(e["file"], e["size"], e["changed_ns"]): e["sha256"] for e in known if e["sha256"]}
    paths = {source.name: source.path for source in sources(config)}
    paths |= {name: path for name in ID_FILES if (path := getattr(config.inputs, name)) is not None}
    found, faults = [], []
    for name, path in paths.items():
        try:
            found += [_identity(name, entry, unchanged) for entry in listing.entries(path)]
        except (OSError, pa.ArrowException) as error:
            faults.append(f"inputs.{name}: {path}: {headers.reason_of(error)}")
    if faults:
        raise InputError(faults)
    return found


def check_unchanged(config: Config, before: Sequence[Mapping[str, Any]]) -> None:
    """Raise MusaiError where a file of a snapshot changed since: another attempt may do, unlike after InputError."""
    if changed := provenance.changed_inputs(before, snapshot(config, before)):
        raise MusaiError(f"an input changed while it was read: {listed(changed)}; run the night again")


def _identity(name: str, entry: Entry, unchanged: Mapping[tuple[str, int, int], str]) -> dict[str, Any]:
    seen = (f"{name}/{entry.shown}", entry.size, entry.changed_ns)
    digest = unchanged[seen] if seen in unchanged else _digest(entry)
    return {"file": seen[0], "size": entry.size, "changed_ns": entry.changed_ns, "sha256": digest}


def whole_digests(entries: Iterable[Entry]) -> dict[str, str | None]:
    """name -> sha256 of all of it, of the large files that are alike in size and at both ends: one file that was
    delivered twice, most likely, which a snapshot cannot tell."""
    large = [entry for entry in entries if entry.size > WHOLE_DIGEST]
    looks: tuple[Callable[[Entry], object], ...] = (lambda one: one.size, _edges)
    for look in looks:
        seen = {entry.name: look(entry) for entry in large}
        often = collections.Counter(seen.values())
        large = [entry for entry in large if often[seen[entry.name]] > 1]
    return {entry.name: _digest(entry, whole=True) for entry in large}


def _edges(entry: Entry) -> str | None:
    return _digest(dataclasses.replace(entry, changed_ns=0))


def _digest(entry: Entry, whole: bool = False) -> str | None:
    """None of what is no file, or cannot be read."""
    if entry.size < 0:
        return None
    digest = hashlib.sha256()
    try:
        with listing.opened(entry.path) as stream:
            if entry.size > WHOLE_DIGEST and not whole:
                digest.update(b"%d " % entry.changed_ns + stream.read(EDGE_DIGEST))
                stream.seek(-EDGE_DIGEST, os.SEEK_END)
            while block := stream.read(EDGE_DIGEST):
                digest.update(block)
    except (OSError, pa.ArrowException) as error:
        log.warning("%s: %s", entry.shown, headers.reason_of(error))
        return None
    return digest.hexdigest()


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
