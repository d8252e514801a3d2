"""How far lists are from the shares that categories (genres, moods) have of what the listener plays.

Steck 2018, "Calibrated recommendations": KL(p, q), in nats, of the shares p among the listener's weights and q in the
list, with .99 q + .01 p in place of q so that it is finite: 0 where they are equal, 4.6 where nothing of p is listed.
Conventions are those of `ranking_metrics`; category int [items], whatever a number stands for.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

SMOOTHING = 0.01  # share of p in q; Steck's value


def shares(weights: sp.csr_matrix, category: np.ndarray) -> np.ndarray:
    """p: float64 [users, categories] of csr [users, items], weights >= 0; NaN for a user without any."""
    every = np.arange(len(category))
    of_category = sp.csr_matrix((np.ones(len(category)), (every, category)))
    found = (weights.astype(np.float64) @ of_category).toarray()
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1), np.nan)


def miscalibration(recommended: np.ndarray, category: np.ndarray, taste: np.ndarray) -> np.ndarray:
    """KL(p, q) float64 [users] of the lists and `taste`, p [users, categories]; NaN without taste or list."""
    users, listed = np.nonzero(recommended >= 0)
    counts = np.zeros_like(taste)
    np.add.at(counts, (users, category[recommended[users, listed]]), 1)
    length = counts.sum(axis=1, keepdims=True)
    mixed = (1 - SMOOTHING) * counts / np.maximum(length, 1) + SMOOTHING * taste
    there = taste > 0
    ratio = np.divide(taste, mixed, out=np.ones_like(taste), where=there)
    found: np.ndarray = np.where(there, taste * np.log(ratio), 0).sum(axis=1)
    return np.where(np.isnan(taste[:, 0]) | (length[:, 0] == 0), np.nan, found)
