"""The files that `train_emotion` reads."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

import numpy as np

from musai.emotion.training.measures import scaled
from musai.errors import InputError

NEUTRAL_RATING = 3.0  # of EmoBank's scale from 1 to 5
LEAST_REVIEWS = 10  # of each kind: two a fold


@dataclasses.dataclass(frozen=True)
class Labelled:
    """texts, and labels bool [texts, labels]."""

    texts: list[str]
    labels: np.ndarray


def goemotions(path: pathlib.Path, labels: int) -> Labelled:
    """Of lines `text<TAB>label,label<TAB>id`. Raises InputError at a line unlike it, and where there is none."""
    texts, rows = [], []
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\r\n").split("\t")
            row = np.zeros(labels, bool)
            try:
                given = [int(label) for label in fields[1].split(",")]
                if min(given) < 0:
                    raise ValueError(given)
                row[given] = True
            except (IndexError, ValueError) as error:
                raise InputError(f"{path}:{number}: text, labels and id between tabs are due") from error
            texts.append(fields[0])
            rows.append(row)
    if not rows:
        raise InputError(f"{path}: no line")
    return Labelled(texts, np.array(rows))


def emobank(path: pathlib.Path) -> dict[str, tuple[list[str], np.ndarray]]:
    """Part -> (texts, valence and arousal [texts, 2] on the scale of `musai.emotion.fusion`). Raises InputError where a
    part is missing, too."""
    rows = table(path, ("split", "V", "A", "text"))
    values, parts = scaled(numbers(path, rows, ("V", "A")) - NEUTRAL_RATING), np.array([row["split"] for row in rows])
    found = {}
    for part in ("train", "dev", "test"):
        chosen = np.flatnonzero(parts == part)
        if not len(chosen):
            raise InputError(f"{path}: no row whose split is {part}")
        found[part] = ([rows[number]["text"] for number in chosen], values[chosen])
    return found


def reviews(path: pathlib.Path) -> tuple[list[str], np.ndarray]:
    """(texts, whether each is praise, bool [texts]) of a CSV of label (1 praise, 0 blame) and review. Raises InputError
    for another label, and for fewer than LEAST_REVIEWS of either."""
    rows = table(path, ("label", "review"))
    for number, row in enumerate(rows, 1):
        if row["label"] not in ("0", "1"):
            raise InputError(f"{path}, row {number}: the label is 0 or 1, not {row['label']!r}")
    praise = np.array([row["label"] == "1" for row in rows], bool)
    if min(praise.sum(), (~praise).sum()) < LEAST_REVIEWS:
        raise InputError(f"{path}: of praise and of blame {LEAST_REVIEWS} reviews or more are due")
    return [row["review"] for row in rows], praise


def table(path: pathlib.Path, due: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file; empty fields stay empty text. Raises InputError where a column is missing, at a row that
    lacks one of these fields, and for what is no CSV."""
    with _opened(path) as lines:
        rows = csv.DictReader(lines)
        try:
            if missing := sorted(set(due) - set(rows.fieldnames or ())):
                raise InputError(f"{path}: no column {', '.join(missing)}")
            found = list(rows)
        except csv.Error as error:
            raise InputError(f"{path}: no CSV: {error}") from error
    for number, row in enumerate(found, 1):
        if lacking := [column for column in due if row[column] is None]:
            raise InputError(f"{path}, row {number}: nothing in column {', '.join(lacking)}")
    return found


def numbers(path: pathlib.Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> np.ndarray:
    """float64 [rows, columns]. Raises InputError for what is no finite number."""
    found = np.empty((len(rows), len(columns)))
    for number, row in enumerate(rows):
        for place, column in enumerate(columns):
            try:
                found[number, place] = float(row[column])
            except ValueError:
                found[number, place] = np.nan
            if not np.isfinite(found[number, place]):
                raise InputError(f"{path}: {column} is no number: {row[column]!r}")
    return found


def described(path: pathlib.Path) -> dict[str, str]:
    """Name and sha256 of a file, or of all files of a folder by name. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if not file.is_dir():
                digest.update(file.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return {"file": path.name, "sha256": digest.hexdigest()}


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[TextIO]:
    """Raises InputError where there is no such file, and where its text is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8: {error.reason}") from error
