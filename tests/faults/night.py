"""A night in a process of its own: where it is, what of it can be killed, and how it ended."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from musai import tables

Victim = Literal["driver", "spark", "worker", "executor", "machine"]

BEGUN = re.compile(r"^ *[\d.]+ s  run (\S+): \d+ jobs(?:, kept (.*))?$")
DONE = re.compile(r"^ *[\d.]+ s  (\w+) +[\d.]+ s  [\d,]+ rows read")
POLL_S = 0.002
# A tiny night spends its time on starting and compiling: the cheaper compiler of Java, and none of Spark's stages.
QUICK = (
    "spark.driver_memory=1g", "spark.shuffle_partitions=2", "spark.conf.spark.sql.codegen.wholeStage=false",
    "spark.conf.spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)  # fmt: skip


class Night:
    """`musai nightly`, or another command, with some arguments, from its start to its end; `job` is the one at work."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        workers: Sequence[int] = (),
        command: Sequence[str] = ("nightly",),
    ) -> None:
        """`workers` are the processes of a cluster whose executors may be killed."""
        self.workers = workers
        self.run_id = ""
        self.job = ""
        self.lines: list[str] = []
        self._left: list[str] = []
        self._since = 0.0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "musai", *command, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if begun := BEGUN.match(self.lines[-1]):
                self.run_id, kept = begun[1], (begun[2] or "").split(", ")
                self._next([job for job in tables.order() if job not in kept])
            elif DONE.match(self.lines[-1]):
                self._next(self._left[1:])

    def _next(self, left: list[str]) -> None:
        self._left, self._since = left, time.monotonic()
        self.job = left[0] if left else ""

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def reach(self, job: str, seconds: float) -> bool:
        """Wait until it is so many seconds into the job; False where it ended, or went past the job, before."""
        while not self.over:
            if self.job == job and time.monotonic() - self._since >= seconds:
                return True
            if self._left and job not in self._left:
                return False
            time.sleep(POLL_S)
        return False

    def kill(self, victim: Victim) -> bool:
        """kill -9 it. A worker (or an executor) is waited for while the job goes on; False where there came none."""
        job = self.job
        while not self.over and self.job == job:
            if found := self._processes(victim):
                for process in found:
                    _kill(process)
                return True
            time.sleep(POLL_S)
        return False

    def _processes(self, victim: Victim) -> list[int]:
        driver, tree = self.process.pid, _tree()
        if victim == "driver":
            return [driver]
        below = list(_below(driver, tree))
        if victim == "machine":
            return [driver, *below]
        if victim == "executor":
            executors = [pid for worker in self.workers for pid in _below(worker, tree)]
            return [pid for pid in executors if "CoarseGrainedExecutorBackend" in _command(pid)][:1]
        spark = [pid for pid in below if "org.apache.spark.deploy.SparkSubmit" in _command(pid)]
        if victim == "spark":
            return spark
        daemons = [pid for pid in below if "pyspark.daemon" in _command(pid) and tree[pid] in spark]
        workers = [pid for pid in below if tree[pid] in daemons]
        return [pid for pid in workers if _state(pid) == "R"][:1]

    def finish(self, timeout_s: float = 300) -> int:
        """Its exit status; the negative signal where it was killed."""
        try:
            return self.process.wait(timeout_s)
        finally:
            self.end()

    def end(self) -> None:
        """Leave nothing of it behind."""
        for pid in [self.process.pid, *_below(self.process.pid, _tree())]:
            _kill(pid)
        self.process.wait()
        self._reader.join(10)

    @property
    def said(self) -> str:
        """The line for people: the last that `musai` printed itself."""
        return next((line for line in reversed(self.lines) if line.startswith(("musai: ", "published "))), "")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _tree() -> dict[int, int]:
    """Process -> its parent."""
    return {int(path.name): parent for path in pathlib.Path("/proc").glob("[0-9]*") if (parent := _parent(path))}


def _parent(path: pathlib.Path) -> int:
    return int((_stat(path) or ["", "0"])[1])


def _state(pid: int) -> str:
    return (_stat(pathlib.Path(f"/proc/{pid}")) or [""])[0]


def _stat(path: pathlib.Path) -> list[str]:
    """State, parent, ... of a process; nothing where it is gone."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _command(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _below(pid: int, tree: Mapping[int, int]) -> Iterator[int]:
    for child, parent in tree.items():
        if parent == pid:
            yield child
            yield from _below(child, tree)
