"""The files that `train_emotion` reads."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import pathlib

import numpy as np

from musai.emotion.training.measures import scaled
from musai.errors import InputError

NEUTRAL_RATING = 3.0  # of EmoBank's scale from 1 to 5


@dataclasses.dataclass(frozen=True)
class Labelled:
    """texts, and labels bool [texts, labels]."""

    texts: list[str]
    labels: np.ndarray


def goemotions(path: pathlib.Path, labels: int) -> Labelled:
    """Of lines `text<TAB>label,label<TAB>id`. Raises InputError at a line unlike it."""
    texts, rows = [], []
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\r\n").split("\t")
            row = np.zeros(labels, bool)
            try:
                row[[int(label) for label in fields[1].split(",")]] = True
            except (IndexError, ValueError) as error:
                raise InputError(f"{path}:{number}: text, labels and id between tabs are due") from error
            texts.append(fields[0])
            rows.append(row)
    return Labelled(texts, np.array(rows))


def emobank(path: pathlib.Path) -> dict[str, tuple[list[str], np.ndarray]]:
    """Part -> (texts, valence and arousal [texts, 2] on the scale of `musai.emotion.fusion`)."""
    rows = table(path, ("split", "V", "A", "text"))
    ratings = np.array([[float(row["V"]), float(row["A"])] for row in rows]) - NEUTRAL_RATING
    values, parts = scaled(ratings), np.array([row["split"] for row in rows])
    found = {}
    for part in ("train", "dev", "test"):
        chosen = np.flatnonzero(parts == part)
        found[part] = ([rows[number]["text"] for number in chosen], values[chosen])
    return found


def table(path: pathlib.Path, due: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file; empty fields stay empty text. Raises InputError where a column is missing."""
    with _opened(path) as lines:
        rows = csv.DictReader(lines)
        if missing := sorted(set(due) - set(rows.fieldnames or ())):
            raise InputError(f"{path}: no column {', '.join(missing)}")
        return list(rows)


def described(path: pathlib.Path) -> dict[str, str]:
    """Name and sha256 of a file, or of all files of a folder by name."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        digest.update(file.read_bytes())
    return {"file": path.name, "sha256": digest.hexdigest()}


def _opened(path: pathlib.Path):  # type: ignore[no-untyped-def]
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
