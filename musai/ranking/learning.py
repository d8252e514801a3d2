"""The weights of the blend for a night that nobody has tuned: learned on plays that are held out of its own matrix.

Of LEAST listeners or more, up to `tuning.users` are drawn by seed, and of their tracks `evaluation.holdout_share`. All
else stays, so that the parts are nearly those of the night. Each is fitted as it is configured, and `blending` weighs
them; the weights of the configuration stay where others are no better beyond chance. It costs the fits once more, so it
is left alone where `tune_recommender` has found settings, and above `recommend.learn_blend_max_pairs`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.config import Config
from musai.matrix.reading import read_matrix
from musai.ranking import blending, heldout, parts
from musai.ranking.heldout import Held

SCHEMA = "part string, weight double"
LEAST_TRACKS = 5  # of a listener who is drawn
LEAST = 1000  # listeners: from fewer, weights that fit them by chance are worse than those of the configuration


def due(config: Config, pairs: int) -> bool:
    """Whether there is anything to learn: parts that can be fitted on a matrix of so many pairs, and nobody's wish."""
    asked = [part for part, weight in config.recommend.blend.items() if weight]
    fits = len(asked) > 1 and parts.SPACE.keys() >= set(asked)
    return fits and pairs <= config.recommend.learn_blend_max_pairs and "recommend.blend" not in config.by_hand


def batches(path: str, shape: tuple[int, int], config: Config, threads: int) -> Iterator[pa.RecordBatch]:
    """Rows of SCHEMA, a part each, learned on the matrix [users, items] under `path`; none where the configuration's
    weights are as good, or listeners too few to tell."""
    left, known = held_out(read_matrix(path, *shape), config)
    if len(known.users) < LEAST:
        return
    asked = {part: weight for part, weight in config.recommend.blend.items() if weight}
    fits = [parts.fitted(part, left, config, threads) for part in asked]
    given = np.array(list(asked.values()))
    weights = blending.learned_if_better(fits, given, left, known, config.tuning.k, config.seed)
    if weights is None:
        return
    yield pa.record_batch({"part": pa.array(list(asked)), "weight": pa.array(weights.astype(np.float64).round(3))})


def held_out(matrix: sp.csr_matrix, config: Config) -> tuple[sp.csr_matrix, Held]:
    """What is left of the matrix, and what is held out of it and somebody else has."""
    draw = np.random.default_rng(config.seed)
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    able = np.flatnonzero(np.diff(matrix.indptr) >= LEAST_TRACKS)
    chosen = np.zeros(matrix.shape[0], bool)
    chosen[draw.choice(able, min(len(able), config.tuning.users), replace=False)] = True
    out = chosen[users] & (draw.random(matrix.nnz) < config.evaluation.holdout_share)
    shape = matrix.shape
    left = sp.csr_matrix((matrix.data[~out], (users[~out], matrix.indices[~out])), shape=shape)
    out &= np.bincount(left.indices, minlength=shape[1])[matrix.indices] > 0
    return left, heldout.held(users[out], matrix.indices[out])
