"""A clock that jumps in the middle of the night, for Python and Java alike."""

from __future__ import annotations

import pathlib
import shutil
import struct
import subprocess

import pytest

from tests.faults.conftest import date
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


@pytest.mark.parametrize(("number", "jump_s"), [(30, 3 * DAY), (31, -3 * DAY), (32, -7200)])
def test_a_clock_that_jumps(base: Faults, library: pathlib.Path, tmp_path, number: int, jump_s: int) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_bytes(struct.pack("=q", 0))
    with Reader(base.root) as reader:
        clock = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(ahead)}
        night = base.night("--run-date", str(date(number)), **clock)
        assert night.reach("compute_similarities", 0.5)
        with ahead.open("r+b") as file:
            file.write(struct.pack("=q", jump_s))
        base.recovered("clock jumps", night, reader, "goes on")
        again = base.night("--run-date", str(date(number)))
        base.recovered("clock jumps", again, reader, "a later run of the date wins")
