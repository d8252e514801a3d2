"""Neighbours on one machine: known answers, the dense reference, ties, and the matrices that break others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

from musai.errors import MusaiError
from musai.similarity.neighbours import Neighbours, track_neighbours, user_neighbours


def csr(dense) -> sp.csr_matrix:
    return sp.csr_matrix(np.asarray(dense, dtype=np.float32))


def lists(found: Neighbours) -> list[list[tuple[int, float]]]:
    """The neighbours of each row, after the checks that hold for every result."""
    assert found.indices.dtype == np.int32
    assert found.scores.dtype == np.float32
    present = found.indices >= 0
    assert (np.sort(~present, axis=1) == ~present).all(), "padding comes last"
    assert (found.scores[~present] == 0).all()
    assert (found.scores[present] > 0).all()
    rows = []
    for row, (indices, scores) in enumerate(zip(found.indices, found.scores, strict=True)):
        pairs = [(int(j), float(x)) for j, x in zip(indices, scores, strict=True) if j >= 0]
        assert pairs == sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
        assert row not in indices
        assert len(set(indices[indices >= 0])) == len(pairs)
        rows.append(pairs)
    return rows


def assert_same(found: list[list[tuple[int, float]]], due: list[list[tuple[int, float]]]) -> None:
    assert [[j for j, _ in row] for row in found] == [[j for j, _ in row] for row in due]
    for row, due_row in zip(found, due, strict=True):
        np.testing.assert_allclose([x for _, x in row], [x for _, x in due_row], rtol=2e-6)


def checkerboard(size: int) -> sp.csr_matrix:
    return csr([[(u + i) % 2 == 0 for i in range(size)] for u in range(size)])


@pytest.mark.parametrize("method", ["cosine", "tfidf", "bm25", "cooccurrence", "rp3beta", "neighbourhood_average"])
def test_checkerboard(method, similarity):
    """An even track's neighbours are the other even tracks, all alike, by index; no odd one."""
    found = lists(track_neighbours(checkerboard(8), method, similarity(neighbours=5, bm25_b=0), 1))
    for i, row in enumerate(found):
        assert [j for j, _ in row] == [j for j in range(8) if j != i and j % 2 == i % 2]
        assert len({x for _, x in row}) == 1
    if method == "cosine":
        assert found[0][0][1] == 1.0
    if method == "cooccurrence":  # 4 shared listeners of 4 tracks each: 4 x 4^-.5 / (4^.5 4^.3)
        assert found[0][0][1] == pytest.approx(4 * 4**-0.5 / 4**0.8)
    if method == "neighbourhood_average":  # all 4 listeners of i have j: 1 / (1 + 4 - 4)
        assert found[0][0][1] == 1.0


def test_no_deviations_no_mean_centred_neighbours(similarity):
    """Weights that are a user's effect plus a track's: all deviations are 0, and float noise is no similarity of 1."""
    matrix = csr(np.arange(1, 8)[:, None] / 3 + np.arange(11) / 7)
    assert lists(track_neighbours(matrix, "mean_centred", similarity(), 1)) == [[]] * 11
    matrix.data[:] = 0.7
    assert lists(track_neighbours(matrix, "mean_centred", similarity(), 1)) == [[]] * 11


def test_mean_centred_tracks_at_right_angles_are_no_neighbours(similarity):
    """Deviations +-(1, -1, 0) / 3 and +-(1, 1, -2) / 3 of three listeners: products are 0 or < 0, but not as floats."""
    deviations = np.array([[1, -1, 1, -1], [-1, 1, 1, -1], [0, 0, -2, 2]]) / 3
    for base in (1, 5, 7.1):
        found = track_neighbours(csr(base + deviations), "mean_centred", similarity(), 1)
        assert lists(found) == [[]] * 4


