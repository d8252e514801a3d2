"""Every command that README and docs/ name: run here or by the test that is named, or listed with why it is not."""

from __future__ import annotations

import pathlib
import shlex

import pytest

from musai.cli import main
from tests.docs.reading import PAGES, ROOT, commands

HERE = (  # run below, on the tiny night
    "musai --help", "musai check", "musai completion", "musai jobs", "musai listening-test", "musai models",
    "musai path", "musai recommend", "musai report", "musai show", "musai tables",
)  # fmt: skip
ELSEWHERE = {
    ". .venv/bin/activate": "Makefile",
    "airflow backfill create": "tests/dags/test_scheduler.py",
    "airflow pools set": "Makefile",
    "cat > mine.yaml": "tests/docs/test_examples.py",  # the like of it
    "make bundle": "tests/test_bundle.py",
    "musai forget": "tests/erasure/test_forget.py",
    "musai generate": "tests/docs/test_examples.py",
    "musai nightly": "tests/docs/test_examples.py",
    "musai run train_embedder": "tests/steps/test_train_embedder.py",
    "musai run train_emotion": "tests/steps/test_train_emotion.py",
    "musai run train_generators": "tests/steps/test_train_generators.py",
    "musai run tune_recommender": "tests/steps/test_tune_recommender.py",
    "python -m musai.class_archive": "Makefile",
    "pytest -m system tests/cluster": "tests/cluster/test_standalone.py",
    'pytest -s -m "system or not system" tests/dags': "tests/dags/test_whole_night.py",
    "pytest tests/": "tests/test_pipeline.py",
    "spark-submit --master spark://": "tests/cluster/test_standalone.py",
}
NOT_RUN = {
    "make": "makes environments from the package index, or is what runs these tests",
    "pip install 'musai[gpu]'": "needs a card and the package index",
    "python -m tests.benchmarks": "a measurement",
    "python tests/benchmarks": "a measurement, for minutes to hours",
    "spark-submit --master k8s": "needs a Kubernetes cluster with an image registry",
    "spark-submit --master yarn": "needs a YARN cluster",
}
NAMES = {"SOME_ID": "u03", "listener-0001": "u03", "ID": "t01", "GENERATED": "none"}


def of_prefix(command: str) -> list[str]:
    return [prefix for prefix in (*HERE, *ELSEWHERE, *NOT_RUN) if command.startswith(prefix)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_accounted_for(page: pathlib.Path) -> None:
    assert [command for command in commands(page) if not of_prefix(command)] == []


def test_what_is_said_to_run_elsewhere_has_its_place() -> None:
    assert [place for place in ELSEWHERE.values() if not (ROOT / place).is_file()] == []
    every = [command for page in PAGES for command in commands(page)]
    assert len(every) > 40
    left_over = [prefix for prefix in (*ELSEWHERE, *NOT_RUN) if not any(one.startswith(prefix) for one in every)]
    assert left_over == []


def words(command: str, night, folder: pathlib.Path) -> list[str]:
    """The command's words on the tiny night: its configuration in place of the page's, made names, its own folder."""
    found, given = [], shlex.split(command)[1:]
    for place, word in enumerate(given):
        if word == "--config" or (place and given[place - 1] == "--config") or word == "--open":
            continue
        found.append(NAMES.get(word, str(folder / "flow.svg") if word.endswith(".svg") else word))
    settings = [f"warehouse={night.config.warehouse.path}", f"inputs.interactions={night.config.inputs.interactions}"]
    takes_none = given[0] in ("jobs", "tables", "models", "completion", "--help")
    return found if takes_none else [*found, *settings]


@pytest.mark.parametrize(
    "command",
    sorted({one for page in PAGES for one in commands(page) if one.startswith(HERE) and "listening-test" not in one}),
)
def test_it_runs(command: str, night, tmp_path: pathlib.Path, capsys) -> None:
    given = words(command, night, tmp_path)
    if given == ["--help"]:
        with pytest.raises(SystemExit, match="0"):
            main(given)
    else:
        assert main(given) == 0
    assert capsys.readouterr().out or list(tmp_path.iterdir())
