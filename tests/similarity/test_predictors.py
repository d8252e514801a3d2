"""The memory-based predictors: hand-worked examples, the formulas on random data, users and tracks without history."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from musai.errors import MusaiError
from musai.similarity import predictors
from musai.similarity.neighbours import Neighbours, track_neighbours


def csr(dense) -> sp.csr_matrix:
    return sp.csr_matrix(np.asarray(dense, dtype=np.float32))


def test_mean_centred_hand_worked():
    # Entries 4, 2, 4, 6: mean 4. mean_u = 3, 5; mean_i = 4, 3, 6. The similarities are given, not computed.
    matrix = csr([[4, 2, 0], [0, 4, 6]])
    near = Neighbours(
        np.array([[1, 2], [-1, -1], [0, -1]], np.int32), np.array([[0.5, 0.25], [0, 0], [0.8, 0]], np.float32)
    )
    predictor = predictors.mean_centred(matrix, near)
    scores = predictor.scores(matrix)
    assert scores.dtype == np.float32
    # user 1, track 0: r' of track 1 = 4 - 5 - 3 + 4 = 0, of track 2 = 6 - 5 - 6 + 4 = -1;
    # 5 + (4 - 4) + (.5 x 0 + .25 x -1) / (.5 + .25) = 5 - 1/3
    assert scores[1, 0] == pytest.approx(14 / 3)
    # user 0, track 2: r' of track 0 = 4 - 3 - 4 + 4 = 1; 3 + (6 - 4) + .8 x 1 / .8 = 6
    assert scores[0, 2] == pytest.approx(6)
    # user 0, track 1 has no neighbours: 3 + (3 - 4)
    assert scores[0, 1] == pytest.approx(2)
    # A new listener with weight 8 for track 2: mean_u = 8, r' = 8 - 8 - 6 + 4 = -2; track 0: 8 + 0 - 2, track 1: 8 - 1
    new = predictor.scores(csr([[0, 0, 8], [0, 0, 0]]))
    assert new[0, :2] == pytest.approx([6, 7])
    # Nothing heard: mean_u is the mean of all, so the tracks' means
    assert new[1] == pytest.approx([4, 3, 6])


def test_neighbourhood_average_hand_worked():
    # N_0 = {0, 1}, N_1 = {0, 2}, N_2 = {1}, N_3 = {}
    matrix = csr([[4, 2, 0, 0], [1, 0, 3, 0], [0, 5, 0, 0]])
    scores = predictors.neighbourhood_average(matrix).scores(matrix)
    assert scores.dtype == np.float32
    # user 0, track 2: |N_2| = 1, N_20 = {1}: w_0 = 1 / (1 + 1 - 1) = 1; N_21 = {}: w_1 = 1 / (1 + 1 - 0) = 1/2;
    # (1 x 4 + 1/2 x 2) / (3/2) = 10/3
    assert scores[0, 2] == pytest.approx(10 / 3)
    # user 1, track 1: |N_1| = 2, N_10 = {0}: w_0 = 1/2; N_12 = {}: w_2 = 1/3; (1/2 x 1 + 1/3 x 3) / (5/6) = 9/5
    assert scores[1, 1] == pytest.approx(9 / 5)
    # user 2 has one track: whatever the weight, 5
    assert scores[2] == pytest.approx([5, 5, 5, 5])
    # user 0, track 0, which is heard: w_0 = 1 / (1 + 2 - 2) = 1, N_01 = {0}: w_1 = 1/2; (4 + 1) / (3/2)
    assert scores[0, 0] == pytest.approx(10 / 3)
    # track 3 has no listeners: all weights are 1, the user's average
    assert scores[:, 3] == pytest.approx([3, 2, 5])


@pytest.mark.parametrize("seed", range(3))
def test_neighbourhood_average_by_its_formula(seed, matrices, monkeypatch):
    matrix = matrices(seed)
    R = matrix.toarray().astype(np.float64)
    heard = R > 0
    due = np.zeros_like(R)
    for u, i in np.ndindex(R.shape):
        w = {j: 1 / (1 + heard[:, i].sum() - (heard[:, i] & heard[:, j]).sum()) for j in np.flatnonzero(heard[u])}
        due[u, i] = sum(x * R[u, j] for j, x in w.items()) / sum(w.values()) if w else 0
    predictor = predictors.neighbourhood_average(matrix)
    np.testing.assert_allclose(predictor.scores(matrix), due, rtol=1e-5)
    monkeypatch.setattr(predictors, "CHUNK_PAIRS", 7)  # the same in small pieces
    assert (predictors.neighbourhood_average(matrix).extra != predictor.extra).nnz == 0


@pytest.mark.parametrize("seed", range(3))
def test_mean_centred_by_its_formula(seed, matrices, similarity):
    matrix = matrices(seed)
    R = matrix.toarray().astype(np.float64)
    heard = R > 0
    near = track_neighbours(matrix, "mean_centred", similarity(neighbours=6), 1)
    mean = R.sum() / heard.sum()
    of_user = [R[u].sum() / heard[u].sum() if heard[u].any() else mean for u in range(len(R))]
    of_item = [R[:, i].sum() / heard[:, i].sum() if heard[:, i].any() else mean for i in range(R.shape[1])]
    due = np.zeros_like(R)
    for u, i in np.ndindex(R.shape):
        pairs = [(j, s) for j, s in zip(near.indices[i], near.scores[i], strict=True) if j >= 0 and heard[u, j]]
        drift = sum(s * (R[u, j] - of_user[u] - of_item[j] + mean) for j, s in pairs)
        due[u, i] = of_user[u] + of_item[i] - mean + (drift / sum(s for _, s in pairs) if pairs else 0)
    assert len(near.indices[near.indices >= 0]) > 50
    np.testing.assert_allclose(predictors.mean_centred(matrix, near).scores(matrix), due, rtol=1e-4, atol=1e-5)


def test_a_bias_model_is_recovered_exactly(similarity):
    """Weights that are mean + user + track effects leave no deviation: every cell is predicted, heard or not."""
    full = 5 + np.array([0, 1, -1, 2])[:, None] + np.array([0, 1, -1])
    matrix = csr(full)
    predictor = predictors.mean_centred(matrix, track_neighbours(matrix, "mean_centred", similarity(), 1))
    np.testing.assert_allclose(predictor.scores(matrix), full, rtol=1e-6)


def test_nothing_heard():
    empty = sp.csr_matrix((2, 3), dtype=np.float32)
    assert (predictors.neighbourhood_average(empty).scores(empty) == 0).all()
    assert predictors.neighbourhood_average(sp.csr_matrix((0, 0), dtype=np.float32)).base.shape == (0,)
    nobody = Neighbours(np.full((3, 2), -1, np.int32), np.zeros((3, 2), np.float32))
    assert (predictors.mean_centred(empty, nobody).scores(empty) == 0).all()


def test_too_many_pairs_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(predictors, "MAX_PAIRS", 8)
    with pytest.raises(MusaiError, match="more than 8 pairs of tracks"):
        predictors.neighbourhood_average(csr(np.ones((2, 3))))
