"""Re-ranked lists against small examples worked by hand and a brute-force greedy selection in float64."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from musai.factorization.fold_in import FoldIn, prepared
from musai.ranking import blocks, reranking
from musai.ranking.blocks import Lists
from musai.ranking.extras import Extras
from musai.ranking.kernels import Heard, Ranked
from musai.ranking.reranking import Facts, Reranking
from tests.factorization.test_fold_in import settings as of_als

BLEND = {"als": 0.5, "cooccurrence": 0.5}


def chosen(scores, settings, top_n, *, vectors=None, category=None, listeners=None, artist=None, cap=0, heard=()):
    """The places that one listener's list takes from candidates 0, 1, ... with these scores; heard: (track, weight)."""
    count = len(scores)
    category = np.zeros(count, np.int32) if category is None else np.array(category, np.int32)
    mine = Heard(
        np.array([0, len(heard)]),
        np.array([j for j, _ in heard], np.int32),
        np.array([w for _, w in heard], np.float32),
    )
    ranked = Ranked(*(np.arange(count).reshape(1, 1, -1).astype(kind) for kind in "ifBi"))
    ranked.scores[0, 0] = scores
    facts = Facts(
        np.zeros((count, 0), np.float32) if vectors is None else np.array(vectors, np.float32),
        category,
        int(category.max()) + 1,
        np.ones(count, np.float32) if listeners is None else np.array(listeners, np.float32),
        np.full(count, -1, np.int32) if artist is None else np.array(artist, np.int32),
    )
    found = reranking.reranked(ranked, mine, facts, settings, cap, top_n)
    assert (found.items == found.source).all()
    assert (found.items == found.because).all()
    assert (found.scores[0, 0] == np.array(scores, np.float32)[found.items[0, 0]]).all()
    return found.items[0, 0].tolist()


def of(**changes: float) -> Reranking:
    return Reranking(**{"diversity": 0.0, "calibration": 0.0, "popularity_exponent": 0.0, "candidates": 100} | changes)


def test_maximal_marginal_relevance_worked_by_hand():
    """r: 1, .8, 0. After track 0 its twin is worth .4 - .5, track 2 nothing less; at .2 the twin keeps .64 - .2."""
    scores, vectors = [1.0, 0.9, 0.5], [[2, 0], [7, 0], [0, 1]]
    assert chosen(scores, of(diversity=0.5), 3, vectors=vectors) == [0, 2, 1]
    assert chosen(scores, of(diversity=0.2), 3, vectors=vectors) == [0, 1, 2]


def test_what_lies_opposite_is_preferred_and_what_has_no_vector_is_like_nothing():
    scores, vectors = [1.0, 0.5, 0.5, 0.5], [[1, 0], [1, 1], [0, 0], [-1, 0]]
    assert chosen(scores, of(diversity=0.5), 4, vectors=vectors) == [0, 3, 2, 1]


def test_calibration_worked_by_hand():
    """Three quarters rock, one quarter folk among the weights: so is the list, where the scores alone list rock."""
    scores, category = [6.0, 5, 4, 3, 2, 1, 0, 0], [1, 1, 1, 1, 1, 2, 2, 0]
    heard = [(0, 1.5), (1, 1.5), (5, 1.0)]
    assert chosen(scores, of(), 4, category=category, heard=heard) == [0, 1, 2, 3]
    found = chosen(scores, of(calibration=0.9), 4, category=category, heard=heard)
    assert sorted(found) == [0, 1, 2, 5]
    assert found[0] == 0
    assert chosen(scores, of(calibration=0.9), 4, category=category) == [0, 1, 2, 3], "without weights: no taste"


def test_scores_are_divided_by_popularity():
    """r: 1, .875, 0 over the roots of 25, 1 and 0.25 times the fewest: .1, .4375, 0."""
    assert chosen([1.0, 0.9, 0.2], of(popularity_exponent=0.5), 3, listeners=[100, 4, 1]) == [1, 0, 2]
    assert chosen([1.0, 0.9, 0.2], of(popularity_exponent=0.01), 3, listeners=[100, 4, 1]) == [0, 1, 2]


def test_the_cap_holds_and_gives_way():
    scores, artist = [5.0, 4, 3, 2, 1], [0, 0, 0, 1, -1]
    assert chosen(scores, of(), 4, artist=artist, cap=1) == [0, 3, 4, 1]
    assert chosen(scores, of(), 4, artist=artist, cap=2) == [0, 1, 3, 4]


def brute_force(made, u, lists, name, category) -> list[int] | None:
    """The docstring of `reranking` word by word; None where two candidates are so close that float32 may differ."""
    settings = lists.reranking
    head = made.expected(u, dataclasses.replace(lists, top_n=settings.candidates), name)
    known, total, units = [j for j in head if j < made.known], made.total(u, lists.blend), {}
    low, high = min((total[j] for j in known), default=0), max((total[j] for j in known), default=0)
    fewest = min((max(made.listeners[j], 1) for j in known), default=1)
    for j in known:
        length = math.hypot(*made.tracks[j])
        units[j] = made.tracks[j] / length if length else made.tracks[j]

    def worth(j):
        share = (total[j] - low) / (high - low) if high > low else 1
        return share / (max(made.listeners[j], 1) / fewest) ** settings.popularity_exponent

    weights = {c: made.values[u][category[: made.known] == c].sum() for c in set(category.tolist())}
    everything = sum(weights.values())

    def divergence(listed):
        found = 0.0
        for c, weight in weights.items():
            if weight > 0:
                p, q = weight / everything, sum(category[j] == c for j in listed) / len(listed)
                found += p * math.log(p / (0.99 * q + 0.01 * p))
        return found

    listed: list[int] = []
    while len(listed) < lists.top_n:
        values = {}
        for j in known:
            of_artist = sum(made.artist[other] == made.artist[j] for other in listed)
            capped = lists.max_tracks_per_artist and made.artist[j] >= 0 and of_artist >= lists.max_tracks_per_artist
            if j not in listed and not capped:
                near = max((units[j] @ units[other] for other in listed), default=0)
                values[j] = (1 - settings.diversity - settings.calibration) * worth(j) - settings.diversity * near
                values[j] -= settings.calibration * divergence([*listed, j])
        if not values:
            break
        order = sorted(values, key=values.__getitem__, reverse=True)
        if len(order) > 1 and values[order[0]] - values[order[1]] < 1e-5:
            return None
        listed.append(order[0])
    return [*listed, *(j for j in head if j not in listed)][: lists.top_n]


