"""The figures of a recommender from its lists and the popularity lists of the same listeners. Imports no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from musai.columns import DISCOVER, FOR_YOU
from musai.config import Config
from musai.evaluation import ranking_metrics as metrics

MEASURED = (FOR_YOU, DISCOVER)  # the lists that are
DIVERSITY_USERS = 2000  # listeners whose lists are compared track by track


@dataclass(frozen=True)
class Measured:
    """recommended int64 [users, k_max] item indexes, padded with -1; hits bool of the same shape."""

    recommended: np.ndarray
    hits: np.ndarray


def rows(
    ours: Measured,
    popularity: Measured,
    held_out: np.ndarray,
    history: np.ndarray,
    listeners: np.ndarray,
    audience: int,
    vectors_of: Callable[[np.ndarray], np.ndarray],
    ks: Sequence[int],
    seed: int,
    resamples: int,
    confidence: float,
) -> list[metrics.MetricRow]:
    """recall, ndcg, map, novelty, popularity_share, diversity and coverage at each k, by listener group.

    held_out, history int64 [users]: held-out tracks and training tracks; listeners int64 [items] and audience: how
    many heard each item, of how many; vectors_of: item indexes [n] -> float32 [n, f], what diversity compares.
    """

    def columns(lists: Measured) -> metrics.Columns:
        found = metrics.accuracy(lists.hits, held_out, ks)
        found = {key: value for key, value in found.items() if key[0] in ("recall", "ndcg", "map")}
        diversity = _diversity(lists.recommended[:DIVERSITY_USERS], ks, vectors_of)
        for k in ks:
            top = lists.recommended[:, :k]
            found["novelty", k] = metrics.novelty(top, listeners, audience)
            found["popularity_share", k] = metrics.popularity_share(top, listeners)
            found["diversity", k] = np.full(len(top), np.nan)
            found["diversity", k][:DIVERSITY_USERS] = diversity[k]
        return found

    groups = metrics.listener_groups(history)
    measured = metrics.evaluate(
        columns(ours), groups, columns(popularity), seed=seed, resamples=resamples, confidence=confidence
    )
    for k in ks:
        share, baseline = (
            metrics.coverage(metrics.exposure_of(lists.recommended[:, :k], len(listeners)))
            for lists in (ours, popularity)
        )
        measured.append(metrics.MetricRow("coverage", k, metrics.ALL, share, None, None, baseline, len(held_out)))
    return measured


def _diversity(
    lists: np.ndarray, ks: Sequence[int], vectors_of: Callable[[np.ndarray], np.ndarray]
) -> dict[int, np.ndarray]:
    """k -> float64 [users]; only the vectors of the tracks in these lists are asked for, and once."""
    wanted = np.unique(lists[lists >= 0])
    if not len(wanted):  # nobody was recommended anything
        return {k: np.full(len(lists), np.nan) for k in ks}
    compact = np.where(lists >= 0, np.searchsorted(wanted, lists), -1)
    vectors = vectors_of(wanted)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0, lengths, 1)
    return {k: metrics.intra_list_diversity(compact[:, :k], vectors) for k in ks}


def of_the_fit(config: Config) -> Config:
    """What the fit on the training part needs: lists as long as the largest cut, no similar users."""
    lists = [name for name in config.recommend.lists if name in MEASURED]
    recommend = config.recommend.model_copy(update={"lists": lists, "top_n": max(config.evaluation.ks)})
    similarity = config.similarity.model_copy(update={"user_methods": []})
    return config.model_copy(update={"recommend": recommend, "similarity": similarity})
