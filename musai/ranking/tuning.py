"""Settings found on plays that were held out: each part's own by search, then the weights of the blend by ascent.

Input: the training matrix R, csr float32 [users, items], and what some of its users have beside it. A part is fitted on
R with the settings of a trial (Optuna's TPE; Bergstra et al. 2011), scores those users' tracks, and is worth its mean
NDCG@k. The best fit of each part is kept; their scores, each user's at length 1 as `kernels.add_scaled` has them, are
then weighted: coordinate ascent on the NDCG of the weighted sum, over the best CANDIDATES tracks of each part, in steps
that shrink (Metzler & Croft 2007, "Linear feature-based models for information retrieval").

The first trial of a part has the settings at hand, so that what is found is never worse on the held-out plays.
Memory: R three times, the fits of the parts twice, and 4 bytes x parts x 3 CANDIDATES a user.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.config import Config
from musai.evaluation.ranking_metrics import hits_of, ndcg_at
from musai.factorization import als
from musai.matrix.reading import read_matrix
from musai.ranking import blocks, predicted
from musai.similarity import linear, neighbours

SCHEMA = "trial int, settings string, metric string, value double, seconds double"
SPACE: dict[str, dict[str, tuple[float, float, bool]]] = {  # part -> key of the configuration -> low, high, by its log
    "cooccurrence": {
        "similarity.user_exponent": (0.0, 1.0, False),
        "similarity.track_exponent": (0.0, 1.0, False),
        "similarity.similar_exponent": (0.0, 0.8, False),
    },
    "linear": {
        "similarity.linear_candidates": (20, 200, True),
        "similarity.linear_regularization": (0.5, 100.0, True),
        "similarity.linear_denoising": (0.0, 3.0, False),
        "similarity.linear_user_exponent": (0.0, 1.0, False),
    },
    "als": {
        "factorization.regularization": (1.0, 300.0, True),
        "factorization.regularization_exponent": (0.0, 1.0, False),
        "factorization.alpha": (1.0, 60.0, True),
    },
    "low_pass": {"similarity.low_pass_factors": (16, 512, True)},
    "user_knn": {
        "similarity.user_knn_neighbours": (20, 500, True),
        "similarity.user_knn_user_exponent": (0.0, 1.0, False),
        "similarity.user_knn_track_exponent": (0.0, 1.0, False),
        "similarity.user_knn_similar_exponent": (0.0, 0.8, False),
        "similarity.user_knn_power": (0.5, 3.0, False),
    },
}
CANDIDATES = 200
BLOCK = 256  # users scored side by side
STEPS = (0.4, 0.2, 0.1, 0.05)
SMALL = 0.02  # a weight below it is none: a part costs time every night

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


@dataclasses.dataclass(frozen=True)
class Trial:
    """settings: key of the configuration -> value; value: NDCG@k; seconds: for fitting and scoring."""

    settings: Mapping[str, Any]
    value: float
    seconds: float


def held(users: np.ndarray, items: np.ndarray) -> Held:
    """From pairs in any order."""
    order = np.lexsort((items, users))
    of, counts = np.unique(users[order], return_counts=True)
    return Held(of.astype(np.int64), np.append(0, np.cumsum(counts)), items[order].astype(np.int64))


def batches(
    path: str, shape: tuple[int, int], held_out: Held, config: Config, threads: int
) -> Iterator[pa.RecordBatch]:
    """`tune` on the matrix under `path` [users, items], as SCHEMA; the last row is the winner, with all settings."""
    trials = list(tune(read_matrix(path, *shape), held_out, config, threads))
    yield pa.record_batch(
        {
            "trial": pa.array(range(1, len(trials) + 1), pa.int32()),
            "settings": [json.dumps(trial.settings, sort_keys=True) for trial in trials],
            "metric": [f"ndcg@{config.tuning.k}"] * len(trials),
            "value": [trial.value for trial in trials],
            "seconds": [trial.seconds for trial in trials],
        }
    )


def tune(matrix: sp.csr_matrix, held_out: Held, config: Config, threads: int) -> Iterator[Trial]:
    """Trials of every part in turn until `tuning.trials` of each or `tuning.minutes` are spent; at last the blend."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    end = time.monotonic() + 60 * config.tuning.minutes
    best: dict[str, tuple[Trial, Scores]] = {}
    longest = dict.fromkeys(SPACE, 0.0)
    studies = {part: optuna.create_study(sampler=optuna.samplers.TPESampler(seed=config.seed)) for part in SPACE}
    for part, study in studies.items():
        study.enqueue_trial(_at_hand(part, config))
    for number in range(config.tuning.trials):
        for part, study in studies.items():
            if number and time.monotonic() + longest[part] > end:
                continue
            asked = study.ask()
            settings = {key: _suggested(asked, key, *bounds) for key, bounds in SPACE[part].items()}
            started = time.monotonic()
            scores = fitted(part, matrix, config.tuned(settings), threads)
            value = _ndcg(scores, matrix, held_out, config.tuning.k)
            trial = Trial(settings, value, time.monotonic() - started)
            study.tell(asked, -value)
            longest[part] = max(longest[part], trial.seconds)
            if part not in best or value > best[part][0].value:
                best[part] = trial, scores
            yield trial
    yield _blended(best, matrix, held_out, config.tuning.k)


