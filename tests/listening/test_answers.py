"""Answers of raters whose taste is known, and files that are none."""

from __future__ import annotations

import csv
import json
import pathlib

import numpy as np
import pytest

from musai.cli import main
from musai.errors import InputError
from musai.listening import answers, making

PAIRS = 24


@pytest.fixture
def key(published, tmp_path: pathlib.Path) -> dict:
    warehouse, config = published
    test = making.make(warehouse, config, tmp_path / "test", PAIRS, 2, 2, 1)
    found: dict = json.loads(warehouse.storage.read(f"_listening/{test}/key.json"))
    return found


def write(folder: pathlib.Path, key: dict, raters: int, taste: dict[str, float], seed: int = 1, attentive: bool = True):
    """A file for each rater, who prefers kinds in proportion to their `taste`; the files."""
    random, files = np.random.default_rng(seed), []
    for rater in range(raters):
        files.append(folder / f"answers-{seed}-{rater}.csv")
        with files[-1].open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["test", "rater", "chosen", "other", "side", "heard_a_s", "heard_b_s"])
            for trial in key["trials"]:
                first, second = trial["clips"]
                odds = [taste[side["kind"]] for side in (first, second)] if not trial["attention"] else [1, 0]
                if trial["attention"] and not attentive:
                    odds = [0, 1]
                if random.random() >= odds[0] / sum(odds):
                    first, second = second, first
                rows.writerow([key["test"], f"rater-{seed}-{rater}", first["clip"], second["clip"], "a", "5.0", "5.0"])
    return files


TASTE = {"real": 3.0, "rnn": 2.0, "style_transfer": 1.0}


def test_the_taste_of_the_raters_comes_back_with_a_verdict(published, key: dict, tmp_path: pathlib.Path) -> None:
    warehouse, _ = published
    results = answers.counted(warehouse, write(tmp_path, key, 60, TASTE))
    assert (results["raters"], results["inattentive"], results["verdict"]) == (60, 0, True)
    found = {(row["method"], row["style"]): row for row in results["chosen_over_real"]}
    due = {("rnn", style) for style in ("all", "folk", "chorale")}
    assert set(found) == due | {("style_transfer", style) for style in ("all", "folk")}
    for method in ("rnn", "style_transfer"):
        row = found[method, "all"]
        assert row["share"] == pytest.approx(TASTE[method] / (TASTE[method] + 3), abs=0.05)
        assert row["low"] < row["share"] < row["high"]
        assert row["high"] - row["low"] < 0.15
    assert -0.1 < results["agreement"] < 0.4
    assert answers.latest(warehouse.storage) == results
    metrics = {row[:3]: row[3:] for row in answers.as_metrics(results)}
    assert metrics["rnn", "folk", "chosen_over_real"] == (found["rnn", "folk"]["share"], 0.5, None)
    assert metrics["rnn", "all", "raters"][0] == 60
    assert len(metrics) == len(answers.as_metrics(results))


def test_fewer_than_twenty_give_no_verdict(published, key: dict, tmp_path: pathlib.Path, capsys) -> None:
    warehouse, config = published
    files = write(tmp_path, key, 19, TASTE)
    inattentive = write(tmp_path, key, 5, TASTE, seed=2, attentive=False)
    command = ["listening-test", "--results", *map(str, files), *map(str, inattentive)]
    assert main([*command, f"warehouse={config.warehouse.path}"]) == 0
    said = capsys.readouterr().out
    assert "19 raters counted; left out: 5 inattentive" in said
    assert "no verdict: it takes 20 raters" in said
    assert answers.latest(warehouse.storage) is None
    assert answers.counted(warehouse, [*files, *write(tmp_path, key, 1, TASTE, seed=3)])["verdict"]


def test_who_stopped_in_the_middle_is_not_counted(published, key: dict, tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, key, 3, TASTE)
    lines = files[0].read_text().splitlines()
    files[0].write_text("\n".join(lines[:-1]) + "\n")
    results = answers.counted(published[0], files)
    assert (results["raters"], results["incomplete"]) == (2, 1)


def test_files_that_are_none_say_where_and_why(published, key: dict, tmp_path: pathlib.Path) -> None:
    warehouse, _ = published
    (good,) = write(tmp_path, key, 1, TASTE)
    first, second = (side["clip"] for side in key["trials"][0]["clips"])
    texts = {
        "no column other": "test,rater,chosen\nr1-1,x,a\n",
        "bad.csv:2: an empty cell": f"test,rater,chosen,other\nr1-1,,{first},{second}\n",
        "one test at a time": f"test,rater,chosen,other\nr9-1,x,{first},{second}\n",
        "bad.csv:2: .* are no pair of test": "test,rater,chosen,other\nr1-1,x,=cmd(),b\n",
        "chose otherwise": f"test,rater,chosen,other\nr1-1,x,{first},{second}\nr1-1,x,{second},{first}\n",
    }
    for reason, text in texts.items():
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(InputError, match=reason):
            answers.counted(warehouse, [good, tmp_path / "bad.csv"])
    (tmp_path / "bad.csv").write_bytes(b"test,rater,chosen,other\n../../x,x,\xff,b\n")
    with pytest.raises(InputError, match="it has no test"):
        answers.counted(warehouse, [tmp_path / "bad.csv"])
    (tmp_path / "bad.csv").write_text("test,rater,chosen,other\n")
    with pytest.raises(InputError, match="no answers"):
        answers.counted(warehouse, [tmp_path / "bad.csv"])
