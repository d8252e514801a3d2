"""The inner loops one by one, on data drawn fresh, against plain numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from musai.ranking import kernels, top


@hypothesis_settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.one_of(st.integers(1, 40), st.integers(1000, 5000)),
    count=st.one_of(st.integers(1, 30), st.integers(200, 2000)),
    digits=st.sampled_from([0, 1, 7]),
    left_out=st.sampled_from([0, 0.5, 0.99, 1]),
)
def test_best_items_are_those_of_a_full_sort(seed, size, count, digits, left_out):
    """Few digits: ties everywhere. Count 2000: more than there are groups; size 1040 and its multiples lie between."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=size).round(digits).astype(np.float32)
    scores[rng.random(size) < left_out] = -np.inf
    place = rng.permutation(size).astype(np.int32)
    items, found = np.empty(count, np.int32), np.empty(count, np.float32)
    number = top.best_items(scores, place, items, found)
    due = [j for j in np.lexsort((place, -scores)) if scores[j] > -np.inf][:count]
    assert items[:number].tolist() == due
    assert (found[:number] == scores[due]).all()


@pytest.mark.parametrize("size", [1, top.WIDTH - 1, top.WIDTH, top.WIDTH + 1, 2 * top.WIDTH, 3 * top.WIDTH + 7])
def test_best_items_in_rising_and_falling_order(size):
    """The last and the first group, and the tail that fills no row."""
    place = np.arange(size, dtype=np.int32)
    for scores in (np.arange(size, dtype=np.float32), -np.arange(size, dtype=np.float32), np.zeros(size, np.float32)):
        items, found = np.empty(10, np.int32), np.empty(10, np.float32)
        number = top.best_items(scores, place, items, found)
        assert items[:number].tolist() == np.lexsort((place, -scores))[:10].tolist()


def test_zeros_of_either_sign_are_a_tie():
    scores = np.array([-0.0, 0.0, -0.0, -1.0], np.float32)
    items, found = np.empty(3, np.int32), np.empty(3, np.float32)
    assert top.best_items(scores, np.array([2, 1, 0, 3], np.int32), items, found) == 3
    assert items.tolist() == [2, 1, 0]


def near_of(dense: np.ndarray, binary: bool) -> kernels.Near:
    """Near of one method, the neighbours of a row in random order."""
    rng = np.random.default_rng(0)
    rows = [rng.permutation(row.nonzero()[0]) for row in dense]
    indptr = np.cumsum([0, *(len(row) for row in rows)]).reshape(1, -1)
    scores = np.concatenate([dense[i, row] for i, row in enumerate(rows)])
    indices = np.concatenate(rows).astype(np.int32)
    return kernels.Near(indptr, indices, scores.astype(np.float32), np.ones(1, np.float32), np.array([binary]))


@pytest.mark.parametrize("binary", [False, True])
def test_neighbour_scores(seed, binary):
    rng = np.random.default_rng(seed)
    dense = (rng.random((50, 50)) * (rng.random((50, 50)) < 0.3)).astype(np.float32)
    mine = np.sort(rng.choice(50, 20, replace=False)).astype(np.int32)
    values = (rng.random(20) * (rng.random(20) < 0.7)).astype(np.float32)
    scores = np.full(50, np.nan, np.float32)
    kernels.neighbour_scores(mine, values, near_of(dense, binary), 0, scores)
    counts = (values > 0).astype(float) if binary else values.astype(float)
    np.testing.assert_allclose(scores, counts @ dense[mine].astype(float), rtol=1e-5)
    kernels.neighbour_scores(mine[:0], values[:0], near_of(dense, binary), 0, scores)
    assert (scores == 0).all()


@pytest.mark.parametrize("size", [1, 5, 16, 1001])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_add_scaled(seed, size, scale):
    rng = np.random.default_rng(seed)
    total, part = (rng.normal(size=size).astype(np.float32) for _ in range(2))
    part *= np.float32(scale)
    wide = part.astype(float)
    due = total + 0.3 * wide / np.sqrt((wide**2).sum())
    factor = kernels.add_scaled(total, part, np.float32(0.3))
    np.testing.assert_allclose(total, due, rtol=1e-5, atol=1e-6)
    assert factor == pytest.approx(0.3 / np.sqrt((wide**2).sum()), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1e-45, np.nan, np.inf, -np.inf])
def test_add_scaled_leaves_out_what_has_no_length(value):
    """1e-45 is the smallest float32: what it would be multiplied with is none any more."""
    total, part = np.ones(20, np.float32), np.zeros(20, np.float32)
    part[7] = value
    assert kernels.add_scaled(total, part, np.float32(1)) == 0
    assert (total == 1).all()
