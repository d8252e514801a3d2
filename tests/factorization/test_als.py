"""ALS against known answers: matrices that must come back, normal equations solved by hand, the loss worked by hand."""

from __future__ import annotations

import ctypes
import itertools
import types
from typing import Any

import numpy as np
import pytest
import threadpoolctl
from implicit.cpu._als import least_squares_cg
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

from musai import config
from musai.errors import InputError, MusaiError
from musai.factorization import als, cpu, devices, gpu
from musai.factorization.als import Factors, check_limits, train


def settings(**changes: Any) -> config.Factorization:
    chosen = {"device": "cpu", "factors": 8, "iterations": 15, "regularization": 0.05, "alpha": 10.0}
    chosen |= {"regularization_exponent": 0, **changes}
    return config.load([], [f"factorization.{key}={value}" for key, value in chosen.items()]).factorization


def weights(users: int = 60, items: int = 40, density: float = 0.15, seed: int = 0) -> csr_matrix:
    matrix = random_sparse(users, items, density, format="csr", dtype=np.float32, random_state=seed)
    matrix.data += np.float32(0.1)
    return matrix


def scores(factors: Factors) -> np.ndarray:
    return factors.users @ factors.tracks.T


def loss(matrix: csr_matrix, factors: Factors, alpha: float, regularization: float) -> float:
    """The sum that the module's docstring says is minimised, with no short cut, in float64."""
    confidence = 1 + alpha * matrix.toarray().astype(np.float64) / matrix.data.mean(dtype=np.float64)
    preference = (matrix.toarray() > 0).astype(np.float64)
    users, tracks = factors.users.astype(np.float64), factors.tracks.astype(np.float64)
    fit = (confidence * (preference - users @ tracks.T) ** 2).sum()
    return float(fit + regularization * ((users**2).sum() + (tracks**2).sum()))


def test_a_checkerboard_comes_back() -> None:
    board = np.add.outer(np.arange(50), np.arange(50)) % 2
    factors = train(csr_matrix(board.astype(np.float32)), settings(factors=2, regularization=0.01), 1, 2)
    np.testing.assert_allclose(scores(factors), board, atol=0.01)


@pytest.mark.parametrize("seed", [0, 42])
def test_exact_at_regularization_0(seed: int) -> None:
    rows = ["110100", "011100", "101000", "110000", "001101", "010001", "000011"]
    counts = csr_matrix(np.array([list(row) for row in rows]).astype(np.float32))
    factors = train(counts, settings(factors=6, regularization=0, alpha=1, iterations=100), seed, 1)
    np.testing.assert_allclose(scores(factors), counts.toarray(), atol=1e-3)


