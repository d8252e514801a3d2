"""A benchmark that was broken off goes on with its own warehouse, and counts the seconds of all its sittings."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.benchmarks import splits

SPLIT = "gowalla_m1"


@pytest.fixture
def ran(tmp_path: pathlib.Path, monkeypatch) -> list[tuple[str, pathlib.Path]]:
    """Stages that `accuracy` ran (the job or `nightly`, the warehouse); they publish an empty night, none is real."""
    (tmp_path / "data/interactions" / SPLIT).mkdir(parents=True)
    (tmp_path / "data/interactions" / SPLIT / "train.txt").write_text("0 1 2\n")
    monkeypatch.setattr(splits, "SHARED", tmp_path)
    monkeypatch.setattr(splits, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(splits, "score", lambda *_: (0.1, 0.1))
    found: list[tuple[str, pathlib.Path]] = []

    def measured(command: list[str], *_: object, **__: object) -> tuple[float, float, int]:
        words = command[command.index("musai") + 1 :]
        (warehouse,) = (pathlib.Path(word.partition("=")[2]) for word in words if word.startswith("warehouse="))
        warehouse.mkdir(parents=True, exist_ok=True)
        (warehouse / "_published.json").write_text(json.dumps({"tables": {"recommendations": {"path": "x"}}}))
        found.append((words[1] if words[0] == "run" else words[0], warehouse))
        return 10.0, 1.0, 0

    monkeypatch.setattr(splits.peak, "measured", measured)
    return found


def broken_off(stage: int, monkeypatch, settings: list[str]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(splits, "STAGES", splits.STAGES[:stage])
        splits.accuracy(SPLIT, settings, tuned=True)


def test_other_settings_have_another_warehouse(ran, monkeypatch) -> None:
    broken_off(2, monkeypatch, [])
    splits.accuracy(SPLIT, ["tuning.minutes=15"], tuned=True)
    splits.accuracy(SPLIT, [], tuned=True)
    jobs = ["nightly", "tune_recommender"]
    assert [job for job, _ in ran] == [*jobs, *jobs, "nightly", "nightly"]
    plain, other = {ran[place][1] for place in (0, 1, 5)}, {ran[place][1] for place in (2, 3, 4)}
    assert len(plain) == len(other) == 1
    assert plain != other


def test_another_version_of_the_code_has_another_warehouse(ran, monkeypatch) -> None:
    splits.accuracy(SPLIT, [], tuned=False)
    monkeypatch.setattr(splits, "code_version", lambda: "0+other")
    splits.accuracy(SPLIT, [], tuned=False)
    assert len({warehouse for _, warehouse in ran}) == 2


def test_seconds_of_a_tuning_are_those_of_all_its_sittings(ran, monkeypatch, capsys) -> None:
    broken_off(1, monkeypatch, [])
    trials = ran[0][1] / "_nights/a/trials/key"  # a sitting was killed in its third trial
    trials.mkdir(parents=True)
    for number, seconds in enumerate((100.0, 50.0)):
        (trials / f"{number:06}.json").write_text(json.dumps({"seconds": seconds}))
    splits.accuracy(SPLIT, [], tuned=True)
    rows = [json.loads(line) for line in (splits.KEPT / SPLIT / "rows.jsonl").read_text().splitlines()]
    assert [row["seconds"] for row in rows] == [10, 160, 10]
