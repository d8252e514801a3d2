"""Ranking metrics against answers worked by hand, a second derivation, malformed input and general properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from musai.errors import InputError
from musai.evaluation import ranking_metrics as metrics

# User 0: hits at ranks 1 and 3 of 3 held out. User 1: none of 1. User 2: hit at rank 2 of 5 held out.
HITS = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=bool)
HELD_OUT = np.array([3, 1, 5])
SECOND, FOURTH = 1 / np.log2(3), 1 / np.log2(5)  # discounts; those of ranks 1 and 3 are 1 and 1/2


def test_accuracy_worked_by_hand():
    columns = metrics.accuracy(HITS, HELD_OUT, [2, 4])
    by_hand: dict[tuple[str, int], list[float]] = {
        ("recall", 2): [1 / 3, 0, 1 / 5],
        ("recall", 4): [2 / 3, 0, 1 / 5],
        ("precision", 2): [1 / 2, 0, 1 / 2],
        ("precision", 4): [2 / 4, 0, 1 / 4],
        ("hit_rate", 2): [1, 0, 1],
        ("hit_rate", 4): [1, 0, 1],
        ("ndcg", 2): [1 / (1 + SECOND), 0, SECOND / (1 + SECOND)],
        ("ndcg", 4): [1.5 / (1.5 + SECOND), 0, SECOND / (1.5 + SECOND + FOURTH)],
        ("map", 2): [1 / 2, 0, (1 / 2) / 2],
        ("map", 4): [(1 + 2 / 3) / 3, 0, (1 / 2) / 4],
        ("mrr", 0): [1, 0, 1 / 2],
    }
    assert columns.keys() == by_hand.keys()
    for key, values in columns.items():
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, by_hand[key], rtol=1e-12, err_msg=str(key))


def test_perfect_lists_score_one_exactly():
    hits = np.tril(np.ones((5, 5), dtype=bool))  # user u: u + 1 hits at the top, and nothing else held out
    columns = metrics.accuracy(hits, np.arange(1, 6), [5])
    for name in ("recall", "ndcg", "map", "hit_rate"):
        assert (columns[name, 5] == 1).all(), name
    assert (columns["mrr", 0] == 1).all()
    assert columns["precision", 5].tolist() == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_no_users_give_no_rows():
    columns = metrics.accuracy(np.zeros((0, 3), dtype=bool), np.zeros(0, dtype=np.int64), [1, 3])
    assert {values.shape for values in columns.values()} == {(0,)}
    assert metrics.evaluate(columns, seed=1, resamples=10) == []


def test_malformed_accuracy_input():
    for hits, held_out, k, fault in (
        (HITS.astype(int), HELD_OUT, 1, "hits must be bool"),
        (HITS[0], HELD_OUT, 1, r"not bool \[4\]"),
        (HITS[:, :0], HELD_OUT, 1, "k_max > 0"),
        (HITS, HELD_OUT, 0, "k must lie in 1 to 4"),
        (HITS, HELD_OUT, 5, "k must lie in 1 to 4"),
        (HITS, HELD_OUT[:2], 1, r"held_out must be int \[3\]"),
        (HITS, HELD_OUT.astype(float), 1, "not float64"),
        (HITS, np.array([3, 0, 5]), 1, "number 1 of the batch has no held-out item"),
        (HITS, np.array([1, 1, 5]), 1, "number 0 of the batch has more hits than held-out items"),
    ):
        for metric in (metrics.recall_at, metrics.ndcg_at, metrics.average_precision_at):
            with pytest.raises(InputError, match=fault):
                metric(hits, held_out, k)


def test_malformed_lists():
    for recommended, fault in (
        ([0, 1], "recommended must be int"),
        ([[0.0, 1.0]], "not float64"),
        ([[0, 1], [-2, -1]], "number 1 of the batch is recommended an index below -1"),
        ([[0, 1], [1, 5]], "number 1 of the batch is recommended an index beyond the catalogue of 5"),
        ([[-1, 1]], "an item after the padding"),
        ([[2, 1, 2]], "one item twice"),
    ):
        with pytest.raises(InputError, match=fault):
            metrics.exposure_of(np.array(recommended), 5)


def test_hits_of_keeps_users_apart_and_padding_false():
    recommended = np.array([[4, 0, 2], [4, 3, -1], [-1, -1, -1], [0, 9, 4]])
    held_out = [[2, 4], [0, 4], [4], []]  # unsorted below: the order in a row of the matrix is free
    indptr, indices = np.array([0, 2, 4, 5, 5]), np.array([4, 2, 0, 4, 4], dtype=np.int32)
    by_hand = [[item in truth for item in row] for row, truth in zip(recommended.tolist(), held_out, strict=True)]
    assert metrics.hits_of(recommended, indptr, indices).tolist() == by_hand
    assert not metrics.hits_of(recommended, np.zeros(5, dtype=int), indices[:0]).any()
    assert metrics.hits_of(recommended[:0], np.zeros(1, dtype=int), indices[:0]).shape == (0, 3)


def test_hits_of_malformed_truth():
    for indptr, indices, fault in (
        ([0, 1], [1], "indptr must rise from 0 to 1 in 3 entries"),
        ([0, 3, 2], [1, 2], "indptr must rise"),
        ([0, 1, 2], [1, -1], "must not be negative"),
        ([0, 2, 2], [1, 1], "held out twice"),
    ):
        with pytest.raises(InputError, match=fault):
            metrics.hits_of(np.array([[0], [1]]), np.array(indptr), np.array(indices))


def test_agrees_with_a_user_at_a_time_derivation():
    """Sets and loops over users, as a scorer outside the project does it, on lists of every length."""
    random, users, items, top = np.random.default_rng(3), 60, 40, 12
    recommended = np.argsort(random.random((users, items)), axis=1)[:, :top]
    recommended[np.arange(top) >= random.integers(0, top + 1, users)[:, None]] = -1
    truth = [random.choice(items, size, replace=False) for size in random.integers(1, 20, users)]
    held_out = np.array([len(row) for row in truth])
    hits = metrics.hits_of(recommended, np.append(0, np.cumsum(held_out)), np.concatenate(truth))
    for k in (1, 5, top):
        recall = ndcg = precision = 0.0
        for row, held in zip(recommended.tolist(), truth, strict=True):
            gain = [float(item in set(held.tolist())) for item in row[:k]]
            ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(k, len(held)) + 1))
            recall += sum(gain) / len(held) / users
            ndcg += sum(g / np.log2(rank + 1) for rank, g in enumerate(gain, start=1)) / ideal / users
            precision += sum(gain) / k / users
        columns = metrics.accuracy(hits, held_out, [k])
        rows = {row.metric: row.value for row in metrics.evaluate(columns, seed=1, resamples=1)}
        assert (rows["recall"], rows["ndcg"], rows["precision"]) == pytest.approx((recall, ndcg, precision), rel=1e-12)


LISTS = np.array([[0, 1, 2], [0, 3, -1], [0, -1, -1], [-1, -1, -1]])


def test_exposure_coverage_and_gini_by_hand():
    exposure = metrics.exposure_of(LISTS, 5)
    assert exposure.tolist() == [3, 1, 1, 1, 0]
    assert metrics.coverage(exposure) == 4 / 5
    # Sum of |a - b| over all ordered pairs is 2 * (3 * 2 + 3 + 3 * 1) = 24; over 2 * 5 items * 6 slots.
    assert metrics.gini(exposure) == pytest.approx(24 / 60)
    assert metrics.gini(np.array([2, 2, 2])) == 0
    assert metrics.gini(np.array([0, 0, 0, 7])) == 1 - 1 / 4
    assert np.isnan([metrics.gini(np.zeros(3, dtype=int)), metrics.coverage(np.zeros(0, dtype=int))]).all()


def test_novelty_and_popularity_share_by_hand():
    listeners = np.array([8, 4, 1, 0, 4])
    np.testing.assert_allclose(metrics.novelty(LISTS, listeners, 8), [(0 + 1 + 3) / 3, (0 + 3) / 2, 0, np.nan])
    np.testing.assert_allclose(metrics.popularity_share(LISTS, listeners), [1 / 3, 1 / 2, 1, np.nan])
    # 40% of 5 items are two; items 1 and 4 tie, and the lower index goes first.
    np.testing.assert_allclose(metrics.popularity_share(LISTS, listeners, head=0.4), [2 / 3, 1 / 2, 1, np.nan])
    # 7% of 100 items are 7, though 0.07 * 100 is 7.000000000000001.
    assert metrics.popularity_share(np.array([[6, 7]]), np.arange(100)[::-1], head=0.07).tolist() == [0.5]
    with pytest.raises(InputError, match="more listeners than the audience"):
        metrics.novelty(LISTS, listeners, 7)
    with pytest.raises(InputError, match="head"):
        metrics.popularity_share(LISTS, listeners, head=0)


def test_intra_list_diversity_by_hand_and_by_pairs():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0], [0, 0]])
    lists = np.array([[0, 1, 2], [0, 3, -1], [0, 4, 1], [0, 4, -1], [2, -1, -1]])
    by_hand = [1 - (0 + 0.6 + 0.8) / 3, 2, 1, np.nan, np.nan]  # item 4 has no vector
    np.testing.assert_allclose(metrics.intra_list_diversity(lists, vectors), by_hand, atol=1e-12)
    random = np.random.default_rng(5)
    cloud = random.normal(size=(30, 8))
    cloud = (cloud / np.linalg.norm(cloud, axis=1, keepdims=True)).astype(np.float32)
    ranked = np.argsort(random.random((7, 30)), axis=1)[:, :10]
    cosine = cloud.astype(np.float64) @ cloud.T
    pairs = [np.mean([1 - cosine[a, b] for a in row for b in row if a < b]) for row in ranked]
    np.testing.assert_allclose(metrics.intra_list_diversity(ranked, cloud), pairs, rtol=1e-6)
    with pytest.raises(InputError, match="number 1 of the batch has a vector"):
        metrics.intra_list_diversity(np.array([[0, 1]]), np.array([[1.0, 0], [2.0, 0]]))


def test_listener_groups():
    for history, groups in (
        ([5, 1, 9], "medium light heavy"),
        ([1, 1, 1, 1], "medium medium medium medium"),
        ([9, 2, 2, 2, 7, 8], "heavy light light light medium heavy"),
        ([9, 2, 2, 2, 2, 8], "heavy medium medium medium medium heavy"),  # a middle rank of a third exactly
        ([], ""),
    ):
        assert metrics.listener_groups(np.array(history, dtype=np.int64)).tolist() == groups.split()


def test_interval_is_repeatable_shared_by_rows_and_near_the_normal_one():
    values = np.random.default_rng(7).normal(2, 1, size=(2, 900))
    low, high = metrics.bootstrap_interval(values[0], seed=4)
    assert metrics.bootstrap_interval(values[0], seed=4) == (low, high) != metrics.bootstrap_interval(values[0], seed=5)
    lows, highs = metrics.bootstrap_interval(values, seed=4)
    assert (lows[0], highs[0]) == pytest.approx((low, high), rel=1e-12)
    half = 1.96 * values[0].std() / 30
    assert (low, high) == pytest.approx((values[0].mean() - half, values[0].mean() + half), abs=half / 10)
    narrow = metrics.bootstrap_interval(values[0], confidence=0.5, seed=4)
    assert low < narrow[0] < narrow[1] < high
    assert metrics.bootstrap_interval(np.array([0.25]), seed=1) == (0.25, 0.25)
    for bad, confidence in ((np.zeros(0), 0.9), (np.array([1.0, np.nan]), 0.9), (values[0], 1)):
        with pytest.raises(InputError, match="finite values" if confidence < 1 else "confidence must lie"):
            metrics.bootstrap_interval(bad, confidence, seed=1)


def test_evaluate_rows_by_group_with_baseline_and_gaps():
    gap, groups = np.nan, np.array(["light", "light", "heavy", "heavy"])
    columns = {("recall", 2): np.array([0.5, 1, 0, 0.5]), ("novelty", 3): np.array([2, gap, gap, 4])}
    columns["diversity", 3] = np.array([1.5, gap, gap, gap])
    base = {("recall", 2): np.array([0, 0.5, 0, 0]), ("novelty", 3): np.array([1.0, 9, 9, np.nan])}
    rows = metrics.evaluate(columns, groups, base, seed=1, resamples=200)
    assert all(row.low is not None and row.high is not None and row.low <= row.value <= row.high for row in rows)
    assert {(r.metric, r.k, r.listeners): (r.value, r.baseline, r.users) for r in rows} == {
        ("recall", 2, "all"): (0.5, 0.125, 4),
        ("recall", 2, "light"): (0.75, 0.25, 2),
        ("recall", 2, "heavy"): (0.25, 0.0, 2),
        ("novelty", 3, "all"): (3.0, 1.0, 2),
        ("novelty", 3, "light"): (2.0, 1.0, 1),
        ("novelty", 3, "heavy"): (4.0, pytest.approx(np.nan, nan_ok=True), 1),
        ("diversity", 3, "all"): (1.5, None, 1),
        ("diversity", 3, "light"): (1.5, None, 1),
    }
    with pytest.raises(InputError, match="same users"):
        metrics.evaluate(columns, groups[:3], seed=1, resamples=1)
    with pytest.raises(InputError, match="number 3 of the batch is in no group"):
        metrics.evaluate(columns, np.array(["light", "light", "heavy", "idle"]), seed=1, resamples=1)


hit_matrices = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays(bool, shape))


@given(hits=hit_matrices, data=st.data())
def test_bounds_and_ndcg_is_one_only_for_hits_at_the_top(hits, data):
    missed = data.draw(arrays(np.int64, len(hits), elements=st.integers(1, 9)))
    held_out, k = hits.sum(axis=1) + missed - (hits.any(axis=1)), data.draw(st.integers(1, hits.shape[1]))
    for (name, _), values in metrics.accuracy(hits, held_out, [k]).items():
        assert ((values >= 0) & (values <= 1)).all(), name
    full = np.minimum(held_out, k)
    perfect = [row[:size].all() for row, size in zip(hits, full, strict=True)]
    assert (metrics.ndcg_at(hits, held_out, k) == 1).tolist() == perfect
    assert (metrics.average_precision_at(hits, held_out, k) == 1).tolist() == perfect


@given(hits=hit_matrices, data=st.data())
def test_the_order_of_users_leaves_means_alone(hits, data):
    order = np.array(data.draw(st.permutations(range(len(hits)))))
    held_out = hits.sum(axis=1) + 1
    columns, shuffled = (metrics.accuracy(hits[at], held_out[at], [hits.shape[1]]) for at in (slice(None), order))
    rows, others = (metrics.evaluate(each, seed=1, resamples=2) for each in (columns, shuffled))
    assert [row.value for row in rows] == [row.value for row in others]


@given(history=arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 12)))
def test_groups_follow_history(history):
    level = np.array([metrics.LISTENER_GROUPS.index(group) for group in metrics.listener_groups(history)])
    assert (np.diff(level[np.argsort(history, kind="stable")]) >= 0).all()
    assert all(len(set(level[history == value])) == 1 for value in set(history))
    assert (level == 0).sum() <= 2 * len(history) / 3  # a third, but for equals around the border
