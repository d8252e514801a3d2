"""A standalone Spark cluster of a master and two workers, as three machines would have it: own folders, clean
environments, on loopback or each in a network namespace of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence

import pyspark

ROOT = pathlib.Path(__file__).parents[2]
BUNDLE = ROOT / "var/bundle"
SPARK_HOME = pathlib.Path(pyspark.__file__).parent
CORES, MEMORY = 2, "1g"  # of each worker, and of its executor
START_S = 300.0
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for JVMs that end before optimised code would pay


@dataclasses.dataclass
class Host:
    """A machine: where it keeps its files, its address, and what a command begins with to run on it."""

    folder: pathlib.Path
    address: str = "127.0.0.1"
    prefix: Sequence[str] = ()

    def environment(self) -> dict[str, str]:
        """Java, Spark, a temporary folder and the kernels that BLAS is told to take, which its bits depend on; nothing
        that leads to the project."""
        java = pathlib.Path(shutil.which("java") or "java").parent
        kept = {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}
        kept |= {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        return kept | {
            "PATH": f"{java}:/usr/local/bin:/usr/bin:/bin", "SPARK_HOME": str(SPARK_HOME), "HOME": str(self.folder),
            "SPARK_LOCAL_IP": self.address, "TMPDIR": str(self.folder / "tmp"), "LANG": "C.UTF-8",
        }  # fmt: skip

    def daemon(self, name: str, *arguments: str, **environment: str) -> tuple[subprocess.Popen[bytes], pathlib.Path]:
        """One of Spark's servers, and the file that it logs to."""
        log = self.folder / f"{name.lower()}.log"
        command = [*self.prefix, str(SPARK_HOME / "bin/spark-class"), f"org.apache.spark.deploy.{name}", *arguments]
        environment = self.environment() | {"SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED} | environment
        with log.open("wb") as file:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=file, stderr=file), log


@dataclasses.dataclass
class Cluster:
    master: Host
    workers: Sequence[Host]
    url: str

    def submit(self, application: pathlib.Path, *arguments: str, options: Sequence[str] = ()) -> str:
        """spark-submit on the master's machine with the bundle's Python; what it prints."""
        conf = {
            "spark.pyspark.driver.python": BUNDLE / "environment/bin/python",
            "spark.driver.host": self.master.address,
            "spark.executor.memory": MEMORY,
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": SHORT_LIVED,
            "spark.executor.extraJavaOptions": SHORT_LIVED,
        }
        done = subprocess.run(
            [
                *self.master.prefix, SPARK_HOME / "bin/spark-submit", "--master", self.url, "--name", "on the cluster",
                *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")), *options,
                application, *arguments,
            ],
            cwd=self.master.folder, env=self.master.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        return done.stdout


@contextlib.contextmanager
def started(master: Host, workers: Sequence[Host]) -> Iterator[Cluster]:
    """Start the master, then the workers (each with a card that a script makes up); end them all."""
    running = []
    for host in (master, *workers):
        host.folder.mkdir(parents=True)
    try:
        process, log = master.daemon("master.Master", "--host", master.address, "--port", "0", "--webui-port", "0")
        running.append(process)
        url = _said(process, log, r"Starting Spark master at (spark://\S+)")
        logs = []
        for number, worker in enumerate(workers):
            script = worker.folder / "cards.sh"
            script.write_text(f'#!/bin/sh\necho \'{{"name": "gpu", "addresses": ["{number + 5}"]}}\'\n')
            script.chmod(0o755)
            cards = f"-Dspark.worker.resource.gpu.amount=1 -Dspark.worker.resource.gpu.discoveryScript={script}"
            process, log = worker.daemon(
                "worker.Worker", "--host", worker.address, "--webui-port", "0", "--cores", str(CORES),
                "--memory", MEMORY, "--work-dir", str(worker.folder / "work"), url, SPARK_WORKER_OPTS=cards,
            )  # fmt: skip
            running.append(process)
            logs.append(log)
        for process, log in zip(running[1:], logs, strict=True):
            _said(process, log, "(Successfully registered with master)")
        yield Cluster(master, workers, url)
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(60)


def _said(process: subprocess.Popen[bytes], log: pathlib.Path, pattern: str) -> str:
    """Wait until the log has a line with the pattern; its group."""
    for _ in range(int(START_S / 0.2)):
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise AssertionError(f"{log}: no {pattern}\n{log.read_text(errors='replace')[-4000:]}")


@contextlib.contextmanager
def namespaces(folder: pathlib.Path) -> Iterator[list[Host]]:
    """Three machines: network namespaces joined by a bridge in the first, in which the project's code is not there.

    Needs root and iproute2. Raises subprocess.CalledProcessError where the machine does not allow it.
    """
    names = [f"musai{os.getpid()}-{number}" for number in range(3)]

    def ip(*words: str, at: str | None = None) -> None:
        place = ["-netns", at] if at else []
        subprocess.run(["ip", *place, *words], check=True, capture_output=True, text=True)

    try:
        for name in names:
            ip("netns", "add", name)
            ip("link", "set", "lo", "up", at=name)
        ip("link", "add", "bridge0", "type", "bridge", at=names[0])
        ip("addr", "add", "10.213.0.1/24", "dev", "bridge0", at=names[0])
        ip("link", "set", "bridge0", "up", at=names[0])
        for number, name in enumerate(names[1:], start=2):
            ip("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name, at=names[0])
            ip("link", "set", f"port{number}", "master", "bridge0", "up", at=names[0])
            ip("addr", "add", f"10.213.0.{number}/24", "dev", "eth0", at=name)
            ip("link", "set", "eth0", "up", at=name)
        hide = f'mount -t tmpfs none {ROOT}/musai && exec "$@"'  # `ip netns exec` gives it mounts of its own
        yield [
            Host(folder / name, f"10.213.0.{number}", ["ip", "netns", "exec", name, "sh", "-c", hide, "sh"])
            for number, name in enumerate(names, start=1)
        ]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
