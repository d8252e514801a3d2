"""Lists chosen from their candidates by more than the score: diversity, calibration, popularity.

Of the candidates C of a list (the best by score), one after the other is listed, each time the i with the largest

    (1 - diversity - calibration) r_i - diversity max of cos(i, j) over the j in S - calibration KL(p, q of S and i)

S: what is listed already. r_i: the score, brought to 0..1 over C and divided by (listeners of i / fewest in
C)^popularity_exponent. The parts are those of the field, each alone where the others are 0:

    diversity             Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking for reordering
                          documents and producing summaries": maximal marginal relevance; cos of the ALS factors, 0
                          where a track has none
    calibration           Steck 2018, "Calibrated recommendations": p, the shares of the categories in what the
                          listener has, by weight; q, those in the list, as .99 q + .01 p so that KL is finite. A track
                          without a category is of one of its own. Listeners without weights have no p: the term is 0
    popularity_exponent   Paudel, Christoffel, Newell & Bernstein 2017, "Updatable, accurate, diverse, and scalable
                          recommendations for interactive applications": the re-ranking step of RP3-beta

What is listed first does not depend on the length of the list. Ties go by score, then popularity. The artist cap holds
here too. Tracks that nobody has heard, and what the cap leaves out, follow at the end, as they do without re-ranking.
`score` stays that of the blend; it is the rank that says the order. Compiled by numba: a user's lists one after the
other, O(top_n x candidates x factors) each, with candidates x factors numbers of memory.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from musai.evaluation.calibration import SMOOTHING
from musai.jit import compiled
from musai.ranking.kernels import Heard, Ranked


@dataclasses.dataclass(frozen=True)
class Reranking:
    """See `recommend` in conf/base.yaml."""

    diversity: float
    calibration: float
    popularity_exponent: float
    candidates: int


class Weights(NamedTuple):
    """Of the three terms; cap: tracks that an artist may have, 0 = any."""

    diversity: float
    calibration: float
    popularity_exponent: float
    cap: int


class Facts(NamedTuple):
    """vectors float32 [known, f] (f may be 0); category int32 [all], of `categories` in number; listeners float32
    [known]; artist int32 [all], -1 = unknown."""

    vectors: np.ndarray
    category: np.ndarray
    categories: int
    listeners: np.ndarray
    artist: np.ndarray


class Scratch(NamedTuple):
    """Zeros before and after each list: by category how many are listed and what one more would gain; by artist
    how many are listed."""

    listed: np.ndarray
    gain: np.ndarray
    of_artist: np.ndarray


def reranked(ranked: Ranked, heard: Heard, facts: Facts, settings: Reranking, cap: int, top_n: int) -> Ranked:
    """The first top_n of lists [users, lists, candidates >= top_n], re-ranked."""
    chosen = np.empty((*ranked.items.shape[:2], top_n), np.int64)
    weights = Weights(settings.diversity, settings.calibration, settings.popularity_exponent, cap)
    choose(heard, ranked.items, ranked.scores, facts, weights, chosen)
    return Ranked(*(np.take_along_axis(array, chosen, axis=2) for array in ranked))


@compiled
def choose(
    heard: Heard, items: np.ndarray, scores: np.ndarray, facts: Facts, weights: Weights, chosen: np.ndarray
) -> None:
    """Fill `chosen` int64 [users, lists, top_n] with places in items and scores [users, lists, candidates]."""
    share = np.zeros(facts.categories)
    artists = facts.artist.max() + 2 if len(facts.artist) else 1
    scratch = Scratch(np.zeros(facts.categories), np.zeros(facts.categories), np.zeros(artists, np.int32))
    for u in range(len(items)):
        mine = heard.indices[heard.indptr[u] : heard.indptr[u + 1]]
        values = heard.values[heard.indptr[u] : heard.indptr[u + 1]]
        own = _taste(mine, values, facts.category, share)
        for n in range(items.shape[1]):
            _choose_list(items[u, n], scores[u, n], facts, weights, share, own, scratch, chosen[u, n])
        share[own] = 0


@compiled
def _taste(mine: np.ndarray, values: np.ndarray, category: np.ndarray, share: np.ndarray) -> np.ndarray:
    """p: what each category has of the weights, into `share`; returns the categories that have something."""
    own, count, total = np.empty(len(mine), np.int64), 0, 0.0
    for place in range(len(mine)):
        if values[place] > 0:
            c = category[mine[place]]
            if share[c] == 0:
                own[count] = c
                count += 1
            share[c] += values[place]
            total += values[place]
    for c in own[:count]:
        share[c] /= total
    return own[:count]


@compiled
def _choose_list(
    items: np.ndarray,
    scores: np.ndarray,
    facts: Facts,
    weights: Weights,
    share: np.ndarray,
    own: np.ndarray,
    scratch: Scratch,
    chosen: np.ndarray,
) -> None:
    """One list: by value while there are candidates that may be listed, then the others in their order."""
    places = np.flatnonzero((items >= 0) & (items < len(facts.listeners)))
    tracks = items[places]
    worth = _worth(scores[places], facts.listeners, tracks, weights.popularity_exponent)
    worth *= 1 - weights.diversity - weights.calibration
    vectors = _units(facts.vectors, tracks) if weights.diversity > 0 else np.empty((0, 0), np.float32)
    nearest = np.zeros(len(tracks), np.float32)
    free, used, taken = np.ones(len(tracks), np.bool_), np.zeros(len(items), np.bool_), 0
    while taken < len(chosen):
        if weights.calibration > 0:
            _gains(share, own, taken, scratch)
        best = _best(tracks, worth, nearest, free, facts, weights, scratch)
        if best < 0:
            break
        chosen[taken] = places[best]
        taken += 1
        free[best], used[places[best]] = False, True
        scratch.listed[facts.category[tracks[best]]] += 1
        scratch.of_artist[facts.artist[tracks[best]]] += 1  # an unknown one, -1, has the last place
        if weights.diversity > 0:
            _come_near(vectors, best, taken == 1, nearest)
    scratch.gain[own] = 0
    for place in chosen[:taken]:
        scratch.listed[facts.category[items[place]]] = 0
        scratch.of_artist[facts.artist[items[place]]] = 0
    for place in range(len(items)):
        if taken < len(chosen) and not used[place]:
            chosen[taken] = place
            taken += 1


@compiled
def _worth(scores: np.ndarray, listeners: np.ndarray, tracks: np.ndarray, exponent: float) -> np.ndarray:
    """r, float64 [candidates]; where all scores are one, that is 1 for each."""
    worth = np.ones(len(tracks))
    if len(tracks) == 0:
        return worth
    low, high, fewest = scores.min(), scores.max(), np.inf
    for j in tracks:
        fewest = min(fewest, max(np.float64(listeners[j]), 1.0))
    for place in range(len(tracks)):
        if high > low:
            worth[place] = (np.float64(scores[place]) - low) / (np.float64(high) - low)
        if exponent > 0:
            worth[place] *= (max(np.float64(listeners[tracks[place]]), 1.0) / fewest) ** -exponent
    return worth


@compiled
def _units(vectors: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """The tracks' vectors at length 1, float32 [candidates, f]; zeros stay zeros."""
    units = np.zeros((len(tracks), vectors.shape[1]), np.float32)
    for place in range(len(tracks)):
        square = 0.0
        for f in range(vectors.shape[1]):
            square += np.float64(vectors[tracks[place], f]) ** 2
        if square > 0:
            for f in range(vectors.shape[1]):
                units[place, f] = vectors[tracks[place], f] / np.sqrt(square)
    return units


