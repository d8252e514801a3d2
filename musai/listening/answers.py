"""What the raters of a listening test answered: their files checked against the key, and what they add up to."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from musai.errors import InputError
from musai.evaluation import preferences
from musai.listening.making import FOLDER
from musai.listening.pieces import REAL
from musai.storage import Storage
from musai.warehouse import Warehouse

COLUMNS = ("test", "rater", "chosen", "other")
FEWEST_RATERS = 20  # that a verdict takes
RESAMPLES, CONFIDENCE, SEED = 1_000, 0.95, 1
ALL = "all"


@dataclasses.dataclass(frozen=True)
class Answers:
    """`given`: rater -> pair (its names of clips, sorted) -> the chosen clip; `places`: rater -> file and line."""

    test: str
    given: dict[str, dict[tuple[str, str], str]]
    places: dict[str, str]


def read(files: Iterable[pathlib.Path]) -> Answers:
    """Raises InputError with every fault, a line each: no answers, columns that lack, two tests, a pair twice."""
    faults: list[str] = []
    tests: dict[str, str] = {}
    given: dict[str, dict[tuple[str, str], str]] = {}
    places: dict[str, str] = {}
    for file in files:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            rows = csv.DictReader(lines)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                faults.append(f"{file}: no column {', '.join(missing)}; it is not a file of answers")
                continue
            for row in rows:
                place = f"{file}:{rows.line_num}"
                if not all(row[name] for name in COLUMNS):
                    faults.append(f"{place}: an empty cell")
                    continue
                tests.setdefault(row["test"], place)
                places.setdefault(row["rater"], place)
                own, (low, high) = given.setdefault(row["rater"], {}), sorted((row["chosen"], row["other"]))
                if own.setdefault((low, high), row["chosen"]) != row["chosen"]:
                    faults.append(f"{place}: rater {row['rater']} chose otherwise for the same pair before")
    if len(tests) > 1:
        faults += [
            f"{place}: of test {test}; the answers of one test at a time are due" for test, place in tests.items()
        ]
    if faults or not tests:
        raise InputError(faults or "no answers in these files")
    return Answers(next(iter(tests)), given, places)


def judged(answers: Answers, key: dict[str, Any]) -> dict[str, Any]:
    """The results, to be written as JSON: who is counted, agreement, and how often each method is chosen over real.

    Left out: raters who did not answer every pair, or took shuffled notes for the better music in one. A `verdict` is
    given from 20 raters on; the intervals are of 95%, raters drawn anew. Raises InputError for a pair that the test
    does not have.
    """
    trials = {_pair(trial): trial for trial in key["trials"]}
    if faults := [
        f"{answers.places[rater]}: {' and '.join(pair)} are no pair of test {answers.test}"
        for rater, own in answers.given.items() for pair in own if pair not in trials
    ]:  # fmt: skip
        raise InputError(faults)
    due = {pair: trial["clips"][0]["clip"] for pair, trial in trials.items() if trial["attention"]}
    whole = [own for _, own in sorted(answers.given.items()) if len(own) == len(trials)]
    counted = [own for own in whole if all(own[pair] == right for pair, right in due.items())]
    asked = sorted(trials.keys() - due.keys())
    first = np.array([[own[pair] == trials[pair]["clips"][0]["clip"] for pair in asked] for own in counted], int)
    styles = [ALL, *sorted({trials[pair]["style"] for pair in asked})] if counted else []
    return {
        "test": answers.test,
        "run_date": key["run_date"],
        "raters": len(counted),
        "incomplete": len(answers.given) - len(whole),
        "inattentive": len(whole) - len(counted),
        "agreement": _number(preferences.agreement(first.astype(float))) if counted else None,
        "verdict": len(counted) >= FEWEST_RATERS,
        "chosen_over_real": [
            found for style in styles for found in _of_style(style, first, [trials[pair] for pair in asked])
        ],
    }


def _pair(trial: dict[str, Any]) -> tuple[str, str]:
    first, second = sorted(side["clip"] for side in trial["clips"])
    return first, second


def _of_style(style: str, first: np.ndarray, trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`first` int [raters, trials]: 1 where the first clip of the key was chosen."""
    sides = [[side["kind"] for side in trial["clips"]] for trial in trials]
    units = [number for number, trial in enumerate(trials) if style in (ALL, trial["style"])]
    kinds = sorted({kind for unit in units for kind in sides[unit]}, key=lambda kind: (kind != REAL, kind))
    choices = np.array(
        [
            (rater, kinds.index(sides[unit][1 - took]), kinds.index(sides[unit][took]))
            for unit in units for rater, took in enumerate(first[:, unit])
        ]
    )  # fmt: skip
    found = preferences.over_reference(choices, len(kinds), kinds.index(REAL), RESAMPLES, CONFIDENCE, SEED)
    return [
        {"method": kinds[number], "style": style, "answers": int((choices[:, 1:] == number).sum())}
        | dataclasses.asdict(chosen)
        for number, chosen in enumerate(found) if chosen is not None
    ]  # fmt: skip


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def counted(warehouse: Warehouse, files: Sequence[pathlib.Path]) -> dict[str, Any]:
    """Read the answers, judge them by the key that the warehouse holds, and keep the results beside it.

    Raises InputError for files that are none or a test that this warehouse does not know.
    """
    answers = read(files)
    known = warehouse.storage.names(FOLDER)
    content = warehouse.storage.read(f"{FOLDER}/{answers.test}/key.json") if answers.test in known else None
    if content is None:
        raise InputError(f"{warehouse.storage.root}: it has no test {answers.test}; it was made from another warehouse")
    results = judged(answers, json.loads(content))
    with warehouse.writing():
        warehouse.storage.replace(f"{FOLDER}/{answers.test}/results.json", json.dumps(results, indent=1).encode())
    return results


def latest(storage: Storage) -> dict[str, Any] | None:
    """The results of the test of the newest run that has a verdict; None without."""
    contents = [storage.read(f"{FOLDER}/{test}/results.json") for test in storage.names(FOLDER)]
    found = [results for content in contents if content and (results := json.loads(content))["verdict"]]
    return max(found, key=lambda results: (results["run_date"], results["test"]), default=None)


def as_metrics(results: dict[str, Any]) -> list[tuple[str, str, str, float, float | None, float | None]]:
    """Rows of generation_metrics; `real` is what another real piece would get against a real one."""
    rows: list[tuple[str, str, str, float, float | None, float | None]] = []
    for found in results["chosen_over_real"]:
        of = (found["method"], found["style"])
        rows += [
            (*of, "chosen_over_real", found["share"], 0.5, None),
            (*of, "chosen_over_real_low", found["low"], None, None),
            (*of, "chosen_over_real_high", found["high"], None, None),
        ]
        if found["style"] == ALL:
            rows.append((*of, "raters", float(results["raters"]), None, None))
            if results["agreement"] is not None:
                rows.append((*of, "rater_agreement", results["agreement"], None, None))
    return rows
