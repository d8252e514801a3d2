"""Fold-in against equations worked by hand, the training's own vectors, and the regularisation that it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

from musai import config
from musai.factorization import als, fold_in


def settings(**changes: Any) -> config.Factorization:
    chosen = {"device": "cpu", "factors": 4, "iterations": 200, "regularization": 2.0, "alpha": 5.0, **changes}
    return config.load([], [f"factorization.{key}={value}" for key, value in chosen.items()]).factorization


def weights(seed: int = 0) -> csr_matrix:
    matrix = random_sparse(60, 40, 0.2, format="csr", dtype=np.float32, random_state=seed)
    matrix.data += np.float32(0.1)
    return matrix


def of(matrix: csr_matrix, tracks: np.ndarray, chosen: config.Factorization) -> fold_in.FoldIn:
    return fold_in.FoldIn(tracks, fold_in.prepared(tracks), *fold_in.scales_of(matrix, chosen), chosen)


def test_one_factor_worked_by_hand() -> None:
    """Tracks 1 and 2; weights of mean 2 at alpha 2, so that 1 adds 1; a play of weight 3 of the first and l = 2:
    (1 + 4 + 3 + 2) x = 4 x 1."""
    chosen = settings(factors=1, alpha=2, regularization=2, regularization_exponent=0)
    tracks = np.array([[1.0], [2.0]], np.float32)
    rows = csr_matrix(np.array([[3, 0], [0, 0], [2.5, 0.5]], np.float32))
    found = of(rows, tracks, chosen).vectors(rows)
    both = (3.5 * 1 + 1.5 * 2) / (1 + 4 + 2.5 * 1 + 0.5 * 4 + 2)
    assert found.tolist() == [[pytest.approx(0.4)], [0], [pytest.approx(both)]]


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_listeners_of_the_training_come_out_where_it_put_them(exponent: float) -> None:
    matrix, chosen = weights(), settings(regularization_exponent=exponent)
    factors = als.train(matrix, chosen, 5, 1)
    found = of(matrix, factors.tracks, chosen).vectors(matrix)
    assert np.abs(found - factors.users).max() < 0.05 * np.abs(factors.users).max()
    assert np.abs(found - np.roll(factors.users, 1, axis=0)).max() > 0.5 * np.abs(factors.users).max()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_regularisation_is_that_of_the_training(exponent: float) -> None:
    matrix, chosen = weights(), settings(regularization_exponent=exponent)
    gain, scale = fold_in.scales_of(matrix, chosen)
    assert gain == pytest.approx(5 / matrix.data.mean(dtype=np.float64))
    due = 2.0 * als.row_scales(als._confidence(matrix, gain), exponent)
    sizes = fold_in.sizes(matrix, chosen, gain)
    np.testing.assert_allclose(scale * sizes**exponent, due, rtol=1e-6)
    light = csr_matrix(([1.0], ([0], [3])), shape=(1, 40))  # of a listener who was not there: the mean stays theirs
    penalty = scale * fold_in.sizes(light, chosen, gain) ** exponent
    assert penalty == pytest.approx(2.0 * ((1 + gain) / np.exp(np.log(sizes).mean())) ** exponent)


def test_mllib_binds_by_the_number_of_weights() -> None:
    matrix, chosen = weights(), settings(backend="spark")
    gain, scale = fold_in.scales_of(matrix, chosen)
    found = scale * fold_in.sizes(matrix, chosen, gain)
    np.testing.assert_allclose(found, als.mllib_regularization(2.0, matrix.nnz, 60, 40) * np.diff(matrix.indptr))


def test_who_is_solved_beside_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, chosen = weights(), settings()
    made = of(matrix, np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32), chosen)
    together = made.vectors(matrix)
    monkeypatch.setattr(fold_in, "CELLS", 1)
    np.testing.assert_allclose(made.vectors(matrix), together, rtol=1e-5, atol=1e-7)


def test_of_nobody() -> None:
    chosen, tracks = settings(), np.ones((40, 4), np.float32)
    nobody = csr_matrix((0, 40), dtype=np.float32)
    assert of(weights(), tracks, chosen).vectors(nobody).shape == (0, 4)
    untrained = of(csr_matrix((3, 40), dtype=np.float32), 0 * tracks, chosen)
    assert untrained.vectors(weights()[:2]).tolist() == [[0] * 4] * 2
