"""Whether the seams of chained phrases can be told: a classifier of bar lines, by what stands around them.

Of pieces of 16 bars, the bar lines after bars 4, 8 and 12 against the others. Real pieces stand beside ours, for their
phrases end there too. The area under the ROC curve is cross-validated over pieces; .5 cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musai.generation.phrases import PHRASE_BARS
from musai.music.notes import Piece, melody

FOLDS = 5


def auc(pieces: Sequence[Piece]) -> float:
    rows, seams, owners = [], [], []
    for owner, piece in enumerate(pieces):
        for bar in range(1, piece.bars):
            rows.append(around(piece, bar))
            seams.append(bar % PHRASE_BARS == 0)
            owners.append(owner)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
    folds = GroupKFold(FOLDS)
    found = cross_val_predict(model, np.array(rows), seams, groups=owners, cv=folds, method="predict_proba")
    return float(roc_auc_score(seams, found[:, 1]))


def around(piece: Piece, bar: int) -> np.ndarray:
    """What stands around the line before a bar: float [12]."""
    line, size = bar * piece.bar_steps, piece.bar_steps
    tune = melody(piece)
    before = tune.where((tune.onset >= line - size) & (tune.onset < line))
    after = tune.where((tune.onset >= line) & (tune.onset < line + size))
    step = int(after.pitch[0]) - int(before.pitch[-1]) if len(before) and len(after) else 0
    left, right = (set(zip((one.onset % size).tolist(), one.pitch.tolist(), strict=True)) for one in (before, after))
    classes = [set((one.pitch % 12).tolist()) for one in (before, after)]
    held = bool(((piece.onset < line) & (piece.onset + piece.duration > line)).any())
    return np.array(
        [
            step, abs(step), not len(before), not len(after), held,
            before.duration[-1] / size if len(before) else 0.0,
            after.duration[0] / size if len(after) else 0.0,
            (after.onset[0] - line) / size if len(after) else 1.0,
            len(left & right) / max(len(left | right), 1),
            len(classes[0] & classes[1]) / max(len(classes[0] | classes[1]), 1),
            len(after) - len(before), (after.pitch.mean() - before.pitch.mean()) if left and right else 0.0,
        ],
        float,
    )  # fmt: skip
