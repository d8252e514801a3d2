"""Parts of the blend within one process: what of each can be tuned, and its scores once it is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from musai.config import Config
from musai.factorization import als
from musai.ranking import blocks, predicted
from musai.ranking.heldout import Scores
from musai.similarity import linear, neighbours

BLEND = "recommend.blend"

Space = dict[str, tuple[float, float, bool]]  # key of the configuration -> low, high, whether by its logarithm

SPACE: dict[str, Space] = {
    "cooccurrence": {
        "similarity.user_exponent": (0.0, 1.0, False),
        "similarity.track_exponent": (0.0, 1.0, False),
        "similarity.similar_exponent": (0.0, 0.8, False),
    },
    "linear": {
        "similarity.linear_candidates": (20, 300, True),
        "similarity.linear_regularization": (0.5, 100.0, True),
        "similarity.linear_denoising": (0.0, 3.0, False),
        "similarity.linear_user_exponent": (0.0, 1.0, False),
    },
    "als": {
        "factorization.factors": (16, 1024, True),
        "factorization.regularization": (1.0, 300.0, True),
        "factorization.regularization_exponent": (0.0, 1.0, False),
        "factorization.alpha": (1.0, 100.0, True),
    },
    "popularity": {},
    "low_pass": {"similarity.low_pass_factors": (16, 512, True)},
    "user_knn": {
        "similarity.user_knn_neighbours": (50, 1000, True),
        "similarity.user_knn_user_exponent": (0.0, 1.0, False),
        "similarity.user_knn_track_exponent": (0.0, 1.0, False),
        "similarity.user_knn_similar_exponent": (0.0, 0.8, False),
        "similarity.user_knn_power": (0.5, 3.0, False),
    },
    "contrastive": {
        "similarity.contrastive_factors": (32, 128, True),
        "similarity.contrastive_epochs": (5, 40, True),
        "similarity.contrastive_temperature": (0.08, 0.3, True),
    },
    "bm25": {"similarity.bm25_k1": (0.1, 200.0, True), "similarity.bm25_b": (0.0, 1.0, False)},
    "rp3beta": {"similarity.rp3_alpha": (0.0, 2.0, False), "similarity.rp3_beta": (0.0, 1.0, False)},
    "cosine": {},
    "tfidf": {},
}
DEAR = {"factorization.factors", "similarity.low_pass_factors"}  # a fit takes up to its square as long
IGNORED_BY_EXACT = "similarity.linear_candidates"
TICK_S = 1e-3  # less is not told from nothing
IGNORED_BY_MLLIB = "factorization.regularization_exponent"


def tunable(config: Config, items: int | None = None) -> dict[str, Space]:
    """Parts that a tuned blend may have and their keys: without the methods that the night does not work out and the
    parts that a blend given by hand leaves out, and without keys that were given by hand or that nothing reads (for so
    many items, where that is known). A part without any key of its own is there only where the blend at hand has it: a
    trial of it tells nothing new."""
    there: set[str] = {blocks.ALS, *predicted.BY_ITSELF, *config.similarity.track_methods}
    asked = {part for part, weight in config.recommend.blend.items() if weight}
    if BLEND in config.by_hand:
        there &= asked
    settled = set(config.by_hand)
    if config.factorization.backend == "spark":
        settled.add(IGNORED_BY_MLLIB)
    if items is not None and linear.is_exact(items, config.similarity):
        settled.add(IGNORED_BY_EXACT)
    return {
        part: {key: bounds for key, bounds in space.items() if key not in settled}
        for part, space in SPACE.items()
        if part in there and (space or part in asked)
    }


def in_use(config: Config) -> dict[str, Any]:
    """Key -> value of what the configuration says of the parts that have a weight and can be tuned, and the blend of
    them."""
    blend = {part: weight for part, weight in config.recommend.blend.items() if weight and part in SPACE}
    keys = [key.split(".") for part in blend for key in SPACE[part]]
    found = {f"{section}.{name}": getattr(getattr(config, section), name) for section, name in keys}
    return {**found, BLEND: blend}


def at_hand(space: Space, config: Config) -> dict[str, float]:
    """The values that the configuration has for the keys of `space`, brought within its bounds."""
    found = {}
    for key, (low, high, _) in space.items():
        section, name = key.split(".")
        found[key] = type(low)(np.clip(getattr(getattr(config, section), name), low, high))
    return found


def affordable(space: Space, settings: Mapping[str, Any], seconds: float, longest: float, rank: int) -> Space:
    """`space` up to what a trial takes `longest` with, by one that took so many seconds with `settings`; and not beyond
    the `rank` that the matrix can have."""
    times = (max(longest, seconds) / max(seconds, TICK_S)) ** 0.5
    found = dict(space)
    for key in DEAR & space.keys():
        low, high, log = space[key]
        found[key] = (low, min(high, int(settings[key] * times), max(rank, settings[key])), log)
    return found


def widest(space: Space, settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with as many factors as `space` has: more of them, at the same regularization, are seldom worse
    (Rendle et al. 2021). The same where nothing of it is dear."""
    return {**settings, **{key: space[key][1] for key in DEAR & space.keys()}}


def fitted(part: str, matrix: sp.csr_matrix, config: Config, threads: int) -> Scores:
    """The scores of a part fitted on `matrix` [users, items] with `config`, before anything is left out."""
    if part == blocks.ALS:
        settings = config.factorization
        if settings.backend == "spark":  # as MLlib has it, whose fits are the night's
            settings = settings.model_copy(update={"regularization_exponent": 1.0})
        factors = als.train(matrix, settings, config.seed, threads)
        return lambda users: factors.users[users] @ factors.tracks.T
    if part in predicted.BY_ITSELF:
        made = predicted.by_itself(part, matrix, config.similarity, config.seed)
        return lambda users: made.scores(matrix[users])
    heard = matrix
    if part in blocks.BINARY:
        heard = sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    if part == linear.METHOD:
        weights = linear.linear(matrix, config.similarity, threads)
        return lambda users: (heard[users] @ weights).toarray()
    near = neighbours.nearest(matrix, part, config.similarity, threads, config.similarity.scoring_neighbours)
    there = near.indices != neighbours.NO_NEIGHBOUR
    starts = np.append(0, np.cumsum(there.sum(axis=1)))
    square = sp.csr_matrix((near.scores[there], near.indices[there], starts), shape=(matrix.shape[1],) * 2)
    return lambda users: (heard[users] @ square).toarray()
