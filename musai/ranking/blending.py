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
SURE = 2.0  # standard errors
SMALL = 0.02  # a weight below it is none where that costs nothing: a part takes time every night


def learned(parts: Sequence[Scores], matrix: sp.csr_matrix, held_out: Held, k: int) -> tuple[np.ndarray, float]:
    """Weights >= 0 of the parts, which add up to 1, and the mean NDCG@k that they reach."""
    items, features = candidates(parts, matrix, held_out)
    return ascent(lambda weights: float(ndcg(items, features, weights, held_out, k).mean()), len(parts))


def learned_if_better(
    parts: Sequence[Scores], given: np.ndarray, matrix: sp.csr_matrix, held_out: Held, k: int, seed: int
) -> np.ndarray | None:
    """`learned` where weights that are learned so beat the `given` ones beyond chance; else None.

    Learned on one half of the listeners they are compared on the other, both ways: the mean difference of NDCG@k has to
    be above SURE standard errors.
    """
    items, features = candidates(parts, matrix, held_out)

    def of(weights: np.ndarray) -> np.ndarray:
        return ndcg(items, features, weights, held_out, k)

    def best(listeners: np.ndarray) -> np.ndarray:
        return ascent(lambda weights: float(of(weights)[listeners].mean()), len(parts))[0]

    half = np.random.default_rng(seed).permutation(len(items)) < len(items) // 2
    gain = np.where(half, of(best(~half)), of(best(half))) - of(given)
    return best(np.ones(len(items), bool)) if beyond_chance(gain, SURE) else None


def beyond_chance(gain: np.ndarray, sure: float) -> bool:
    """Whether the mean of float64 [listeners] lies more than `sure` standard errors above 0."""
    return bool(gain.mean() > sure * gain.std() / np.sqrt(len(gain)))


def reached(
    parts: Sequence[Scores], weights: Sequence[float], matrix: sp.csr_matrix, held_out: Held, k: int
) -> np.ndarray:
    """NDCG@k float64 [users] of lists over all tracks in the order of the parts' weighted sum, as the nights have
    it."""
    found = []
    for block in held_out.blocks():
        users = held_out.users[block]
        total = np.zeros((len(users), matrix.shape[1]), np.float32)
        for part, weight in zip(parts, weights, strict=True):
            total += np.float32(weight) * at_length_1(part(users))
        tops = heldout.best(heldout.masked(total, matrix, users), k)
        found.append(heldout.ndcg(tops, held_out, block, k))
    return np.concatenate(found)


def ndcg(items: np.ndarray, features: np.ndarray, weights: np.ndarray, held_out: Held, k: int) -> np.ndarray:
    """NDCG@k float64 [users] of the `candidates` in the order of their weighted sum."""
    found = np.where(items >= 0, features @ weights.astype(np.float32), -np.inf)
    order = heldout.best(found, k)
    tops = np.where(order >= 0, np.take_along_axis(items, np.maximum(order, 0), axis=1), -1)
    return heldout.ndcg(tops, held_out, slice(0, len(tops)), k)


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
        scored = [at_length_1(part(users)) for part in parts]
        tops = [heldout.best(heldout.masked(scores, matrix, users), CANDIDATES) for scores in scored]
        found = np.sort(np.concatenate(tops, axis=1), axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = -1  # each once
        items.append(found)
        row = np.arange(len(users))[:, None]
        features.append(np.stack([scores[row, found] for scores in scored], axis=2))
    return np.concatenate(items), np.nan_to_num(np.concatenate(features), neginf=0.0)


def at_length_1(scores: np.ndarray) -> np.ndarray:
    """`scores` float32 [users, items], overwritten with each row at length 1; a row of zeros stays."""
    length = np.sqrt(np.einsum("ui,ui->u", scores, scores, dtype=np.float64))
    scores /= np.maximum(length, np.finfo(np.float32).tiny)[:, None].astype(np.float32)
    return scores
