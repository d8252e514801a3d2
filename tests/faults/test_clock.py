"""A clock that jumps in the middle of the night, for Python and Java alike."""

from __future__ import annotations

import pathlib
import shutil
import struct
import subprocess

import pytest

from tests.faults.conftest import DATE
from tests.faults.harness import Faults
from tests.faults.reader import Reader

pytestmark = pytest.mark.system
DAY = 24 * 3600


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> pathlib.Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("the clock takes a C compiler: apt-get install gcc libc6-dev")
    made = tmp_path_factory.mktemp("clock") / "clock.so"
    source = pathlib.Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("jump_s", [3 * DAY, -3 * DAY, -7200])
def test_a_clock_that_jumps(base: Faults, library: pathlib.Path, tmp_path, jump_s: int) -> None:
    faults = base.copied_to(tmp_path)
    ahead = tmp_path / "ahead"
    ahead.write_bytes(struct.pack("=q", 0))
    with Reader(faults.root) as reader:
        clock = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(ahead)}
        night = faults.night("--run-date", str(DATE), **clock)
        assert night.reach("compute_similarities", 0.5)
        with ahead.open("r+b") as file:
            file.write(struct.pack("=q", jump_s))
        faults.recovered("clock jumps", night, reader, "goes on")
        again = faults.night("--run-date", str(DATE))
        faults.recovered("clock jumps", again, reader, "a later run of the date wins")
