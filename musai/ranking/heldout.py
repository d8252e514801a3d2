"""Held-out tracks of some listeners, and how well scores of every track find them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from musai.evaluation.ranking_metrics import hits_of, ndcg_at

BLOCK = 256  # users scored side by side

Scores = Callable[[np.ndarray], np.ndarray]  # user indexes [b] -> float32 [b, items]


@dataclasses.dataclass(frozen=True)
class Held:
    """Held-out tracks: users int64 [n], ascending; indptr int64 [n + 1] into indices int64, at least one a user."""

    users: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.diff(self.indptr)

    def of(self, chosen: np.ndarray) -> Held:
        """What those users hold out; chosen bool [n]."""
        kept = np.repeat(chosen, self.counts)
        return Held(self.users[chosen], np.append(0, np.cumsum(self.counts[chosen])), self.indices[kept])

    def blocks(self) -> list[slice]:
        """Places of users that are scored together."""
        return [slice(start, start + BLOCK) for start in range(0, len(self.users), BLOCK)]


def held(users: np.ndarray, items: np.ndarray) -> Held:
    """From pairs in any order."""
    order = np.lexsort((items, users))
    of, counts = np.unique(users[order], return_counts=True)
    return Held(of.astype(np.int64), np.append(0, np.cumsum(counts)), items[order].astype(np.int64))


def parted(held_out: Held, most: int, seed: int) -> tuple[Held, Held]:
    """(of the users to search with, of those to judge what was found): two thirds, `most` at most, and the others."""
    drawn = np.random.default_rng(seed).permutation(len(held_out.users))
    searching = drawn < min(most, len(drawn) * 2 // 3)
    return held_out.of(searching), held_out.of(~searching)


def masked(scores: np.ndarray, matrix: sp.csr_matrix, users: np.ndarray) -> np.ndarray:
    """`scores` [users, items], overwritten with -inf for what the users have in `matrix`."""
    rows = matrix[users]
    scores[np.repeat(np.arange(len(users)), np.diff(rows.indptr)), rows.indices] = -np.inf
    return scores


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """int64 [users, count]: the best items, best first; -1 where there are fewer."""
    count = min(count, scores.shape[1])
    found = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    found, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(np.isfinite(values), found, -1)


def ndcg(tops: np.ndarray, held_out: Held, block: slice, k: int) -> np.ndarray:
    """NDCG@k float64 [users of the block] of their best items, best first."""
    counts = held_out.counts[block]
    ends = held_out.indptr[block.start : block.start + len(counts) + 1]
    hits = hits_of(tops, ends - ends[0], held_out.indices[ends[0] : ends[-1]])
    found: np.ndarray = ndcg_at(hits, counts, min(k, tops.shape[1]))
    return found
