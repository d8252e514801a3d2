"""Folders that are whole or not there: two builders, a killed one, missing and cut files, stale ones."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from musai.ranking import cache
from musai.scratch import scratch

BUILDER = """
import pathlib, sys, time
from musai.ranking import cache
log, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])

def build(folder):
    with log.open("a") as file:
        file.write("built\\n")
    (folder / "first").write_text("half")
    print("building", flush=True)
    time.sleep(seconds)
    (folder / "second").write_text("whole")

print((cache.folder("key", build) / "second").read_text(), flush=True)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A machine of its own, as far as scratch files go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def start(log: pathlib.Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(log), str(seconds)], stdout=subprocess.PIPE, text=True)


def build(folder: pathlib.Path) -> None:
    (folder / "first").write_text("one")
    (folder / "second").write_text("two")


def never(folder: pathlib.Path) -> None:
    raise AssertionError("built again")


def test_one_of_two_processes_builds(tmp_path):
    log = tmp_path / "log"
    both = [start(log, 1), start(log, 1)]
    assert sorted(process.communicate(timeout=120)[0] for process in both) == ["building\nwhole\n", "whole\n"]
    assert log.read_text() == "built\n"


def test_what_a_killed_builder_left_is_never_used(tmp_path):
    log = tmp_path / "log"
    killed = start(log, 600)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "building\n"
    waiting = start(log, 0)
    killed.send_signal(signal.SIGKILL)
    assert waiting.communicate(timeout=120)[0] == "building\nwhole\n"
    killed.communicate()
    assert log.read_text() == "built\nbuilt\n"
    assert [path.name for path in scratch("models").iterdir() if path.name.startswith(cache.BUILDING)] == []


def test_a_builder_that_fails_leaves_nothing():
    def fail(folder: pathlib.Path) -> None:
        build(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.folder("key", fail)
    assert [path.name for path in scratch("models").iterdir()] == [".lock"]
    assert (cache.folder("key", build) / "second").read_text() == "two"


def test_built_once_and_dropped():
    found = cache.folder("key", build)
    assert cache.folder("key", never) == found
    assert cache.folder("other", build) != found
    cache.drop("key")
    assert not found.exists()
    cache.drop("key")
    assert cache.folder("other", never).is_dir()
    with pytest.raises(AssertionError, match="built again"):
        cache.folder("key", never)


@pytest.mark.parametrize("harm", ["missing", "cut", "contents missing", "contents cut", "empty"])
def test_a_harmed_folder_is_built_anew(harm):
    """As a cleaner of /tmp leaves it that removes old files one by one, or a machine that lost its power."""
    found = cache.folder("key", build)
    if harm == "missing":
        (found / "first").unlink()
    elif harm == "cut":
        (found / "first").write_text("")
    elif harm == "contents missing":
        (found / cache.CONTENTS).unlink()
    elif harm == "contents cut":
        (found / cache.CONTENTS).write_text('{"first": 3')
    else:
        for path in found.iterdir():
            path.unlink()
    assert cache.folder("key", build) == found
    assert ((found / "first").read_text(), (found / "second").read_text()) == ("one", "two")


def test_folders_that_nobody_opens_are_removed_by_the_next_builder():
    old, used, new = (cache.folder(key, build) for key in ("old", "used", "new"))
    long_ago = time.time() - cache.STALE_S - 60
    for folder in (old, used):
        os.utime(folder, (long_ago, long_ago))
    cache.folder("used", never)
    cache.folder("next", build)
    assert [folder.exists() for folder in (old, used, new)] == [False, True, True]


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    scratch("models")
    (root,) = (path for path in tmp_path.iterdir() if path.name.startswith("musai-"))
    root.chmod(0o777)
    with pytest.raises(PermissionError, match="TMPDIR"):
        scratch("models")
    root.chmod(0o700)
    shutil.move(root, tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="TMPDIR"):
        scratch("models")