@pytest.mark.parametrize("cap", [0, 2])
@pytest.mark.parametrize(
    "settings",
    [
        of(diversity=0.4, candidates=20),
        of(calibration=0.6, candidates=20),
        of(popularity_exponent=0.5, candidates=12),
        of(diversity=0.2, calibration=0.3, popularity_exponent=0.2, candidates=30),
    ],
    ids=["diversity", "calibration", "popularity", "all"],
)
def test_as_the_brute_force(world, seed, settings, cap):
    made = world(seed)
    while made.nearest_tie(BLEND) < 1e-6:
        seed += 1
        made = world(seed)
    category = np.random.default_rng(seed).integers(0, 5, 45).astype(np.int32)
    lists = Lists(8, ("discover", "for_you"), BLEND, cap, settings)
    models = dataclasses.replace(made.models(), extras=Extras(category=category))
    ranked, compared = blocks.recommend(made.block(), models, lists), 0
    for n, name in enumerate(lists.names):
        for u in range(len(made.heard)):
            due = brute_force(made, u, lists, name, category)
            if due is not None:
                found = ranked.items[u, n]
                assert found[found >= 0].tolist() == due, (seed, u, name)
                compared += 1
    assert compared > len(made.heard)


def test_nothing_asked_for_changes_nothing_but_what_is_looked_at(world, seed):
    made = world(seed)
    plain = blocks.recommend(made.block(), made.models(), Lists(8, ("for_you", "discover"), BLEND, 2))
    lists = Lists(8, ("for_you", "discover"), BLEND, 2, of(candidates=30))
    for found, due in zip(blocks.recommend(made.block(), made.models(), lists), plain, strict=True):
        assert (found == due).all(), seed


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    top_n=st.integers(1, 20),
    longer=st.integers(0, 15),
    candidates=st.integers(1, 50),
    cap=st.integers(0, 3),
    parts=st.tuples(*(st.sampled_from([0.0, 0.3]) for _ in range(3))),
)
def test_lists_stay_full_and_begin_alike_at_any_length(world, seed, top_n, longer, candidates, cap, parts):
    made = world(seed)
    diversity, calibration, exponent = parts
    settings = of(diversity=diversity, calibration=calibration, popularity_exponent=exponent, candidates=candidates)
    extras = Extras(category=np.arange(45, dtype=np.int32) % 4)
    models = dataclasses.replace(made.models(), extras=extras)
    lists = Lists(top_n, ("for_you",), BLEND, cap, settings)
    found = blocks.recommend(made.block(), models, lists)
    more = dataclasses.replace(lists, top_n=top_n + longer)
    same_candidates = top_n + longer <= candidates
    beginnings = blocks.recommend(made.block(), models, more).items[:, 0, :top_n] if same_candidates else None
    for u, items in enumerate(found.items[:, 0]):
        listed, offered = items[items >= 0].tolist(), made.offered(u)
        assert len(set(listed)) == len(listed) == min(top_n, len(offered))
        assert set(listed) <= set(offered)
        if beginnings is not None and sum(j < made.known for j in offered) > top_n + longer and not cap:
            assert beginnings[u].tolist() == items.tolist()


def test_who_was_not_in_the_training_is_folded_in(world, seed):
    """A listener with weights and no vector is served by ALS as the solved equations say; others are left alone."""
    made = world(seed)
    without = made.users.copy()
    without[4:] = 0
    settings = of_als(factors=4)
    fold = FoldIn(made.tracks.astype(np.float32), prepared(made.tracks), 5.0, 0.5, settings)
    models = dataclasses.replace(made.models(), extras=Extras(fold_in=fold))
    lists = Lists(8, ("for_you",), {"als": 1.0}, 0)
    found = blocks.recommend(dataclasses.replace(made, users=without).block(), models, lists)
    solved = made.users.copy()
    for u in range(4, len(solved)):
        if made.values[u].any():
            gains, liked = 5 * made.values[u], made.values[u] > 0
            penalty = 0.5 * (1 + gains[liked]).sum() ** 0.5 * np.eye(4)
            left = (made.tracks.T * (1 + gains)) @ made.tracks + penalty
            solved[u] = np.linalg.solve(left, made.tracks.T @ ((1 + gains) * liked))
    again = dataclasses.replace(made, users=solved)
    due = blocks.recommend(again.block(), again.models(), lists)
    assert (found.items == due.items).mean() > 0.99, seed  # near ties may turn round
    np.testing.assert_allclose(found.scores, due.scores, rtol=1e-3, atol=1e-5)
    assert pa.array(blocks.source_names(models)).take(pa.array(found.source[5, 0])).to_pylist()[0] == "als"
