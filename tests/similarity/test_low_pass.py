"""The filter against numpy's own singular vectors, and against what a filter must do to patterns it keeps."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from musai.similarity.low_pass import low_pass

USERS, ITEMS = 80, 60


@pytest.fixture
def pattern() -> np.ndarray:
    """Three groups of listeners with a taste each and some noise; one user and one track without anything."""
    random = np.random.default_rng(0)
    chance = np.where(np.arange(USERS)[:, None] % 3 == np.arange(ITEMS) % 3, 0.5, 0.05)
    found = (random.random((USERS, ITEMS)) < chance).astype(np.float32)
    found[4, :] = found[:, 7] = 0
    return found


def test_it_is_the_projection_on_the_first_singular_vectors(pattern: np.ndarray) -> None:
    with np.errstate(divide="ignore"):
        by_user, by_item = (np.where(n > 0, n**-0.5, 0) for n in (pattern.sum(axis=1), pattern.sum(axis=0)))
    smooth = by_user[:, None] * pattern * by_item
    vectors = np.linalg.svd(smooth.astype(np.float64))[2][:3].T
    expected = (pattern * by_item) @ vectors @ vectors.T * np.sqrt(pattern.sum(axis=0))
    found = low_pass(sp.csr_matrix(pattern), 3, 0).scores(sp.csr_matrix(pattern))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_with_every_pattern_kept_the_rows_come_back(pattern: np.ndarray) -> None:
    matrix = sp.csr_matrix(pattern)
    np.testing.assert_allclose(low_pass(matrix, 1000, 0).scores(matrix), pattern, atol=1e-3)


def test_a_listener_gets_the_tracks_of_the_own_group(pattern: np.ndarray) -> None:
    one = sp.csr_matrix((np.ones(2, np.float32), [0, 3], [0, 2]), shape=(1, ITEMS))
    best = np.argsort(-low_pass(sp.csr_matrix(pattern), 3, 0).scores(one)[0])[:12]
    assert set(best % 3) == {0}


def test_weights_play_no_part_and_the_seed_hardly_any(pattern: np.ndarray) -> None:
    matrix = sp.csr_matrix(pattern)
    heavy = matrix.copy()
    heavy.data *= np.arange(1, heavy.nnz + 1, dtype=np.float32)
    first, weighted, again = (low_pass(one, 3, 0).scores(heavy) for one in (matrix, heavy, matrix))
    np.testing.assert_array_equal(first, weighted)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(low_pass(matrix, 3, 1).scores(matrix), first, atol=1e-3)


@pytest.mark.parametrize("shape", [(3, 2), (3, 0), (0, 2)])
def test_nothing_gives_zeros(shape: tuple[int, int]) -> None:
    empty = sp.csr_matrix(shape, dtype=np.float32)
    assert not low_pass(empty, 4, 0).scores(empty).any()
