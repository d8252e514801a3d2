"""The heads on notes and on sound: linear and kernel regressions of valence and arousal."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from musai.emotion import notes, sound
from musai.emotion.calibration import expected_calibration_error
from musai.emotion.training import files
from musai.emotion.training.measures import Measured, errors_of, held_out_confidence, scaled
from musai.emotion.weights import Card, Stored, stored
from musai.errors import InputError
from musai.music.midi import MidiFault, read_midi

FOLDS, NOTES_RIDGE = 5, 30.0
GROUPS = ("group", "game", "artist")  # columns that keep pieces of one origin in one fold
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def train_notes(path: pathlib.Path, seed: int, say: Callable[[str], None]) -> Stored:
    """From a CSV of midi (a path from its folder on), valence, arousal (around a neutral 0) and a column of GROUPS."""
    rows = files.table(path, ("midi", "valence", "arousal"))
    features, kept = [], []
    for row in rows:
        try:
            found = notes.features(read_midi(path.parent / row["midi"]))
        except (MidiFault, OSError) as error:
            say(f"{row['midi']} is left out: {error}")
            continue
        if found:
            features.append([found[name] for name in notes.CHOSEN])
            kept.append(row)
    if len(kept) < 2 * FOLDS:
        raise InputError(f"{path}: {len(kept)} pieces that can be read are too few")
    table, targets = np.array(features), scaled(_targets(kept))
    fold = grouped(kept, seed)
    measured, held_out = cross_validated(table, targets, fold, lambda x, y: fit_notes(x, y).read_all)
    head = fit_notes(table, targets)
    tensors = {name: getattr(head, name).astype(np.float32) for name in ("centre", "spread", "weights", "offset")}
    data = [{"name": path.stem, "licence": "as its owner says", **files.described(path)}]
    card = Card(
        "notes", data, "measured facts: coefficients of a linear model", _figures(held_out, targets, fold),
        "musai run train_emotion emotion.training.notes=FILE", *measured.for_card(), {"names": notes.CHOSEN},
    )  # fmt: skip
    return stored(tensors, card)


def fit_notes(table: np.ndarray, targets: np.ndarray) -> notes.NotesHead:
    """Ridge regression on standardised features; table float [pieces, len(CHOSEN)], targets [pieces, 2]."""
    from sklearn.linear_model import Ridge

    centre, spread = table.mean(0), table.std(0) + 1e-6
    scaled_table = np.clip((table - centre) / spread, -notes.LIMIT, notes.LIMIT)
    model = Ridge(NOTES_RIDGE).fit(scaled_table, targets)
    return notes.NotesHead(notes.CHOSEN, centre, spread, model.coef_.T, model.intercept_)


def train_sound(path: pathlib.Path, embeddings: Mapping[str, Mapping[str, np.ndarray]], seed: int) -> Stored:
    """From a CSV of track_id, valence, arousal, and model -> track -> embedding."""
    models = sorted(embeddings)
    heard = set.intersection(*(set(embeddings[model]) for model in models)) if models else set()
    rows = [row for row in files.table(path, ("track_id", "valence", "arousal")) if row["track_id"] in heard]
    if len(rows) < 2 * FOLDS:
        raise InputError(f"{path}: embeddings are there of {len(rows)} of its tracks, too few")
    parts = [np.stack([embeddings[model][row["track_id"]] for row in rows]) for model in models]
    known, sizes = np.hstack(parts).astype(np.float64), [part.shape[1] for part in parts]
    targets, fold = scaled(_targets(rows)), grouped(rows, seed)
    measured, held_out = cross_validated(known, targets, fold, lambda x, y: sound.fit(x, y, sizes).read)
    head = sound.fit(known, targets, sizes)
    tensors = {
        name: getattr(head, name).astype(np.float32) for name in ("centre", "spread", "known", "weights", "offset")
    }
    data = [{"name": path.stem, "licence": "as its owner says", **files.described(path)}]
    card = Card(
        "sound", data, "as its data", _figures(held_out, targets, fold),
        "musai run train_emotion emotion.training.sound=FILE", *measured.for_card(),
        {"models": models, "sizes": sizes, "scales": head.scales},
    )  # fmt: skip
    return stored(tensors, card)


def cross_validated(table: np.ndarray, targets: np.ndarray, fold: np.ndarray, fit: Fit) -> tuple[Measured, np.ndarray]:
    """(errors and calibration, held-out predictions [rows, 2]); fold int [rows]: each is predicted by a fit on the
    others."""
    held_out = np.zeros(targets.shape)
    for number in np.unique(fold):
        test = fold == number
        held_out[test] = fit(table[~test], targets[~test])(table[test])
    return errors_of(held_out, targets), held_out


def grouped(rows: Sequence[Mapping[str, str]], seed: int, count: int = FOLDS) -> np.ndarray:
    """Fold of each row, int [rows]: rows of one group together, folds of about one size, drawn by seed."""
    column = next((name for name in GROUPS if name in rows[0]), None)
    names = [row[column] if column else str(number) for number, row in enumerate(rows)]
    group, sizes = np.unique(names, return_inverse=True, return_counts=True)[1:]
    order = np.random.default_rng(seed).permutation(len(sizes))
    fold, filled = np.zeros(len(sizes), int), np.zeros(count)
    for number in order[np.argsort(-sizes[order], kind="stable")]:  # large groups first, each to the emptiest fold
        fold[number] = filled.argmin()
        filled[fold[number]] += sizes[number]
    return fold[group]


def _targets(rows: Sequence[Mapping[str, str]]) -> np.ndarray:
    return np.array([[float(row["valence"]), float(row["arousal"])] for row in rows])


def _figures(found: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> dict[str, float]:
    agree = (found > 0) == (targets > 0)
    return {
        "held-out sign of valence": float(agree[:, 0].mean()),
        "held-out sign of arousal": float(agree[:, 1].mean()),
        "held-out quadrant": float(agree.all(axis=1).mean()),
        "held-out calibration error": expected_calibration_error(*held_out_confidence(found, targets, fold)),
    }
