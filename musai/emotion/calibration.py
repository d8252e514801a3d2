"""How far a stated probability can be trusted, and putting it right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musai.emotion.fusion import Calibration

BINS, ROWS_A_BIN = 10, 50  # a bin of fewer rows shows chance, not calibration
LABEL_PENALTY = 5.0  # on a label's squared offset, in rows: a label that a source seldom gives stays with the others
TOLERANCE = 1e-9  # of a step, on the scale of logits
PENALTY = 1e-3  # on the slope's distance from 1: a handful of rows must not turn the map over


def expected_calibration_error(stated: np.ndarray, right: np.ndarray) -> float:
    """Mean distance between stated probability and share of right answers over bins of equal size, weighted by rows.

    stated float [n] in 0..1, right bool [n]. Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities
    using Bayesian binning" (2015); bins of equal numbers of rows, so that none is empty. 0 without rows.
    """
    bins = max(1, min(BINS, len(stated) // ROWS_A_BIN))
    order = np.argsort(stated, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(stated[part].mean() - right[part].mean()) for part in parts]
    return float(sum(gaps) / len(order)) if len(order) else 0.0


def fit(stated: np.ndarray, right: np.ndarray, labels: Sequence[str] | None = None, steps: int = 100) -> Calibration:
    """Platt's map by Newton's method; targets are smoothed as Platt does. Raises ValueError without rows.

    `labels`: what was said of each row; each then has an offset of its own. A step is halved until it helps: whole ones
    run away from rows that boast (Lin, Lin & Weng, "A note on Platt's probabilistic outputs for support vector
    machines", 2007).
    """
    if not len(stated):
        raise ValueError("no rows to calibrate on")
    p = np.clip(stated, 1e-6, 1 - 1e-6)
    names = sorted(set(labels)) if labels is not None else []
    own = [np.array(labels) == name for name in names]
    x = np.stack([np.ones(len(p)), np.log(p / (1 - p)), *own], axis=1)
    good = right.sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (len(right) - good + 2))
    prior = np.array([0.0, 1.0, *[0.0] * len(names)])
    weight = np.diag([0.0, PENALTY * len(p), *[LABEL_PENALTY] * len(names)])

    def loss(at: np.ndarray) -> float:
        logits = x @ at
        return float((np.logaddexp(0, logits) - target * logits).sum() + (at - prior) @ weight @ (at - prior) / 2)

    found = prior.copy()
    for _ in range(steps):
        guess = 1 / (1 + np.exp(-(x @ found)))
        gradient = x.T @ (guess - target) + weight @ (found - prior)
        curvature = (x * (guess * (1 - guess))[:, None]).T @ x + weight + 1e-9 * np.eye(len(prior))
        step = np.linalg.solve(curvature, gradient)
        while loss(found - step) > loss(found) and np.abs(step).max() > TOLERANCE:
            step /= 2
        found = found - step
        if np.abs(step).max() <= TOLERANCE:
            break
    offset, slope, *of_label = found.tolist()
    return Calibration(offset, slope, dict(zip(names, of_label, strict=True)))
