"""The scheduler for real: PostgreSQL, LocalExecutor, a scheduled night and a backfilled one. `make test-system`."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from musai import tables
from tests.dags.conftest import ROOT, Airflow
from tests.dags.test_whole_night import groups, write_inputs

pytestmark = [pytest.mark.system, pytest.mark.slow]

PARTS = ("api-server", "scheduler", "dag-processor")
DONE = ("success", "failed")


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this test's own on loopback, as the user `postgres`; the URL of an empty database."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's server is missing: apt-get install postgresql")
    if os.geteuid() != 0:
        pytest.skip("not root: the server has to be started as another user than the tests run as")
    user = pwd.getpwnam("postgres")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="musai-postgres-"))  # pytest's own folders are closed to other users
    os.chown(folder, user.pw_uid, user.pw_gid)
    port, data = free_port(), folder / "data"

    def server(program: str, *arguments: str) -> None:
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        subprocess.run([*command, str(found[-1].with_name(program)), *arguments], cwd=folder, check=True, timeout=120)

    server("initdb", "-D", str(data), "--auth=trust", "--username=airflow", "--encoding=UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    server("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        server("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow")
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        server("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextlib.contextmanager
def running(airflow: Airflow, environment: Mapping[str, str]) -> Iterator[None]:
    """Airflow's parts, each with its own log in Airflow's home."""
    shell = ["sh", "-c", 'set -a; . conf/airflow.env; exec airflow "$@"', "sh"]
    everything = {**os.environ, "AIRFLOW_HOME": str(airflow.home), **environment}
    with contextlib.ExitStack() as stack:
        started = []
        for part in PARTS:
            log = stack.enter_context((airflow.home / f"{part}.log").open("wb"))
            started.append(
                subprocess.Popen(
                    [*shell, part], cwd=ROOT, env=everything, stdout=log, stderr=log, start_new_session=True
                )
            )
        try:
            yield
            assert [process.poll() for process in started] == [None] * len(PARTS), "a part of Airflow ended by itself"
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGTERM)
            time.sleep(5)
            for process in started:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def wait_for(what: str, there: Callable[[], bool], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not there():
        assert time.monotonic() < until, f"{what} did not come within {limit_s:.0f} s"
        time.sleep(3)


def test_a_scheduled_and_a_backfilled_night_on_postgresql(postgres: str, tmp_path: pathlib.Path) -> None:
    config, home = write_inputs(tmp_path), tmp_path / "airflow"
    home.mkdir()
    port = str(free_port())
    environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres, "AIRFLOW__API__PORT": port, "MUSAI_CONFIG": str(config),
        "MUSAI_TOGETHER": ",".join("+".join(group) for group in groups() if len(group) > 1),
    }  # fmt: skip
    airflow = Airflow(home)

    def runs() -> dict[str, str]:
        query = ["psql", postgres.replace("+psycopg2", ""), "--csv", "-t", "-c", "select run_id, state from dag_run"]
        listed = subprocess.run(query, check=True, capture_output=True, text=True).stdout
        return dict(csv.reader(listed.splitlines()))

    airflow("airflow", "db", "migrate", **environment)
    airflow("airflow", "pools", "set", "musai_gpu", "1", "train_als", **environment)
    with running(airflow, environment):
        wait_for("the scheduled run", lambda: any(name.startswith("scheduled") for name in runs()), 300)
        wait_for("its end", lambda: all(state in DONE for state in runs().values()), 2400)
        backfill = ["airflow", "backfill", "create", "--dag-id", "musai_nightly", "--from-date", "2025-03-02"]
        airflow(*backfill, "--to-date", "2025-03-03", **environment)
        wait_for("the backfilled run", lambda: any(name.startswith("backfill") for name in runs()), 300)
        wait_for("its end", lambda: all(state in DONE for state in runs().values()), 2400)
        assert set(runs().values()) == {"success"}, (home / "scheduler.log").read_text()[-8000:]

    warehouse = tmp_path / "warehouse"
    latest = json.loads((warehouse / "_published.json").read_text())
    dates = sorted(path.stem for path in (warehouse / "_runs").glob("*.json"))
    assert dates == ["2025-03-01", latest["run_date"]], "one day of backfill, which did not turn readers back"
    assert latest["run_date"] > "2026"
    older = json.loads((warehouse / "_runs/2025-03-01.json").read_text())
    assert older["run_id"] != latest["run_id"]
    nightly = {name for name, table in tables.TABLES.items() if table.kind == "nightly"}
    made = set(latest["tables"]) & nightly
    assert set(older["tables"]) & nightly == made >= {"interactions", "recommendations", "user_factors"}
    shutil.rmtree(home)
