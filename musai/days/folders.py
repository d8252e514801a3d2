"""Which kept files serve a night: their identity, what they were judged by, and whether their bytes are whole."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime as dt
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from musai import provenance
from musai.config import Config
from musai.inputs import listing
from musai.inputs.files import whole_digests
from musai.inputs.headers import Survey
from musai.storage import Storage
from musai.warehouse import day_folders

log = logging.getLogger(__name__)

GOOD, REJECTED = "good", "rejected"  # folders within a day folder
PASSING = "log"  # folder (`Run.passing`) of the rows that a night does not keep, and of its aliases
BLOCK = 2**20  # bytes


def digest_of(value: Any) -> str:
    """sha256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def identities(survey: Survey, snapshot: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """name -> identity of the files that can be read. One without sha256 goes by its name, size and time of change."""
    known = {entry["file"].partition("/")[2]: entry for entry in snapshot if entry["file"].startswith("interactions/")}
    whole = whole_digests(entry for group in survey.groups for entry in group.entries)
    found = {}
    for group in survey.groups:
        for entry in group.entries:
            seen = known[entry.shown]
            content = whole.get(entry.name) or seen["sha256"] or dict(seen)
            found[entry.name] = digest_of([content, dataclasses.astuple(group.form)])
    return found


def first_of_each(named: Mapping[str, str]) -> dict[str, str]:
    """identity -> name of the files that are read: of those with one content the first by name."""
    return {identity: name for name, identity in sorted(named.items(), reverse=True)}


@dataclasses.dataclass(frozen=True)
class Judge:
    """What a night judges rows by."""

    key: str
    now: dt.datetime  # with the tolerance of clocks: what is later is in the future
    erased: Sequence[str]

    def serves(self, manifest: Mapping[str, Any], identity: str) -> bool:
        """Whether this night would make the same of a file that a folder holds."""
        file = manifest["files"].get(identity)
        if file is None or manifest["key"] != self.key:
            return False
        latest, future = (moment and dt.datetime.fromisoformat(moment) for moment in (file["latest"], file["future"]))
        if (latest and latest > self.now) or (future and future <= self.now):
            return False
        return not file["left_out"] or manifest["erased"] == begins(self.erased, manifest["erased"]["ids"])


def begins(erased: Sequence[str], ids: int) -> dict[str, Any]:
    """The first `ids` of a list, without naming one."""
    return {"ids": ids, "digest": digest_of(list(erased[:ids]))}


def key_of(config: Config) -> str:
    """sha256 of the settings, and of the code, by which rows are parsed and judged."""
    inputs, ingest = config.inputs, config.ingest
    settings = [
        inputs.interactions_columns,
        inputs.interactions_format.model_dump(),
        inputs.multiline,
        [ingest.time_zone, str(ingest.earliest_date), ingest.event_weights],
    ]
    return digest_of([settings, provenance.code_version()])


@dataclasses.dataclass(frozen=True)
class Kept:
    """A folder, and which of its files a night takes from it."""

    path: str
    manifest: Mapping[str, Any]
    files: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return len(self.files) == len(self.manifest["files"])


def serving(storage: Storage, wanted: Iterable[str], judge: Judge) -> list[Kept]:
    """Folders that hold wanted files (identities), each file from one of them. Damaged folders are left out."""
    missing, found = set(wanted), []
    for path, manifest in day_folders.manifests(storage).items():
        files = tuple(sorted(one for one in missing.intersection(manifest["files"]) if judge.serves(manifest, one)))
        if not files:
            continue
        if parts(storage, path) != manifest["parts"]:
            log.warning("%s is damaged: what it holds is read anew", path)
            day_folders.retire(storage, path, dt.datetime.now(dt.UTC))
            continue
        found.append(Kept(path, manifest, files))
        missing -= set(files)
    return found


def is_sound(storage: Storage, path: str) -> bool:
    """Whether a folder is written whole, and holds what it did then."""
    content = storage.read(f"{path}/{day_folders.MANIFEST}")
    return content is not None and json.loads(content)["parts"] == parts(storage, path)


def names(storage: Storage, path: str) -> list[str]:
    """The parts of a folder, as paths within it."""
    return [f"{part}/{name}" for part in (GOOD, REJECTED) for name in storage.names(f"{path}/{part}")
            if not name.startswith(listing.HIDDEN)]  # fmt: skip


def parts(storage: Storage, path: str) -> dict[str, str | None]:
    """sha256 of every part of a folder; None of one that cannot be read."""
    every = names(storage, path)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(zip(every, pool.map(lambda name: _sha256(storage.uri(f"{path}/{name}")), every), strict=True))


def _sha256(path: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with listing.opened(path) as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except (OSError, pa.ArrowException):
        return None
    return digest.hexdigest()
