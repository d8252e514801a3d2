"""Folders of files on this machine that one process builds and all of them map: whole, or not there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator

from musai.scratch import scratch

STALE_S = 2 * 24 * 3600  # folders that nobody opened for so long are removed by the next builder
CONTENTS = "contents.json"  # name -> bytes of every other file
BUILDING = ".building-"


def folder(key: str, build: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """The folder of `key`. Where it is missing, or a file of it is missing or cut, `build` fills it anew.

    One process builds, the others wait. What a builder that was killed left behind is never used.
    """
    root = _root()
    found = root / _name(key)
    with _lock(root):
        if not _whole(found):
            _remove_stale(root)
            shutil.rmtree(found, ignore_errors=True)
            building = pathlib.Path(tempfile.mkdtemp(prefix=BUILDING, dir=root))
            try:
                build(building)
                contents = {file.name: file.stat().st_size for file in building.iterdir()}
                (building / CONTENTS).write_text(json.dumps(contents))
                building.rename(found)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        os.utime(found)
    return found


def drop(key: str) -> None:
    """Remove the folder of `key` from this machine. Who has mapped its files keeps them."""
    root = _root()
    with _lock(root):
        shutil.rmtree(root / _name(key), ignore_errors=True)


def _root() -> pathlib.Path:
    return scratch("models")


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _lock(root: pathlib.Path) -> Iterator[None]:
    with (root / ".lock").open("w") as file:  # never removed: two could each hold one then
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _whole(found: pathlib.Path) -> bool:
    """Whether every file is there with its size. (Cleaners of /tmp remove old files one by one.)"""
    try:
        contents = json.loads((found / CONTENTS).read_text())
        return all((found / name).stat().st_size == size for name, size in contents.items())
    except (OSError, ValueError):
        return False


def _remove_stale(root: pathlib.Path) -> None:
    """Called under the lock, so no builder is at work."""
    for other in root.iterdir():
        if other.is_dir():
            dead = other.name.startswith(BUILDING)
            if dead or time.time() - other.stat().st_mtime > STALE_S:
                shutil.rmtree(other, ignore_errors=True)
