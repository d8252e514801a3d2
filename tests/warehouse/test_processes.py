"""Who is at work on a run, and who only was."""

from __future__ import annotations

import subprocess
import sys

import pytest

from musai.errors import InputError
from musai.warehouse import processes

AT_WORK = (
    "import sys, time; from musai.storage import LocalStorage; from musai.warehouse import processes\n"
    "processes.note(LocalStorage(sys.argv[1]), sys.argv[2])\n"
    "print('noted', flush=True); time.sleep(600)"
)


def test_a_run_at_work_is_left_to_who_works_on_it_until_that_process_is_dead(nights) -> None:
    run = nights.begin(1, "r1")
    other = subprocess.Popen([sys.executable, "-c", AT_WORK, str(nights.root), "r1"], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "noted\n"
        with pytest.raises(InputError, match=rf"run r1 is being worked on by process {other.pid} since 20.*; wait for"):
            nights.warehouse.nobody_at_work(run)
    finally:
        other.kill()
        other.communicate()
    nights.warehouse.nobody_at_work(run)
    assert run.storage.names(f"_nights/r1/{processes.AT_WORK}") == [], "and what the dead left is gone"


def test_ones_own_work_does_not_stand_in_ones_way(nights) -> None:
    run = nights.begin(1, "r1")
    with nights.warehouse.at_work(run):
        assert len(run.storage.names(f"_nights/r1/{processes.AT_WORK}")) == 1
        nights.warehouse.nobody_at_work(run)
    assert run.storage.names(f"_nights/r1/{processes.AT_WORK}") == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"process": 5}', b"\xff"])
def test_a_note_that_says_nothing_holds_nobody_back(nights, content: bytes) -> None:
    run = nights.begin(1, "r1")
    run.storage.replace(f"_nights/r1/{processes.AT_WORK}/x.json", content)
    nights.warehouse.nobody_at_work(run)