def test_the_loss_falls_with_every_sweep() -> None:
    matrix = weights()
    found = [loss(matrix, train(matrix, settings(iterations=n), 3, 1), 10.0, 0.05) for n in (1, 2, 4, 8, 16)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize("alpha", [0.5, 10.0])
def test_confidence_is_one_plus_alpha_weight_against_the_mean(alpha: float) -> None:
    """At rest every row solves its normal equations (Y' C Y + r I) x = Y' C p, here in float64 with numpy."""
    regularization, factors_count = 0.3, 4
    matrix = weights(users=20, items=15, density=0.4)
    gain = alpha / matrix.data.mean(dtype=np.float64)
    chosen = settings(factors=factors_count, alpha=alpha, regularization=regularization, iterations=300)
    factors = train(matrix, chosen, 5, 1)
    tracks = factors.tracks.astype(np.float64)
    exact = AlternatingLeastSquares(factors=factors_count, regularization=regularization, alpha=1.0, num_threads=1)
    exact.item_factors = factors.tracks
    for user in range(matrix.shape[0]):
        weight = matrix[user].toarray()[0].astype(np.float64)
        confidence = 1 + gain * weight
        left = (tracks.T * confidence) @ tracks + regularization * np.eye(factors_count)
        by_hand = np.linalg.solve(left, (tracks.T * confidence) @ (weight > 0))
        np.testing.assert_allclose(factors.users[user], by_hand, rtol=5e-3, atol=5e-3)
        given = matrix[user].copy()
        given.data = 1 + np.float32(gain) * given.data
        np.testing.assert_allclose(exact.recalculate_user(user, given), by_hand, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_regularization_grows_with_the_confidences_of_a_row(exponent: float) -> None:
    """At rest both sides solve their normal equations with the l of the docstring."""
    matrix = sparse_and_heavy()
    chosen = settings(factors=4, alpha=5.0, regularization=2.0, regularization_exponent=exponent, iterations=300)
    factors = train(matrix, chosen, 5, 1)
    every = matrix.toarray().astype(np.float64) / matrix.data.mean(dtype=np.float64)
    for weight, ours, theirs in (
        (every, factors.users, factors.tracks.astype(np.float64)),
        (every.T, factors.tracks, factors.users.astype(np.float64)),
    ):
        totals = ((1 + 5 * weight) * (weight > 0)).sum(axis=1)
        scales = (totals / np.exp(np.log(totals[totals > 0]).mean())) ** exponent
        for row in np.flatnonzero(totals):
            left = (theirs.T * (1 + 5 * weight[row])) @ theirs
            right = (theirs.T * (1 + 5 * weight[row])) @ (weight[row] > 0)
            by_hand = np.linalg.solve(left + 2 * scales[row] * np.eye(4), right)
            np.testing.assert_allclose(ours[row], by_hand, atol=1e-4)
    assert not factors.users[7].any()
    assert not factors.tracks[3].any()


def sparse_and_heavy() -> csr_matrix:
    """Rows and columns of 1 to 40 weights, and one of each without any."""
    chance = np.outer(np.linspace(0.02, 1, 60), np.linspace(0.1, 1, 40))
    matrix = (np.random.default_rng(0).random((60, 40)) < chance) * np.linspace(0.5, 1.5, 40)
    matrix[7, :] = matrix[:, 3] = 0
    return csr_matrix(matrix.astype(np.float32))


def test_the_unit_of_the_weights_changes_nothing() -> None:
    matrix = sparse_and_heavy()
    one, other = (train(weight, settings(regularization_exponent=0.5), 1, 1) for weight in (matrix, matrix * 1024))
    np.testing.assert_allclose(scores(other), scores(one), atol=1e-4)


def test_threads_change_no_bit_of_scaled_rows() -> None:
    one, two = (train(sparse_and_heavy(), settings(regularization_exponent=0.5), 1, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.users, two.users)
    np.testing.assert_array_equal(one.tracks, two.tracks)


def test_blocks_hold_rows_of_about_one_regularization() -> None:
    scales = np.sort(np.random.default_rng(0).lognormal(size=500))
    found = gpu.cuts(scales)
    assert [found[0][0], found[-1][1]] == [0, 500]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert all(scales[end - 1] <= 1.1 * scales[start] for start, end in found)
    assert gpu.cuts(np.zeros(0)) == []


@pytest.mark.parametrize("factors", [1, 8, 35, 64])
@pytest.mark.parametrize("tile", [cpu.TILE, 1])
def test_a_half_sweep_is_that_of_implicit(monkeypatch: pytest.MonkeyPatch, factors: int, tile: int) -> None:
    """Rows of 0 to 300 weights, around the 16 of the smallest tile; one l for all, as implicit has it."""
    monkeypatch.setattr(cpu, "TILE", tile)
    draw = np.random.default_rng(factors)
    some = draw.random((80, 300)) < np.linspace(0, 1, 80)[:, None]
    confidence = csr_matrix((some * (1 + 9 * draw.random(some.shape))).astype(np.float32))
    start = tuple(draw.normal(size=(rows, factors)).astype(np.float32) for rows in confidence.shape)
    sides = (confidence, confidence.T.tocsr())
    solver = cpu.Solver(sides, tuple(np.full(rows, 0.7) for rows in confidence.shape), start, 2)
    assert (solver._tile < max(np.diff(confidence.indptr))) == (tile == 1)
    bare = [side.copy() for side in start]
    for side in (0, 1):
        solver.solve(side)
        least_squares_cg(sides[side], bare[side], bare[1 - side], 0.7, num_threads=1)
        np.testing.assert_allclose(solver.factors()[side], bare[side], rtol=2e-3, atol=2e-3)


def test_threads_change_no_bit() -> None:
    matrix = weights(users=400, items=300, density=0.05)
    one, two = (train(matrix, settings(factors=33), 1, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.users, two.users)
    np.testing.assert_array_equal(one.tracks, two.tracks)


@pytest.mark.parametrize("factors", [3, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_more_factors_than_the_matrix_has_ranks_at_regularization_0(factors: int, seed: int) -> None:
    """What is left of a solved row is rounding, in directions that no vector of the other side has."""
    ones = csr_matrix(np.ones((5, 7), np.float32))
    found = train(ones, settings(factors=factors, regularization=0, iterations=100), seed, 1)
    np.testing.assert_allclose(scores(found), 1, atol=1e-3)


@pytest.mark.parametrize("factors", [8, 16, 24])
def test_where_the_memory_lies_changes_no_bit(factors: int) -> None:
    """Vectors that a loop reads and writes may lie side by side, as malloc likes."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    draw = np.random.default_rng(0)
    rows = weights(users=60, items=50, density=0.3)
    rows.data += 1
    start, theirs = (draw.random((n, factors), np.float32) - np.float32(0.3) for n in rows.shape)
    common = (64, rows.indptr, rows.indices, rows.data, np.ones(60, np.float32), theirs.T @ theirs, theirs)
    found = set()
    for _ in range(1000):
        taken = [libc.malloc(int(size)) for size in draw.integers(4 * factors, 4 * factors + 160, 400)]
        draw.shuffle(taken)
        for address in taken[:200]:
            libc.free(address)
        ours = start.copy()
        cpu._solve(0, 60, *common, ours)
        found.add(ours.tobytes())
        for address in taken[200:]:
            libc.free(address)
    assert len(found) == 1


def test_seed_0_is_reproducible_and_another_seed_is_another_start() -> None:
    matrix = weights()
    first, again, other = (train(matrix, settings(), seed, 2) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.users, again.users)
    np.testing.assert_array_equal(first.tracks, again.tracks)
    assert not np.array_equal(first.users, other.users)


def test_the_matrix_stays_as_it_is() -> None:
    matrix = weights()
    before = matrix.copy()
    train(matrix, settings(), 1, 2)
    np.testing.assert_array_equal(matrix.data, before.data)
    np.testing.assert_array_equal(matrix.indices, before.indices)


def test_wide_indices_are_taken() -> None:
    narrow = weights()
    wide = narrow.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_array_equal(train(wide, settings(), 1, 1).users, train(narrow, settings(), 1, 1).users)


def test_rows_without_weights_are_zero() -> None:
    matrix = weights().tolil()
    matrix[7, :] = 0
    matrix[:, [0, 39]] = 0
    factors = train(matrix.tocsr(), settings(), 1, 2)
    assert (factors.users.shape, factors.tracks.shape) == ((60, 8), (40, 8))
    assert factors.users.dtype == factors.tracks.dtype == np.dtype(np.float32)
    assert not factors.users[7].any()
    assert not factors.tracks[[0, 39]].any()
    assert factors.users[np.arange(60) != 7].any(axis=1).all()
    assert factors.tracks[1:39].any(axis=1).all()


@pytest.mark.parametrize("shape", [(3, 2), (3, 0), (0, 2)])
def test_no_weight_at_all(shape: tuple[int, int]) -> None:
    factors = train(csr_matrix(shape, dtype=np.float32), settings(), 1, 1)
    assert (factors.users.shape, factors.tracks.shape) == ((shape[0], 8), (shape[1], 8))
    assert not factors.users.any() | factors.tracks.any()


def test_every_sweep_is_told() -> None:
    told: list[tuple[int, int, float]] = []
    train(weights(), settings(iterations=4), 1, 1, lambda *sweep: told.append(sweep))
    assert [(done, total) for done, total, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert 0 < told[0][2] <= told[1][2] <= told[2][2] <= told[3][2]


def test_blas_has_one_thread_while_it_trains() -> None:
    """More would change bits with the machine."""
    seen: list[set[int]] = []
    train(weights(), settings(iterations=1), 1, 2, lambda *_: seen.append(blas_threads()))
    assert seen == [{1}]


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0, 0.0])
def test_a_weight_that_is_none(weight: float) -> None:
    matrix = weights()
    matrix.data[3] = weight
    with pytest.raises(InputError, match="weights must be finite and > 0"):
        train(matrix, settings(), 1, 1)


def test_nan_in_the_training_stops_it() -> None:
    with pytest.raises(MusaiError, match="NaN or infinity in the factors") as caught:
        train(weights(), settings(regularization=0, alpha=1e37), 1, 1)  # the confidence is finite, its products are not
    assert not isinstance(caught.value, InputError)


def test_an_alpha_beyond_what_32_bits_hold() -> None:
    with pytest.raises(InputError, match=r"factorization\.alpha: .* 32 bits"):
        train(weights(), settings(alpha=1e39), 1, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    matrix = weights()
    tracks = np.ones((40, 8), np.float32)
    tracks[5, 2] = bad
    monkeypatch.setattr(als, "_solver", lambda *_: solved(np.ones((60, 8), np.float32), tracks))
    with pytest.raises(MusaiError, match="NaN or infinity"):
        train(matrix, settings(), 1, 1)


def test_rows_that_the_gpu_gave_up_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel writes zeros over NaN; zeros are right only where a row has no weight."""
    matrix = weights().tolil()
    matrix[7, :] = 0
    users, tracks = np.ones((60, 8), np.float32), np.ones((40, 8), np.float32)
    users[7] = 0
    monkeypatch.setattr(devices, "choose", lambda device: "gpu")
    monkeypatch.setattr(als, "_solver", lambda *_: solved(users, tracks))
    assert not train(matrix.tocsr(), settings(), 1, 1).users[7].any()
    users[[8, 9]] = 0
    with pytest.raises(MusaiError, match="2 users on the GPU"):
        train(matrix.tocsr(), settings(), 1, 1)


def solved(users: np.ndarray, tracks: np.ndarray) -> Any:
    """A solver that ends with these factors."""
    return types.SimpleNamespace(solve=lambda side: None, factors=lambda: (users, tracks))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((10, 10, 2**31, 64, "cpu"), "user_item: 2,147,483,648 weights"),
        ((2**25, 10, 100, 64, "gpu"), "33,554,432 users x 64 factors"),
        ((10, 2**25, 100, 64, "gpu"), "33,554,432 tracks x 64 factors"),
        ((10, 10, 100, 1025, "gpu"), "at most 1024 on the GPU, not 1025"),
    ],
)
def test_limits(size: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_limits(*size)


def test_what_is_within_the_limits_passes() -> None:
    check_limits(2**25 - 1, 2**25 - 1, 2**31 - 1, 64, "gpu")
    check_limits(10, 10, 100, 1024, "gpu")
    check_limits(2**40, 2**40, 100, 1025, "cpu")


def test_all_limits_are_named_at_once_and_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "MAX_INDEX", 100)
    monkeypatch.setattr(als, "_solver", lambda *_: pytest.fail("training began"))
    monkeypatch.setattr(devices, "choose", lambda device: "gpu")
    with pytest.raises(InputError) as caught:
        train(weights(), settings(), 1, 1)
    entries, *numbers = caught.value.faults
    assert entries.startswith("user_item: ")
    assert entries.endswith("factorization.backend=spark has no such limit")
    assert [fault.split(" ")[2] for fault in numbers] == ["users", "tracks"]
    assert all(fault.endswith("factorization.device=cpu has no such limit") for fault in numbers)


@pytest.mark.parametrize("exponent", [0, 0.5])
def test_the_gpu_finds_what_the_cpu_finds(exponent: float) -> None:
    if reason := devices.usable_gpu():
        pytest.skip(reason)
    matrix = weights(users=400, items=300, density=0.05)
    chosen = {"regularization_exponent": exponent, "iterations": 60}
    found = [scores(train(matrix, settings(device=device, **chosen), 0, 2)) for device in ("cpu", "gpu")]
    assert np.abs(found[0] - found[1]).mean() < 0.02
    again = scores(train(matrix, settings(device="gpu", **chosen), 0, 2))
    np.testing.assert_allclose(again, found[1], atol=1e-4)


@pytest.mark.parametrize("exponent", [0, 0.5])
def test_a_warm_start_goes_on_from_the_earlier_factors(exponent: float) -> None:
    """At their optimum one sweep more changes little; where none are known it is drawn, as in a fit of its own."""
    matrix, fit = weights(), settings(regularization_exponent=exponent, iterations=300)
    best = train(matrix, fit, 1, 1)
    warm = settings(regularization_exponent=exponent, iterations=60, warm_iterations=1)
    again = train(matrix, warm, 1, 1, start=best)
    np.testing.assert_allclose(scores(again), scores(best), atol=0.02)
    assert np.abs(scores(again) - scores(train(matrix, settings(iterations=1), 1, 1))).max() > 0.1
    np.testing.assert_array_equal(train(matrix, warm, 1, 2, start=best).users, again.users)
    unknown = Factors(np.zeros_like(best.users), np.zeros_like(best.tracks))
    one = settings(regularization_exponent=0.5, iterations=1)
    drawn = train(matrix, settings(regularization_exponent=0.5, warm_iterations=1), 7, 1, start=unknown)
    np.testing.assert_array_equal(drawn.users, train(matrix, one, 7, 1).users)


def test_new_rows_of_a_warm_start_are_learnt_too() -> None:
    matrix, fit = weights(), settings(iterations=300, warm_iterations=60, alpha=6)
    best = train(matrix, fit, 1, 1)
    known = Factors(best.users.copy(), best.tracks.copy())
    known.users[:5], known.tracks[:5] = 0, 0
    np.testing.assert_allclose(scores(train(matrix, fit, 1, 1, start=known)), scores(best), atol=0.1)
