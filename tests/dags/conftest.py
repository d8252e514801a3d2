"""Airflow lives in an environment of its own: the tests drive it as a person would, by its commands."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import subprocess
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[2]


class Airflow:
    """Commands in the environment of `make airflow` (conf/airflow.env), with a home folder of the test's own."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home

    def __call__(self, *command: str, timeout_s: float = 900, status: int = 0, **environment: str) -> str:
        """What the command prints; another exit status than the expected one shows all of it."""
        done = subprocess.run(
            ["sh", "-c", 'set -a; . conf/airflow.env; exec "$@"', "sh", *command], cwd=ROOT, timeout=timeout_s,
            env={**os.environ, "AIRFLOW_HOME": str(self.home), **environment}, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == status, (
            f"{command}: exit {done.returncode}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
        )
        return done.stdout

    def python(self, script: str, *arguments: str) -> str:
        """What a script of this folder prints under .venv-airflow's Python."""
        file = pathlib.Path(__file__).with_name(script)
        return self(str(ROOT / ".venv-airflow/bin/python"), str(file), *arguments)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An empty Airflow database."""
    home = tmp_path_factory.mktemp("airflow")
    Airflow(home)("airflow", "db", "migrate")
    return home


@pytest.fixture
def airflow(tmp_path: pathlib.Path, migrated: pathlib.Path) -> Airflow:
    (tmp_path / "airflow.db").write_bytes((migrated / "airflow.db").read_bytes())
    return Airflow(tmp_path)
