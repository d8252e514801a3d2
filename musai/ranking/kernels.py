"""The inner loops of ranking, compiled by numba: from the models to the lists of a block of users.

Users are done one after the other, so that a row over the catalogue stays in the processor's cache. Every sum runs in
an order that the code fixes, so a block gives the same bits wherever it is computed (on one type of processor). A
part that is not finite says nothing.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from musai.jit import compiled
from musai.ranking.moods import Moods, fill_mood
from musai.ranking.top import NEVER, Tracks, fill_list, has_room

EXPLAINING = 16  # tracks of a listener by which ALS explains: others hardly ever do
EXPLAINED = 20  # places of a list that ALS explains: it costs as much as a part of the scores
ALS, NEAR = 0, 1  # places of `Lists.source`: the product, the first method; popularity and catalogue follow the last


class Heard(NamedTuple):
    """What a block's users have, as CSR: indptr int64 [users + 1], indices int32, values float32 >= 0."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray


class Near(NamedTuple):
    """Neighbours of all methods: indptr int64 [methods, known + 1] into indices int32 and scores float32; weights
    float32 [methods], 0 = not asked for; binary bool [methods]: a heard track counts 1 whatever its value."""

    indptr: np.ndarray
    indices: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    binary: np.ndarray


class Ranked(NamedTuple):
    """items int32 (-1 = none), scores float32, source uint8 and because int32 (-1 = none), all [users, lists, top_n];
    source: 0 the product, 1.. a method, then popularity, then catalogue."""

    items: np.ndarray
    scores: np.ndarray
    source: np.ndarray
    because: np.ndarray


@compiled
def rank(
    heard: Heard,
    product: np.ndarray,
    product_weight: float,
    predicted: np.ndarray,
    predictions: np.ndarray,
    near: Near,
    tracks: Tracks,
    popular: np.ndarray,
    segment: np.ndarray,
    vectors: np.ndarray,
    new_artists: np.ndarray,
    moods: Moods,
    cap: int,
    ranked: Ranked,
) -> None:
    """Fill `ranked` for a block of users; one of whom no part says anything is served by popularity.

    product float32 [users, known], or [0, known] where there is none; predicted int64 [methods]: place of a method in
    predictions float32 [n, users, known], -1 where it scores by a product with its neighbours; popular
    float32 [segments, known]: popularity, and segment int64 [users]: the row of it that serves a user; vectors
    float32 [known, f]: tracks' factors, which explain what no method does; new_artists bool [lists]: only artists of
    whom the user has nothing; moods: which lists keep to a mood; cap: tracks an artist may have in a list, 0 = any.
    """
    known, methods = len(tracks.place), len(near.weights)
    total, parts = np.empty(known, np.float32), np.empty((methods, known), np.float32)
    scales = np.zeros(methods + 1, np.float32)
    slot = np.zeros(known, np.int32)
    met, counts = np.zeros(len(tracks.by_artist), np.bool_), np.zeros(len(tracks.by_artist), np.int32)
    for u in range(len(heard.indptr) - 1):
        mine = heard.indices[heard.indptr[u] : heard.indptr[u + 1]]
        values = heard.values[heard.indptr[u] : heard.indptr[u + 1]]
        scores = product[u] if len(product) else product.ravel()
        total[:] = 0
        scales[:] = 0
        if not _all_lone(mine, tracks.lone):
            scales[ALS] = add_scaled(total, scores, product_weight)
        for m in range(methods):
            if near.weights[m] > 0:
                if predicted[m] >= 0:
                    parts[m] = predictions[predicted[m], u]
                else:
                    neighbour_scores(mine, values, near, m, parts[m])
                scales[NEAR + m] = add_scaled(total, parts[m], near.weights[m])
        if not scales.any():
            total[:] = popular[segment[u]]
        _leave_out(total, mine)
        _leave_out(total, tracks.blocked)
        _fill_lists(total, mine, tracks, new_artists, moods, met, cap, counts, ranked.items[u], ranked.scores[u])
        for j in mine:  # an unknown artist, -1, has the last place, which nobody asks for
            met[tracks.artist[j]] = False
        items, source = ranked.items[u].ravel(), ranked.source[u].ravel()
        for r in range(len(items)):
            source[r] = _source(items[r], scores, parts, scales)
        _explain(mine, values, near, vectors, scales, items, ranked.because[u].ravel(), slot, ranked.items.shape[2])


