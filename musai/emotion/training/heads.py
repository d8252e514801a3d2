"""The heads on notes and on sound: linear and kernel regressions of valence and arousal."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from musai.emotion import kernel, notes, notes_head
from musai.emotion.calibration import expected_calibration_error
from musai.emotion.training import files
from musai.emotion.training.measures import Measured, errors_of, held_out_confidence, scaled
from musai.emotion.weights import Card, Stored, stored
from musai.errors import InputError
from musai.music.midi import MidiFault, read_midi

FOLDS, NOTES_RIDGE = 5, 30.0
AFFECT = ("valence", "arousal")
GROUPS = ("group", "game", "artist")  # columns that keep pieces of one origin in one fold
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def train_notes(path: pathlib.Path, seed: int, say: Callable[[str], None], linear: bool = False) -> Stored:
    """From a CSV of midi (a path from its folder on), valence, arousal (around a neutral 0; the mean of several
    listeners teaches more than its sign) and a column of GROUPS. `linear`: a few coefficients, as they may be
    shipped; else a kernel machine that holds what it learnt from."""
    names = notes_head.CHOSEN if linear else kernel_names()
    rows = files.table(path, ("midi", *AFFECT))
    features, kept = [], []
    for row in rows:
        try:
            found = notes.features(read_midi(path.parent / row["midi"]))
        except (MidiFault, OSError) as error:
            say(f"{row['midi']} is left out: {error}")
            continue
        if found:
            features.append([found[name] for name in names])
            kept.append(row)
    if len(kept) < 2 * FOLDS:
        raise InputError(f"{path}: {len(kept)} pieces that can be read are too few")
    fit = fit_linear if linear else fit_kernel
    table, targets, fold = np.array(features), scaled(files.numbers(path, kept, AFFECT)), grouped(kept, seed)
    measured, held_out = cross_validated(table, targets, fold, lambda x, y: fit(x, y).read_all)
    head = fit(table, targets)
    data = [{"name": path.stem, "licence": "as its owner says", **files.described(path)}]
    licence = "measured facts: coefficients of a linear model" if linear else "as its data"
    tensors, settings = notes_head.packed(head)
    card = Card(
        "notes", data, licence, _figures(held_out, targets, fold),
        "musai run train_emotion emotion.training.notes=FILE", *measured.for_card(), settings,
    )  # fmt: skip
    return stored(tensors, card)


def kernel_names() -> tuple[str, ...]:
    return tuple(name for group in notes_head.HEARD for name in notes.group_names()[group])


def fit_linear(table: np.ndarray, targets: np.ndarray) -> notes_head.NotesHead:
    """Ridge regression on standardised features; table float [pieces, len(CHOSEN)], targets [pieces, 2]."""
    from sklearn.linear_model import Ridge

    centre, spread = kernel.standard(table)
    scaled_table = np.clip((table - centre) / spread, -notes_head.LIMIT, notes_head.LIMIT)
    model = Ridge(NOTES_RIDGE).fit(scaled_table, targets)
    return notes_head.NotesHead(notes_head.CHOSEN, centre, spread, notes_head.Linear(model.coef_.T, model.intercept_))


def fit_kernel(table: np.ndarray, targets: np.ndarray) -> notes_head.NotesHead:
    """A kernel a group of features; table float [pieces, len(kernel_names())], targets [pieces, 2]."""
    centre, spread = kernel.standard(table)
    scaled_table = np.clip((table - centre) / spread, -notes_head.LIMIT, notes_head.LIMIT)
    sizes = [len(notes.group_names()[group]) for group in notes_head.HEARD]
    valence, arousal = (kernel.fit(scaled_table, targets[:, [axis]], sizes) for axis in range(2))
    return notes_head.NotesHead(kernel_names(), centre, spread, notes_head.ByKernel((valence, arousal)))


def train_sound(path: pathlib.Path, embeddings: Mapping[str, Mapping[str, np.ndarray]], seed: int) -> Stored:
    """From a CSV of track_id, valence, arousal, and model -> track -> embedding."""
    models = sorted(embeddings)
    heard = set.intersection(*(set(embeddings[model]) for model in models)) if models else set()
    rows = [row for row in files.table(path, ("track_id", *AFFECT)) if row["track_id"] in heard]
    if len(rows) < 2 * FOLDS:
        raise InputError(f"{path}: embeddings are there of {len(rows)} of its tracks, too few")
    parts = [np.stack([embeddings[model][row["track_id"]] for row in rows]) for model in models]
    known, sizes = np.hstack(parts).astype(np.float64), [part.shape[1] for part in parts]
    targets, fold = scaled(files.numbers(path, rows, AFFECT)), grouped(rows, seed)
    measured, held_out = cross_validated(known, targets, fold, lambda x, y: kernel.fit(x, y, sizes).read)
    head = kernel.fit(known, targets, sizes)
    tensors, settings = head.packed()
    data = [{"name": path.stem, "licence": "as its owner says", **files.described(path)}]
    card = Card(
        "sound", data, "as its data", _figures(held_out, targets, fold),
        "musai run train_emotion emotion.training.sound=FILE", *measured.for_card(),
        {"models": models, **settings},
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


def _figures(found: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> dict[str, float]:
    agree = (found > 0) == (targets > 0)
    return {
        "held-out sign of valence": float(agree[:, 0].mean()),
        "held-out sign of arousal": float(agree[:, 1].mean()),
        "held-out quadrant": float(agree.all(axis=1).mean()),
        "held-out calibration error": expected_calibration_error(*held_out_confidence(found, targets, fold)),
    }
