"""What VGMIDI's thirty listeners a piece felt, from its raw annotations, and what a head learns of it."""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from musai.emotion.training.measures import scaled

AXES = ("valence", "arousal")


def felt(folder: pathlib.Path, rows: Sequence[Mapping[str, str]]) -> np.ndarray:
    """Valence and arousal [rows, 2] in -1..1: of each piece the mean over listeners, each of whom said a value a bar.

    A phrase has those of its whole piece (all but four are the only one of theirs).
    """
    found = {}
    for file in sorted((folder / "labelled/annotations").glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        by_piece = collections.defaultdict(list)
        for name, said in content["annotations"].items():
            if all(said[axis] for axis in AXES):
                by_piece[name.rsplit("_", 1)[0]].append([np.mean(np.array(said[axis], float)) for axis in AXES])
        for name, piece in content["pieces"].items():
            found[pathlib.PurePosixPath(piece["midi"]).stem] = np.mean(by_piece[name], axis=0)
    return np.array([found[pathlib.PurePosixPath(row["midi"]).stem.rsplit("_", 1)[0]] for row in rows])


def targets(folder: pathlib.Path, rows: Sequence[Mapping[str, str]]) -> np.ndarray:
    """Valence and arousal [rows, 2] that heads learn: the mean of the label's sign and of what was felt, for the label
    does not say how much and the piece's mean is not the phrase's."""
    signs = np.array([[float(row[axis]) for axis in AXES] for row in rows])
    return (scaled(signs) + scaled(felt(folder, rows))) / 2