@compiled
def of_lone_tracks(heard: Heard, lone: np.ndarray) -> np.ndarray:
    """bool [users]: who has nothing but tracks that nobody else has."""
    found = np.zeros(len(heard.indptr) - 1, np.bool_)
    for u in range(len(found)):
        found[u] = _all_lone(heard.indices[heard.indptr[u] : heard.indptr[u + 1]], lone)
    return found


@compiled
def _all_lone(mine: np.ndarray, lone: np.ndarray) -> bool:
    """ALS then has learnt nothing that leads from them to another track: its scores are what rounding left."""
    return lone[mine].all()


@compiled
def pick(
    heard: Heard,
    near: Near,
    tracks: Tracks,
    vectors: np.ndarray,
    whole: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
    source: np.ndarray,
    scales: np.ndarray,
    cap: int,
    ranked: Ranked,
) -> np.ndarray:
    """Fill `ranked` from candidates (`torch_lists.Candidates`); returns bool [users]: for whom they do not tell.

    They do not where a list stays short of them, or ends on the score of the last of them, with which others that are
    not among them may be level.
    """
    users, lists, top_n = ranked.items.shape
    left, counts = np.zeros(users, np.bool_), np.zeros(len(tracks.by_artist), np.int32)
    artist, slot = tracks.artist, np.zeros(len(tracks.place), np.int32)
    for u in range(users):
        for n in range(lists):
            taken, last = 0, items.shape[2] - 1
            for c in range(items.shape[2]):
                if taken == top_n or scores[u, n, c] == NEVER:
                    break
                if has_room(artist[items[u, n, c]], cap, counts):
                    ranked.items[u, n, taken] = items[u, n, c]
                    ranked.scores[u, n, taken] = scores[u, n, c]
                    ranked.source[u, n, taken] = source[u, n, c]
                    taken += 1
            for c in range(items.shape[2]):
                counts[artist[items[u, n, c]]] = 0
            left[u] |= taken < top_n or (not whole[n] and ranked.scores[u, n, taken - 1] == scores[u, n, last])
        if not left[u]:
            mine = heard.indices[heard.indptr[u] : heard.indptr[u + 1]]
            values = heard.values[heard.indptr[u] : heard.indptr[u + 1]]
            because = ranked.because[u].ravel()
            _explain(mine, values, near, vectors, scales[u], ranked.items[u].ravel(), because, slot, top_n)
    return left


