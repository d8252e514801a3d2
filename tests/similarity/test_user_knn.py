"""What like listeners have: by hand, against the definition in numpy, and where it has nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from musai.similarity.user_knn import user_knn


def test_by_hand(similarity) -> None:
    """Listener 0 has tracks 0 and 1; |N_i| of tracks 0 to 3: 3, 2, 2, 1."""
    matrix = sp.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], np.float32))
    exponents = {"user_knn_user_exponent": 1, "user_knn_track_exponent": 1, "user_knn_similar_exponent": 1}
    found = user_knn(matrix, similarity(**exponents, user_knn_power=1)).scores(matrix[:1])[0]
    # s_01 = 1/3 / 2 = 1/6, s_02 = (1/3 + 1/2) / 4 = 5/24; track 2 by both, over its 2 listeners; track 3 by the second
    assert found[2] == pytest.approx((1 / 6 + 5 / 24) / 2)
    assert found[3] == pytest.approx(5 / 24)
    squared = user_knn(matrix, similarity(**exponents, user_knn_power=2)).scores(matrix[:1])[0]
    assert squared[2] == pytest.approx((1 / 36 + 25 / 576) / 2)
    one = user_knn(matrix, similarity(**exponents, user_knn_power=1, user_knn_neighbours=1)).scores(matrix[:1])[0]
    assert one[2] == pytest.approx(5 / 24 / 2)


def by_definition(heard: np.ndarray, rows: np.ndarray, s) -> np.ndarray:
    """float64 [b, items] for rows of tracks [b, items]."""
    listeners, tracks = np.maximum(heard.sum(axis=0), 1.0), np.maximum(heard.sum(axis=1), 1.0)
    found = np.zeros(rows.shape)
    for u, mine in enumerate(rows):
        near = (heard * mine * listeners**-s.user_knn_track_exponent).sum(axis=1) / tracks**s.user_knn_user_exponent
        near[(heard & ~mine.astype(bool)).sum(axis=1) == 0] = 0
        near[near < np.sort(near)[-s.user_knn_neighbours] * (1 - 1e-9)] = 0  # those that tie with the last stay
        found[u] = near**s.user_knn_power @ heard / listeners**s.user_knn_similar_exponent
    return found


def test_as_defined_for_listeners_known_and_new(similarity) -> None:
    random = np.random.default_rng(2)
    heard = random.random((50, 40)) < random.random(40) * 0.4
    heard[3] = heard[:, 5] = False
    new = random.random((6, 40)) < 0.2
    settings = similarity(user_knn_neighbours=7, user_knn_power=1.5, user_knn_user_exponent=0.37)
    made = user_knn(sp.csr_matrix(heard.astype(np.float32) * 3), settings)
    for rows in (heard, new):
        found = made.scores(sp.csr_matrix(rows.astype(np.float32)))
        np.testing.assert_allclose(found, by_definition(heard, rows, settings), rtol=1e-4)
    assert not made.scores(sp.csr_matrix(heard.astype(np.float32)))[3].any()


def test_a_row_is_the_same_whatever_stands_beside_it(similarity, matrices) -> None:
    matrix = matrices(1, users=60)
    made = user_knn(matrix, similarity(user_knn_neighbours=5))
    together = made.scores(matrix)
    alone = np.concatenate([made.scores(matrix[u]) for u in range(60)])
    np.testing.assert_array_equal(together, alone)


def test_common_tracks_are_not_looked_up_once_the_rare_ones_gave_enough(similarity) -> None:
    dense = np.zeros((30, 4), np.float32)
    dense[:, 0] = 1  # everybody's
    dense[[0, 1], 1] = 1  # of two listeners
    dense[1, 2] = dense[2, 3] = 1
    matrix = sp.csr_matrix(dense)
    few, many = (user_knn(matrix, similarity(user_knn_pairs=pairs)).scores(matrix[:1])[0] for pairs in (10, 100))
    assert few[2] > 0 == few[3]
    assert many[2] > many[3] > 0


@pytest.mark.parametrize("shape", [(3, 2), (3, 0), (0, 2)])
def test_nothing_gives_zeros(shape: tuple[int, int], similarity) -> None:
    empty = sp.csr_matrix(shape, dtype=np.float32)
    assert not user_knn(empty, similarity()).scores(empty).any()
