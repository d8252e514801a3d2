"""MusAI from its wheel alone: the bundle's environment in an empty folder, with the clone out of reach."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from importlib.metadata import distribution

import pytest

from tests import nights

ROOT = pathlib.Path(__file__).parents[1]
PYTHON = ROOT / "var/bundle/environment/bin/python"

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def musai(tmp_path: pathlib.Path):
    """Run `musai` in tmp_path/here; what it prints. Spark is all that the environment lacks."""
    assert PYTHON.exists(), "make bundle makes the environment of this test"
    (tmp_path / "here").mkdir()
    (tmp_path / "spark").mkdir()
    for name in ("pyspark", "py4j"):
        (tmp_path / "spark" / name).symlink_to(pathlib.Path(str(distribution(name).locate_file(name))))
    kept = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    java = pathlib.Path(shutil.which("java") or "java").parent
    environment = kept | {"PATH": f"{java}:/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "spark"), "LANG": "C.UTF-8"}

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            [PYTHON, "-m", "musai", *words], cwd=tmp_path / "here", env=environment, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_the_demo_is_written_and_checked_outside_a_clone(musai, tmp_path: pathlib.Path):
    assert "tracks" in musai("demo-data", "var/demo")
    assert (tmp_path / "here/var/demo/tracks.csv").is_file()
    assert "can be used" in musai("check", "--config", "conf/demo.yaml")  # the wheel's own
    musai("check", "--config", "conf/airflow.env", status=2)  # of a clone alone


def test_a_night_outside_a_clone_publishes(musai, tmp_path: pathlib.Path):
    folder = tmp_path / "night"
    nights.write_inputs(folder / "logs")
    (folder / "logs/tracks.csv").rename(folder / "tracks.csv")
    musai("nightly", *nights.overrides_of(folder), "spark.driver_memory=1g", "evaluation.min_tracks=1000")
    assert json.loads((folder / "warehouse/_published.json").read_text())["tables"]
