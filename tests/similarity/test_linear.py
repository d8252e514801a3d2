"""The linear item model against EASE in closed form, and against ridge regressions by numpy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from musai import config
from musai.similarity.linear import CANDIDATE_EXPONENT, batches, linear

USERS, ITEMS = 50, 30


def settings(**changes: float) -> config.Similarity:
    chosen = {"candidates": 100, "regularization": 3.0, "denoising": 0.0, "user_exponent": 0.0, **changes}
    return config.load([], [f"similarity.linear_{key}={value}" for key, value in chosen.items()]).similarity


@pytest.fixture
def matrix() -> sp.csr_matrix:
    """Tracks of 1 to 25 listeners; one user and one track without anything; weights that must not matter."""
    random = np.random.default_rng(0)
    dense = (random.random((USERS, ITEMS)) < np.linspace(0.05, 0.5, ITEMS)) * random.random((USERS, ITEMS))
    dense[4, :] = dense[:, 7] = 0
    return sp.csr_matrix(dense.astype(np.float32))


def gram(matrix: sp.csr_matrix, user_exponent: float = 0.0) -> np.ndarray:
    pattern = (matrix.toarray() > 0).astype(np.float64)
    return (pattern.T * np.maximum(pattern.sum(axis=1), 1) ** -user_exponent) @ pattern


def test_with_every_track_a_candidate_it_is_ease(matrix: sp.csr_matrix) -> None:
    inverse = np.linalg.inv(gram(matrix) + 3 * np.eye(ITEMS))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    touching = gram(matrix) > 0  # a track that shares no listener with j is no candidate of it
    full = touching.sum(axis=0) >= ITEMS - 1
    assert full.sum() > 5
    found = linear(matrix, settings(), 1).toarray()
    part = np.ix_(np.arange(ITEMS) != 7, full)
    np.testing.assert_allclose(found[part], np.maximum(ease, 0)[part], atol=1e-4)


@pytest.mark.parametrize(("denoising", "exponent"), [(0.0, 0.0), (0.7, 0.5)])
def test_small_catalogues_get_ease_itself(matrix: sp.csr_matrix, denoising: float, exponent: float) -> None:
    """Every track a candidate, listeners in common or not, and weights of either sign."""
    chosen = settings(exact_tracks=ITEMS, denoising=denoising, user_exponent=exponent)
    products = gram(matrix, exponent)
    inverse = np.linalg.inv(products + np.diag(denoising * np.diag(products) + 3))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    found = linear(matrix, chosen, 1).toarray()
    np.testing.assert_allclose(found, ease, atol=1e-6)
    assert (found < 0).any()
    assert (found[7] == 0).all()
    assert (found[:, 7] == 0).all()
    rows = pa.Table.from_batches(batches(matrix, chosen, 1))
    assert rows.num_rows == np.count_nonzero(found)
    approximated = linear(matrix, settings(exact_tracks=ITEMS - 1), 1).toarray()
    assert (approximated >= 0).all(), "one track too many"


def test_each_column_is_a_ridge_regression_on_the_nearest(matrix: sp.csr_matrix) -> None:
    chosen = settings(candidates=5, denoising=0.7, user_exponent=0.5)
    found, products = linear(matrix, chosen, 1).toarray(), gram(matrix, 0.5)
    diagonal = np.diag(products)
    for j in set(range(ITEMS)) - {7}:
        close = products[:, j] * np.maximum(diagonal, 1e-9) ** -CANDIDATE_EXPONENT
        close[j] = 0
        near = np.argsort(-close, kind="stable")[:5]
        left = products[np.ix_(near, near)] + np.diag(0.7 * diagonal[near] + 3)
        expected = np.zeros(ITEMS)
        expected[near] = np.maximum(np.linalg.solve(left, products[near, j]), 0)
        np.testing.assert_allclose(found[:, j], expected, atol=1e-4)


def test_threads_change_no_bit(matrix: sp.csr_matrix) -> None:
    wide = sp.hstack([matrix] * 40, format="csr")  # more than one piece of work
    one, two = (linear(wide, settings(candidates=10), threads) for threads in (1, 2))
    assert (one != two).nnz == 0


def test_within_little_memory_the_largest_products_are_kept(matrix: sp.csr_matrix) -> None:
    whole = linear(matrix, settings(candidates=5), 1)
    tight = settings(candidates=5).model_copy(update={"linear_memory_mb": 8 * ITEMS * 12 / 2**20})  # 12 of each row
    cut = linear(matrix, tight, 1)
    assert (whole != cut).nnz > 0
    assert np.corrcoef(whole.toarray().ravel(), cut.toarray().ravel())[0, 1] > 0.8


def test_the_rows_of_the_table(matrix: sp.csr_matrix) -> None:
    table = pa.Table.from_batches(batches(matrix, settings(candidates=5), 1)).to_pandas()
    weights = linear(matrix, settings(candidates=5), 1).toarray()
    assert len(table) == np.count_nonzero(weights)
    for index, rows in table.groupby("index"):
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
        assert (np.diff(rows["score"]) <= 0).all()
        np.testing.assert_array_equal(weights[index, rows["similar_index"]], rows["score"])


@pytest.mark.parametrize("shape", [(3, 2), (3, 1), (3, 0), (0, 2)])
def test_nothing_gives_nothing(shape: tuple[int, int]) -> None:
    assert linear(sp.csr_matrix(shape, dtype=np.float32), settings(), 1).nnz == 0
