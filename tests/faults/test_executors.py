"""Executors of a real cluster, killed in the middle of jobs that shuffle."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence

import pyspark
import pytest

from tests.faults.conftest import DATE, SEED
from tests.faults.harness import Faults, in_nights, plan

pytestmark = pytest.mark.system
SPARK_CLASS = pathlib.Path(pyspark.__file__).parent / "bin" / "spark-class"
WITHIN_S = 120


def started(main: str, *arguments: str, log: pathlib.Path) -> subprocess.Popen[bytes]:
    command = [str(SPARK_CLASS), f"org.apache.spark.deploy.{main}", "--host", "127.0.0.1", "--webui-port", "0"]
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as file:
        return subprocess.Popen([*command, *arguments], stdout=file, stderr=file, env=environment)


def found(log: pathlib.Path, pattern: str) -> str:
    """What a daemon says of itself, once it does."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if match := re.search(pattern, log.read_text(errors="replace")):
            return match[0]
        time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[tuple[str, Sequence[int]]]:
    """A standalone cluster on loopback, of two workers with a core each: its URL, and the workers' processes."""
    folder = tmp_path_factory.mktemp("cluster")
    daemons = [started("master.Master", "--port", "0", log=folder / "master")]
    try:
        url = found(folder / "master", r"spark://127\.0\.0\.1:\d+")
        for name in ("one", "two"):
            options = ["-c", "1", "-m", "2g", "--work-dir", str(folder / f"work-{name}"), url]
            daemons.append(started("worker.Worker", *options, log=folder / name))
            found(folder / name, "Successfully registered with master")
        yield url, [daemon.pid for daemon in daemons[1:]]
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait(30)


@pytest.mark.parametrize("night", range(2))
def test_executors_are_killed(base: Faults, cluster, tmp_path, night: int) -> None:
    url, workers = cluster
    own = [f"spark.master={url}", "spark.conf.spark.executor.memory=1g", "spark.conf.spark.driver.host=127.0.0.1"]
    faults = base.copied_to(tmp_path, *own)
    faults.workers = workers
    kills = in_nights(plan(SEED, 6, ("executor",)), 3)[night]
    faults.killed(kills, DATE)