def _at_hand(part: str, config: Config) -> dict[str, float]:
    values = config.model_dump()
    found = {}
    for key, (low, high, _) in SPACE[part].items():
        section, name = key.split(".")
        found[key] = type(low)(np.clip(values[section][name], low, high))
    return found


def _suggested(trial: Any, key: str, low: float, high: float, log: bool) -> float:
    suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
    found: float = suggest(key, low, high, log=log)
    return found


def fitted(part: str, matrix: sp.csr_matrix, config: Config, threads: int) -> Scores:
    """The scores of a part fitted on `matrix` with `config`, before anything is left out."""
    if part == blocks.ALS:
        factors = als.train(matrix, config.factorization, config.seed, threads)
        return lambda users: factors.users[users] @ factors.tracks.T
    if part in predicted.BY_ITSELF:
        made = predicted.by_itself(part, matrix, config.similarity, config.seed)
        return lambda users: made.scores(matrix[users])
    heard = sp.csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    if part == linear.METHOD:
        weights = linear.linear(matrix, config.similarity, threads)
        return lambda users: (heard[users] @ weights).toarray()
    near = neighbours.nearest(matrix, part, config.similarity, threads, config.similarity.scoring_neighbours)
    there = near.indices != neighbours.NO_NEIGHBOUR
    starts = np.append(0, np.cumsum(there.sum(axis=1)))
    square = sp.csr_matrix((near.scores[there], near.indices[there], starts), shape=(matrix.shape[1],) * 2)
    return lambda users: (heard[users] @ square).toarray()


def _ndcg(scores: Scores, matrix: sp.csr_matrix, held_out: Held, k: int) -> float:
    tops = [_best(_masked(scores(users), matrix, users), k) for users in _blocks(held_out)]
    return _mean_ndcg(np.concatenate(tops), held_out, k)


def _blocks(held_out: Held) -> list[np.ndarray]:
    return [held_out.users[start : start + BLOCK] for start in range(0, len(held_out.users), BLOCK)]


def _masked(scores: np.ndarray, matrix: sp.csr_matrix, users: np.ndarray) -> np.ndarray:
    """`scores` with -inf for what the users have."""
    rows = matrix[users]
    scores[np.repeat(np.arange(len(users)), np.diff(rows.indptr)), rows.indices] = -np.inf
    return scores


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """int64 [users, count]: the best items, best first; -1 where there are fewer."""
    count = min(count, scores.shape[1])
    found = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    values = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    found, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(np.isfinite(values), found, -1)


def _mean_ndcg(tops: np.ndarray, held_out: Held, k: int) -> float:
    hits = hits_of(tops, held_out.indptr, held_out.indices)
    return float(ndcg_at(hits, held_out.counts, min(k, tops.shape[1])).mean())


def _blended(best: Mapping[str, tuple[Trial, Scores]], matrix: sp.csr_matrix, held_out: Held, k: int) -> Trial:
    started = time.monotonic()
    candidates, features = _candidates([scores for _, scores in best.values()], matrix, held_out)

    def value(weights: np.ndarray) -> float:
        found = np.where(candidates >= 0, features @ weights.astype(np.float32), -np.inf)
        order = _best(found, k)
        tops = np.where(order >= 0, np.take_along_axis(candidates, np.maximum(order, 0), axis=1), -1)
        return _mean_ndcg(tops, held_out, k)

    weights, reached = ascent(value, np.array([trial.value for trial, _ in best.values()]))
    blend = {part: round(float(weight), 3) for part, weight in zip(best, weights, strict=True)}
    settings = {key: setting for trial, _ in best.values() for key, setting in trial.settings.items()}
    return Trial({**settings, "recommend.blend": blend}, reached, time.monotonic() - started)


def ascent(value: Callable[[np.ndarray], float], alone: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights [parts] >= 0 that add up to 1 and their value, from the part that is best `alone` on."""
    weights = np.zeros(len(alone))
    weights[np.argmax(alone)] = 1
    reached = value(weights)
    for step in STEPS:
        for part in np.argsort(-alone, kind="stable"):
            for change in (-step, step):
                moved = weights.copy()
                moved[part] = max(0.0, moved[part] + change)
                if moved.any() and (found := value(moved)) > reached:
                    weights, reached = moved, found
    weights /= weights.sum()
    kept = np.where(weights < SMALL, 0, weights)
    return kept / kept.sum(), value(kept)


def _candidates(parts: list[Scores], matrix: sp.csr_matrix, held_out: Held) -> tuple[np.ndarray, np.ndarray]:
    """(items int64 [users, width], -1 = none; float32 [users, width, parts]: their scores, each part's row over the
    whole catalogue at length 1)."""
    items, features = [], []
    width = min(CANDIDATES, matrix.shape[1]) * len(parts)
    for users in _blocks(held_out):
        scored = [part(users) for part in parts]
        for scores in scored:
            length = np.sqrt(np.einsum("ui,ui->u", scores, scores, dtype=np.float64))
            scores /= np.maximum(length, np.finfo(np.float32).tiny)[:, None].astype(np.float32)
        tops = [_best(_masked(scores, matrix, users), CANDIDATES) for scores in scored]
        found = np.sort(np.concatenate(tops, axis=1), axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = -1  # each once
        items.append(found[:, :width])
        row = np.arange(len(users))[:, None]
        features.append(np.stack([scores[row, found] for scores in scored], axis=2))
    return np.concatenate(items), np.nan_to_num(np.concatenate(features), neginf=0.0)
