"""Compiled loops are kept where they can be, however the package was installed and whoever runs it."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import musai

# Calls one small loop; prints how often it was compiled and how often found on disk, and numba's own setting after.
CALL = """
import numba, numpy as np
from musai.ranking import top
assert top.__file__.startswith({package!r}), top.__file__
peaks = np.arange(9, dtype=np.float32)
assert top._reached(peaks, np.float32(6)) == 3
stats = top._reached.stats
print(sum(stats.cache_misses.values()), sum(stats.cache_hits.values()), repr(numba.config.CACHE_DIR))
"""


@pytest.fixture
def installed(tmp_path) -> Iterator[pathlib.Path]:
    """A copy of the package that nobody may write into."""
    shutil.copytree(
        pathlib.Path(musai.__file__).parent, tmp_path / "site" / "musai", ignore=shutil.ignore_patterns("__pycache__")
    )
    for path in (tmp_path / "site").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield tmp_path / "site"
    for path in (tmp_path / "site").rglob("*"):
        path.chmod(0o755)


def call(site: pathlib.Path, tmp_path: pathlib.Path, **environment: str) -> str:
    """In a process without a home, as Spark's workers may be."""
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True, mode=0o777)
    temporary.chmod(0o777)
    own = {"PYTHONPATH": str(site), "HOME": "/nonexistent", "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(package=str(site))],
        env={**kept, **own, **environment}, cwd="/", capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_where_nobody_can_write(installed, tmp_path):
    assert call(installed, tmp_path) == "1 0 ''"
    assert call(installed, tmp_path) == "0 1 ''"
    assert not list(installed.rglob("*.nbi"))
    assert list((tmp_path / "temporary").rglob("*.nbi"))


def test_a_change_in_another_file_of_the_package_is_seen(installed, tmp_path):
    """numba looks at a function's own file only, and at no more than its date and size."""
    assert call(installed, tmp_path) == "1 0 ''"
    other = installed / "musai" / "ranking" / "kernels.py"
    other.chmod(0o644)
    other.write_text(other.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert call(installed, tmp_path) == "1 0 ''"


def test_the_users_own_folder_wins(installed, tmp_path):
    own = tmp_path / "own"
    assert call(installed, tmp_path, NUMBA_CACHE_DIR=str(own)) == f"1 0 {str(own)!r}"
    assert list(own.rglob("*.nbi"))