@compiled
def _fill_lists(
    total: np.ndarray,
    mine: np.ndarray,
    tracks: Tracks,
    new_artists: np.ndarray,
    moods: Moods,
    met: np.ndarray,
    cap: int,
    counts: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    """All lists of one user into items and scores [lists, top_n]; `total` and `met` are changed."""
    for only_new in (False, True):  # what is left out for new artists is left out of no list before
        if only_new and new_artists.any():
            _leave_out_artists(total, mine, tracks, met)
        for n in range(len(new_artists)):
            mood = moods.of_list[n]
            if mood >= 0 and not only_new:
                fill_mood(total, moods, mood, tracks, met, cap, counts, items[n], scores[n])
            elif mood < 0 and new_artists[n] == only_new:
                fill_list(total, tracks, met, only_new, cap, counts, items[n], scores[n])


@compiled
def neighbour_scores(mine: np.ndarray, values: np.ndarray, near: Near, m: int, scores: np.ndarray) -> None:
    """scores[j] = sum over the user's tracks i of value_i x s_ij, s by method m; float32 [known], overwritten."""
    scores[:] = 0
    for p in range(len(mine)):
        value, indices, of_indices = _neighbours(mine, values, near, m, p)
        if value > 0:
            for q in range(len(indices)):
                scores[np.uint32(indices[q])] += value * of_indices[q]  # unsigned: numba looks for no negative index


@compiled
def _neighbours(
    mine: np.ndarray, values: np.ndarray, near: Near, m: int, p: int
) -> tuple[np.float32, np.ndarray, np.ndarray]:
    """What the user's p-th track counts by method m, its neighbours, and their scores."""
    start, end = near.indptr[m, mine[p]], near.indptr[m, mine[p] + 1]
    value = np.float32(values[p] > 0) if near.binary[m] else values[p]
    return value, near.indices[start:end], near.scores[start:end]


@functools.partial(compiled, fastmath={"reassoc"})
def _square(part: np.ndarray) -> float:
    """Sum of squares, in as many partial sums as the processor has lanes: always the same on one type of processor."""
    square = 0.0
    for j in range(len(part)):
        square += np.float64(part[j]) * np.float64(part[j])
    return square


@compiled
def add_scaled(total: np.ndarray, part: np.ndarray, weight: float) -> np.float32:
    """total += weight x part / length of part (Euclidean); returns the factor, 0 where part says nothing.

    The length makes parts of any scale comparable user by user.
    """
    square = _square(part)
    if not 0 < square < np.inf:
        return np.float32(0)
    scale = np.float32(weight / np.sqrt(square))
    if not np.isfinite(scale):
        return np.float32(0)
    for j in range(len(part)):
        total[j] += scale * part[j]
    return scale


@compiled
def _leave_out(total: np.ndarray, items: np.ndarray) -> None:
    for j in items:
        total[j] = NEVER


@compiled
def _leave_out_artists(total: np.ndarray, mine: np.ndarray, tracks: Tracks, met: np.ndarray) -> None:
    """Take the artists of the user's tracks, and the unknown artist, out of `total`; mark those artists in `met`."""
    _leave_out(total, tracks.of_artist[: tracks.by_artist[1]])
    for j in mine:
        a = tracks.artist[j]
        if a >= 0 and not met[a]:
            met[a] = True
            _leave_out(total, tracks.of_artist[tracks.by_artist[a + 1] : tracks.by_artist[a + 2]])


@compiled
def _source(j: int, product: np.ndarray, parts: np.ndarray, scales: np.ndarray) -> int:
    """The part with the largest share of track j; popularity, which orders what no part speaks of, if none."""
    source, most = len(scales), NEVER
    if not 0 <= j < parts.shape[1]:
        return source + 1
    for part in range(len(scales)):
        if scales[part] != 0:
            share = scales[part] * (product[j] if part == ALS else parts[part - NEAR, j])
            if share != 0 and share > most:
                source, most = part, share
    return source


@compiled
def _explain(
    mine: np.ndarray,
    values: np.ndarray,
    near: Near,
    vectors: np.ndarray,
    scales: np.ndarray,
    items: np.ndarray,
    because: np.ndarray,
    slot: np.ndarray,
    top_n: int,
) -> None:
    """because [items]: the user's track that adds most to each item over all methods, -1 where none does; where none
    does and ALS speaks, the user's track whose factors are nearest to the item's, by product and the track's value.

    slot int32 [known] is zeros before and after: meanwhile, of each listed track, its place in `best`, counted from 1.
    """
    best, reason = np.zeros(len(items) + 1, np.float32), np.full(len(items) + 1, -1, np.int32)
    best[0] = np.inf  # nobody's
    for r in range(len(items)):
        if 0 <= items[r] < len(slot):
            slot[items[r]] = r + 1
    for m in range(len(near.weights)):
        for p in range(len(mine)):
            value, indices, of_indices = _neighbours(mine, values, near, m, p)
            value *= scales[NEAR + m]
            if value > 0:
                for q in range(len(indices)):
                    place = slot[np.uint32(indices[q])]
                    if value * of_indices[q] > best[np.uint32(place)]:
                        best[place], reason[place] = value * of_indices[q], mine[p]
    for r in range(len(items)):
        because[r] = reason[slot[items[r]]] if 0 <= items[r] < len(slot) else -1
    if scales[ALS] != 0:
        _by_factors(mine, values, vectors, items, because, top_n)
    for r in range(len(items)):
        if 0 <= items[r] < len(slot):
            slot[items[r]] = 0


@compiled
def _by_factors(
    mine: np.ndarray, values: np.ndarray, vectors: np.ndarray, items: np.ndarray, because: np.ndarray, top_n: int
) -> None:
    """Fill `because` where it is -1 and the item a known one in the first EXPLAINED places of its list of `top_n`: the
    track i of `mine` with the largest value_i x (y_i . y_j) above 0, if there is one, among the EXPLAINING of largest
    value_i x |y_i|, which bounds it. One product of BLAS, whose threads the caller bounds."""
    most = np.empty(len(mine), np.float32)
    for p in range(len(mine)):
        most[p] = max(values[p], np.float32(0)) * np.sqrt(_square(vectors[mine[p]]))
    chosen = np.argsort(-most, kind="mergesort")[:EXPLAINING]
    own = vectors[mine[chosen]]
    for p in range(len(chosen)):
        own[p] *= max(values[chosen[p]], np.float32(0))
    first = np.arange(len(items)) % top_n < EXPLAINED
    asked = np.flatnonzero((because < 0) & (items >= 0) & (items < len(vectors)) & first)
    products = np.dot(vectors[items[asked]], own.T)
    for r in range(len(asked)):
        best = np.float32(0)
        for p in range(len(chosen)):
            if products[r, p] > best:
                best, because[asked[r]] = products[r, p], mine[chosen[p]]