def test_hand_worked(similarity):
    """Three users, three tracks. |N_u| = 2, 1, 3 and |N_i| = 2, 2, 2."""
    matrix = csr([[1, 2, 0], [0, 0, 1], [2, 1, 2]])

    def of(method, **keys):
        return lists(track_neighbours(matrix, method, similarity(neighbours=2, **keys), 1))

    # cosine of tracks 0 and 1: (1 x 2 + 2 x 1) / (sqrt 5 sqrt 5) = .8; 0 and 2: 2 x 2 / (sqrt 5 sqrt 5) = .8
    assert of("cosine")[0] == [(1, pytest.approx(0.8)), (2, pytest.approx(0.8))]
    # 1 and 2: 1 x 2 / 5 = .4
    assert of("cosine")[1] == [(0, pytest.approx(0.8)), (2, pytest.approx(0.4))]
    # 0 and 1 share users 0 and 2: (1/2 + 1/3) / (2^1 x 2^0) = 5/12; 0 and 2 share user 2: (1/3) / 2 = 1/6
    exponents = {"user_exponent": 1, "track_exponent": 1, "similar_exponent": 0}
    assert of("cooccurrence", **exponents)[0] == [(1, pytest.approx(5 / 12)), (2, pytest.approx(1 / 6))]
    # from 0 (plays 1 + 2) by user 0 (plays 3) to 1: 1/3 x 2/3, by user 2 (plays 5): 2/3 x 1/5; over |N_1| = 2; to 2 by
    # user 2 alone: 2/3 x 2/5 over 2
    walk = {"rp3_alpha": 1, "rp3_beta": 1}
    assert of("rp3beta", **walk)[0] == [(1, pytest.approx((2 / 9 + 2 / 15) / 2)), (2, pytest.approx(2 / 15))]
    # both listeners of 0 have 1: 1 / (1 + 2 - 2); one of them has 2: 1 / (1 + 2 - 1)
    assert of("neighbourhood_average")[0] == [(1, 1.0), (2, 0.5)]


def test_mean_centred_hand_worked(similarity):
    """Residuals: mean 2, user means 3, 1, 2 (of 2 entries each), track means 7/3, 5/3."""
    matrix = csr([[5, 1], [1, 1], [1, 3]])
    # r' = r - mean_u - mean_i + mean: track 0: 5-3-7/3+2 = 5/3, 1-1-7/3+2 = -1/3, 1-2-7/3+2 = -4/3; track 1: the
    # opposite (two entries a user, deviations add up to 0), so the tracks are as unlike as can be: no neighbours
    assert lists(track_neighbours(matrix, "mean_centred", similarity(), 1)) == [[], []]
    # users 0 and 2 stand on opposite sides, 1 and 2 on the same: (-1/3)(-4/3) + (1/3)(4/3) over the norms = 1
    users = lists(user_neighbours(matrix, "mean_centred", similarity(), 1))
    assert [[j for j, _ in row] for row in users] == [[], [2], [1]]
    assert users[1][0][1] == users[2][0][1] == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:Method expects CSR")
@pytest.mark.parametrize(
    ("method", "recommender"),
    [("cosine", CosineRecommender), ("tfidf", TFIDFRecommender), ("bm25", BM25Recommender)],
)
def test_as_implicit_defines_them(method, recommender, similarity):
    dense = np.random.default_rng(5).random((30, 20)) * (np.random.default_rng(6).random((30, 20)) < 0.3)
    matrix = csr(dense)
    keys = {"K1": 2.0, "B": 0.7} if method == "bm25" else {}
    model = recommender(K=21, num_threads=1, **keys)
    model.fit(matrix.astype(np.float64), show_progress=False)
    due = model.similarity.toarray()
    for i, row in enumerate(lists(track_neighbours(matrix, method, similarity(bm25_k1=2, bm25_b=0.7), 1))):
        assert {j: pytest.approx(x, rel=1e-6) for j, x in row} == {
            j: due[i, j] for j in np.flatnonzero(due[i]) if j != i
        }


