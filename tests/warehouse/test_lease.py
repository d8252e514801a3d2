"""Who may publish: one at a time, for a while, whatever clocks do and whoever dies."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from musai.errors import Superseded
from musai.storage import LocalStorage
from musai.warehouse import lease, processes

SECONDS = 60.0


@pytest.fixture
def store(tmp_path) -> LocalStorage:
    return LocalStorage(str(tmp_path))


def left_behind(store: LocalStorage, until_s: float, **more: Any) -> None:
    """A lease that a run `other` of 2026-01-01 took and never gave back."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=until_s)
    entry = {
        "run_id": "other", "run_date": "2026-01-01", "until": until.isoformat(), "seconds": SECONDS,
        "process": {"place": "another machine", "pid": 1}, **more,
    }  # fmt: skip
    store.replace("_lease/000000000007.json", json.dumps(entry).encode())


def take(store: LocalStorage, run_id: str = "mine", run_date: str = "2026-01-01", seconds: float = SECONDS):
    return lease.held(store, seconds, run_id, run_date)


def test_it_is_free_again_when_its_holder_is_done(store) -> None:
    for number, run_id in enumerate("abc", start=1):
        with take(store, run_id) as check:
            check()
            assert store.names("_lease") == [f"{number:012d}.json"]
    assert json.loads(store.read("_lease/000000000003.json")) == {"released": True}


def test_it_is_free_again_when_its_holder_fails(store) -> None:
    with pytest.raises(KeyError), take(store, "a"):
        raise KeyError
    with take(store, "b"):
        pass


def test_a_rival_of_the_same_date_is_told_who_holds_it(store) -> None:
    with take(store, "a"):
        with pytest.raises(Superseded, match=r"run a of 2026-01-01 is publishing \(until 20.*nothing was changed") as e:
            take(store, "b").__enter__()
        assert "musai nightly --run-id b --from publish" in str(e.value)
    left_behind(store, until_s=30)
    with pytest.raises(Superseded, match="run other of 2026-01-01 is publishing"):
        take(store).__enter__()
    assert store.names("_lease")[-1] == "000000000007.json", "and it stays the other's"


def test_a_run_of_another_date_waits_its_turn(store) -> None:
    order: list[str] = []

    def publish(run_id: str, run_date: str) -> None:
        with take(store, run_id, run_date):
            order.append(f"{run_id} begins")
            time.sleep(0.3)
            order.append(f"{run_id} ends")

    threads = [threading.Thread(target=publish, args=(f"r{n}", f"2026-01-0{n}")) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 8
    for begins, ends in zip(order[::2], order[1::2], strict=True):
        assert begins.removesuffix(" begins") == ends.removesuffix(" ends")


@pytest.mark.parametrize(
    ("until_s", "more"),
    [
        (-0.001, {}),  # it expired
        (3 * SECONDS, {}),  # from the future: the clock was set back since, or was ahead then
        (10**9, {}),
        (30, {"run_id": "mine"}),  # an earlier attempt of the same run
    ],
)
def test_a_lease_that_holds_nobody_back_is_taken_over_at_once(store, until_s: float, more: dict[str, Any]) -> None:
    left_behind(store, until_s, **more)
    begun = time.monotonic()
    with take(store) as check:
        check()
    assert time.monotonic() - begun < 5


def test_how_long_a_lease_lasts_is_its_holders_matter(store) -> None:
    """One that was taken for an hour is not from the future to a rival whose own are short."""
    left_behind(store, 3600, seconds=3600)
    with pytest.raises(Superseded, match="run other"):
        take(store, seconds=1).__enter__()


def test_the_lease_of_a_process_that_was_killed_is_taken_over_at_once(store) -> None:
    code = (
        "import os, signal, sys; from musai.storage import LocalStorage; from musai.warehouse import lease\n"
        "held = lease.held(LocalStorage(sys.argv[1]), 60, 'other', '2026-01-01')\n"
        "held.__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, store.root], check=False)
    assert done.returncode == -9
    assert json.loads(store.read("_lease/000000000001.json"))["run_id"] == "other"
    with take(store):
        assert store.names("_lease") == ["000000000002.json"]


def test_a_living_process_of_this_machine_keeps_its_lease(store) -> None:
    left_behind(store, 30, process=processes.here() | {"pid": os.getppid(), "born": processes._born(os.getppid())})
    with pytest.raises(Superseded):
        take(store).__enter__()


def test_a_number_that_was_given_again_is_another_process(store) -> None:
    left_behind(store, 30, process=processes.here() | {"pid": os.getppid(), "born": "1"})
    with take(store):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"until": 5}', b'{"run_id": "x"}', b"\xff\xfe"])
def test_a_lease_that_says_nothing_holds_nobody_back(store, content: bytes) -> None:
    store.replace("_lease/000000000003.json", content)
    with take(store):
        assert store.names("_lease") == ["000000000004.json"]


def test_a_holder_notices_that_its_lease_was_taken_over(store) -> None:
    with take(store, "slow", seconds=0.2) as check:
        check()
        time.sleep(0.25)
        with pytest.raises(Superseded, match=r"run slow held the lease for more than 0\.2 s"):
            check()
        with take(store, "quick"), pytest.raises(Superseded, match="run quick took over the lease of run slow"):
            check()
    with take(store, "next"):
        pass


def test_a_slow_holder_does_not_release_the_lease_of_who_took_over(store) -> None:
    slow, quick = take(store, "slow", seconds=0.05), take(store, "quick")
    slow.__enter__()
    time.sleep(0.1)
    quick.__enter__()
    slow.__exit__(None, None, None)
    with pytest.raises(Superseded, match="run quick"):
        take(store, "third").__enter__()
    quick.__exit__(None, None, None)


def test_a_rival_that_looked_long_ago_withdraws(store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It saw an expired lease, slept while two others came, and takes neither's place when it wakes."""
    left_behind(store, -1)
    real, calls, second = lease._newest, [], take(store, "second")

    def slept(storage):
        calls.append(1)
        if len(calls) > 1:
            return real(storage)
        seen = real(storage)
        with take(storage, "first"):
            pass
        second.__enter__()
        assert store.names("_lease") == ["000000000009.json"]
        return seen

    monkeypatch.setattr(lease, "_newest", slept)
    with pytest.raises(Superseded, match="run second of 2026-01-01 is publishing"):
        take(store, "sleeper").__enter__()
    assert store.names("_lease") == ["000000000009.json"]


def test_of_many_at_once_one_holds_it(store) -> None:
    """Eight runs of different dates want it at the same time, again and again: never two are inside."""
    inside, most, taken = 0, 0, 0
    guard = threading.Lock()

    def run(name: str) -> None:
        nonlocal inside, most, taken
        for _ in range(4):
            with take(store, f"run-{name}", f"date-{name}") as check:
                with guard:
                    inside, taken = inside + 1, taken + 1
                    most = max(most, inside)
                time.sleep(0.001)
                check()
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, taken) == (1, 32)
