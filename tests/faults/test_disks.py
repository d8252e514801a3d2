"""A warehouse on a disk that is full, or cannot be written: the night says so, and the next one needs no hand work."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.faults.conftest import DATE
from tests.faults.harness import Faults
from tests.faults.reader import Reader

pytestmark = pytest.mark.system
DISK_MB = 64


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A small disk in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "musai-faults", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a disk of its own needs root: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("free_kb", [32, 200, 400])
def test_a_full_disk(base: Faults, disk: pathlib.Path, free_kb: int) -> None:
    faults = base.copied_to(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - free_kb * 1024))
    with Reader(faults.root) as reader:
        night = faults.night("--run-date", str(DATE))
        assert night.finish() == 1
        assert "No space left on device" in night.said
        ballast.unlink()
        go_on = ["--from", night.job] if night.run_id else []
        faults.recovered("full disk", faults.night("--run-date", str(DATE), *go_on), reader, "--from")


def test_a_disk_that_cannot_be_written(base: Faults, disk: pathlib.Path) -> None:
    faults = base.copied_to(disk)
    with Reader(faults.root) as reader:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        night = faults.night("--run-date", str(DATE))
        assert night.finish() == 1
        assert "Read-only file system" in night.said
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        faults.recovered("read-only disk", faults.night("--run-date", str(DATE)), reader, "a new run")
