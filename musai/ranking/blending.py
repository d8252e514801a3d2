"""Weights of the blend, learned on plays that were held out.

The parts' scores, each listener's at length 1 as `kernels.add_scaled` has them, are weighted by coordinate ascent on
the NDCG of their sum, over the best CANDIDATES tracks of each part, in steps that shrink (Metzler & Croft 2007, "Linear
feature-based models for information retrieval"). It starts from the part that is best by itself, so that on these
plays the blend is never worse than any part. Memory: 4 bytes x parts x parts x CANDIDATES a user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from musai.ranking import heldout
from musai.ranking.heldout import Held, Scores

CANDIDATES = 200
STEPS = (0.4, 0.2, 0.1, 0.05)
SMALL = 0.02  # a weight below it is none where that costs nothing: a part takes time every night


def learned(parts: Sequence[Scores], matrix: sp.csr_matrix, held_out: Held, k: int) -> tuple[np.ndarray, float]:
    """Weights >= 0 of the parts, which add up to 1, and the mean NDCG@k that they reach."""
    items, features = candidates(parts, matrix, held_out)

    def value(weights: np.ndarray) -> float:
        found = np.where(items >= 0, features @ weights.astype(np.float32), -np.inf)
        order = heldout.best(found, k)
        tops = np.where(order >= 0, np.take_along_axis(items, np.maximum(order, 0), axis=1), -1)
        return float(heldout.ndcg(tops, held_out, slice(0, len(tops)), k).mean())

    return ascent(value, len(parts))


def ascent(value: Callable[[np.ndarray], float], parts: int) -> tuple[np.ndarray, float]:
    """Weights [parts] >= 0 that add up to 1 and their value, from the part that is best alone on."""
    alone = np.array([value(weights) for weights in np.eye(parts)])
    weights, reached = np.eye(parts)[np.argmax(alone)], alone.max()
    for step in STEPS:
        before = -np.inf
        while before < reached:
            before = reached
            for part in np.argsort(-alone, kind="stable"):
                for change in (-step, step):
                    moved = weights.copy()
                    moved[part] = max(0.0, moved[part] + change)
                    if moved.any() and (found := value(moved)) > reached:
                        weights, reached = moved, found
    weights /= weights.sum()
    kept = np.where(weights < SMALL, 0, weights)
    kept /= kept.sum()
    return (kept, found) if (found := value(kept)) >= alone.max() else (weights, reached)


def candidates(parts: Sequence[Scores], matrix: sp.csr_matrix, held_out: Held) -> tuple[np.ndarray, np.ndarray]:
    """(items int64 [users, width], -1 = none; float32 [users, width, parts]: their scores, each part's row over the
    whole catalogue at length 1)."""
    items, features = [], []
    for block in held_out.blocks():
        users = held_out.users[block]
        scored = [part(users) for part in parts]
        for scores in scored:
            length = np.sqrt(np.einsum("ui,ui->u", scores, scores, dtype=np.float64))
            scores /= np.maximum(length, np.finfo(np.float32).tiny)[:, None].astype(np.float32)
        tops = [heldout.best(heldout.masked(scores, matrix, users), CANDIDATES) for scores in scored]
        found = np.sort(np.concatenate(tops, axis=1), axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = -1  # each once
        items.append(found)
        row = np.arange(len(users))[:, None]
        features.append(np.stack([scores[row, found] for scores in scored], axis=2))
    return np.concatenate(items), np.nan_to_num(np.concatenate(features), neginf=0.0)