@compiled
def _gains(share: np.ndarray, own: np.ndarray, taken: int, scratch: Scratch) -> None:
    """By how much KL would be less with one more track of a category than with one of no category of the listener's.

    The latter is the same number for all candidates, so that comparing these gains compares KL.
    """
    for c in own:
        without = (1 - SMOOTHING) * scratch.listed[c] / (taken + 1) + SMOOTHING * share[c]
        scratch.gain[c] = share[c] * np.log1p((1 - SMOOTHING) / (taken + 1) / without)


@compiled
def _best(
    tracks: np.ndarray,
    worth: np.ndarray,
    nearest: np.ndarray,
    free: np.ndarray,
    facts: Facts,
    weights: Weights,
    scratch: Scratch,
) -> int:
    """The place of the candidate to be listed next; -1 where none is left or the cap leaves none."""
    best, most = -1, -np.inf
    for place in range(len(tracks)):
        j = tracks[place]
        a = facts.artist[j]
        if not free[place] or (weights.cap > 0 and a >= 0 and scratch.of_artist[a] >= weights.cap):
            continue
        value = worth[place] - weights.diversity * nearest[place]
        value += weights.calibration * scratch.gain[facts.category[j]]
        if value > most:
            best, most = place, value
    return best


@compiled
def _come_near(vectors: np.ndarray, listed: int, first: bool, nearest: np.ndarray) -> None:
    """nearest: the largest cosine of each candidate with what is listed, now that one more is; 0 before the first."""
    for place in range(len(vectors)):
        cosine = np.float32(0)
        for f in range(vectors.shape[1]):
            cosine += vectors[place, f] * vectors[listed, f]
        if first or cosine > nearest[place]:
            nearest[place] = cosine