@pytest.mark.parametrize("seed", range(3))
def test_dense_reference(method, seed, similarity, reference, matrices):
    matrix = matrices(seed)
    section = similarity(neighbours=7, user_exponent=0.3, bm25_k1=3)
    assert_same(lists(track_neighbours(matrix, method, section, 2)), reference(matrix.toarray(), method, section))
    assert_same(lists(user_neighbours(matrix, method, section, 2)), reference(matrix.toarray().T, method, section))


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    dense=arrays(np.float32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0, 0, 1, 2, 7]))
)
def test_any_small_matrix(dense, method, similarity, reference):
    """Empty rows and columns, users with everything, one user, one track: whatever hypothesis thinks of."""
    section = similarity(neighbours=3)
    assert_same(lists(track_neighbours(csr(dense), method, section, 1)), reference(dense, method, section))


def test_equal_scores_by_index_at_the_cut(similarity):
    """One listener with 50 tracks: all alike, so that each keeps the 5 of smallest index, never 5 by chance."""
    found = track_neighbours(csr(np.ones((3, 50))), "cosine", similarity(neighbours=5), 2)
    for i, row in enumerate(lists(found)):
        assert [j for j, _ in row] == [j for j in range(6) if j != i][:5]


def test_the_item_itself_takes_no_place(similarity):
    """Track 0 is nearer to the popular tracks than to itself (no cosine: 3^.5 x its own score), track 1 is not."""
    matrix = csr([[1, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 1]])
    section = similarity(neighbours=3, similar_exponent=-0.5)
    assert [[j for j, _ in row] for row in lists(track_neighbours(matrix, "cooccurrence", section, 1))] == [
        [2, 3, 4], [2, 3, 4], [3, 4, 1], [2, 4, 1], [2, 3, 1],
    ]  # fmt: skip


def test_fewer_tracks_than_neighbours(method, similarity):
    found = track_neighbours(csr([[1, 2, 3], [3, 1, 1]]), method, similarity(neighbours=100), 1)
    assert found.indices.shape == found.scores.shape == (3, 100)
    lists(found)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 4), (1, 1)])
def test_nothing_heard(method, shape, similarity):
    found = track_neighbours(sp.csr_matrix(shape, dtype=np.float32), method, similarity(neighbours=2), 1)
    assert found.indices.shape == (shape[1], 2)
    assert lists(found) == [[]] * shape[1]


def test_threads_do_not_matter(method, similarity):
    rng = np.random.default_rng(9)
    matrix = sp.random(400, 300, 0.05, format="csr", dtype=np.float32, rng=rng)
    one, two = (track_neighbours(matrix, method, similarity(neighbours=20), threads) for threads in (1, 2))
    assert one.indices.tobytes() == two.indices.tobytes()
    assert one.scores.tobytes() == two.scores.tobytes()


def test_the_input_is_left_alone_and_in_any_order(method, similarity, matrices):
    matrix = matrices(3)
    shuffled = matrix.copy()
    for u in range(matrix.shape[0]):
        row = slice(*matrix.indptr[u : u + 2])
        shuffled.indices[row], shuffled.data[row] = matrix.indices[row][::-1], matrix.data[row][::-1]
    shuffled.has_sorted_indices = False
    before = shuffled.data.tobytes(), shuffled.indices.tobytes()
    found = track_neighbours(shuffled, method, similarity(neighbours=9), 1)
    assert (shuffled.data.tobytes(), shuffled.indices.tobytes()) == before
    assert found.scores.tobytes() == track_neighbours(matrix, method, similarity(neighbours=9), 1).scores.tobytes()


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_unusable_weights_are_refused(weight, similarity):
    with pytest.raises(MusaiError, match="must be finite and > 0"):
        track_neighbours(csr([[1, weight], [1, 1]]), "cosine", similarity(), 1)


def test_unknown_method(similarity):
    with pytest.raises(ValueError, match="jaccard"):
        track_neighbours(csr([[1, 1]]), "jaccard", similarity(), 1)
