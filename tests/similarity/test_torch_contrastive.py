"""The graph network: its loss by hand, its products against numpy, what it learns, its bits, its limits."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from musai.errors import InputError
from musai.similarity import torch_contrastive
from musai.similarity.torch_contrastive import contrastive

USERS, ITEMS = 60, 48


@pytest.fixture
def pattern() -> np.ndarray:
    """Three groups of listeners with a taste each and some noise; one user and one track without anything."""
    random = np.random.default_rng(0)
    chance = np.where(np.arange(USERS)[:, None] % 3 == np.arange(ITEMS) % 3, 0.5, 0.03)
    found = (random.random((USERS, ITEMS)) < chance).astype(np.float32)
    found[4, :] = found[:, 7] = 0
    return found


@pytest.fixture
def settings(similarity):
    """With little to do, on one thread of the CPU; settings(contrastive_epochs=3)."""
    small = {"contrastive_device": "cpu", "contrastive_threads": 1, "contrastive_factors": 8, "contrastive_epochs": 30}
    return lambda **changes: similarity(**{**small, **changes})


def ends_of(matrix: sp.csr_matrix) -> torch_contrastive.Graph:
    sides = (torch_contrastive._rows(side, torch.device("cpu")) for side in (matrix, matrix.T.tocsr()))
    return torch_contrastive.Graph(*sides)


def test_a_listener_gets_the_tracks_of_the_own_group(pattern, settings) -> None:
    """One whom it was not learnt from, and whose two tracks are not listed first because they are the own."""
    one = sp.csr_matrix((np.ones(2, np.float32), [0, 3], [0, 2]), shape=(1, ITEMS))
    made = contrastive(sp.csr_matrix(pattern), settings(), 1)
    best = np.argsort(-made.scores(one)[0])[:14]
    assert set(best % 3) == {0}


def test_it_finds_what_was_held_out_where_an_untaught_one_does_not(pattern, settings) -> None:
    out = np.array([(u, i) for u, i in zip(*np.nonzero(pattern), strict=True) if (u + i) % 5 == 0])
    left = pattern.copy()
    left[out[:, 0], out[:, 1]] = 0
    unheard = left == 0

    def mean_place(epochs: int) -> float:
        scores = contrastive(sp.csr_matrix(left), settings(contrastive_epochs=epochs), 1).scores(sp.csr_matrix(left))
        return float(np.mean([(unheard[u] & (scores[u] > scores[u, i])).sum() for u, i in out]))

    assert mean_place(30) < 0.6 * mean_place(1)


def test_the_loss_by_hand() -> None:
    """Two listeners of tracks (0, 1) and (0, 2) of one number each; without layers."""
    matrix = sp.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0]], np.float32))
    graph = ends_of(matrix)
    w = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [5.0, 5.0]])
    v = torch.tensor([[4.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    pairs = torch_contrastive.Pairs(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2))

    class Settings:
        contrastive_layers, contrastive_temperature = 0, 0.5

    # listener 0 without track 1 is w_0, at right angles to v_1; listener 1 without track 0 is w_2, along v_0; the drawn
    # tracks are 0 and 3: along w_0 and at right angles to it; for the second pair track 0 is its own and does not count
    own, drawn = np.array([0, 1]) / 0.5, np.array([[1 / 0.5, 0], [-1 / 0.5, 0]])
    expected = np.mean(np.log(np.exp(own) + np.exp(drawn).sum(axis=1)) - own)
    found = torch_contrastive._loss(w, v, graph, pairs, torch.tensor([0, 3]), Settings)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_layers_add_what_listeners_of_a_track_have_beside_it(pattern) -> None:
    graph = sp.csr_matrix(pattern)
    ends = ends_of(graph)
    table = np.random.default_rng(1).standard_normal((ITEMS, 4)).astype(np.float32)
    near = pattern.T @ pattern
    expected = table + near @ table + near @ near @ table
    np.testing.assert_allclose(torch_contrastive._smooth(torch.from_numpy(table), ends, 2), expected, rtol=1e-4)


def test_the_gradient_of_a_product_is_that_of_numbers(pattern) -> None:
    graph = sp.csr_matrix(pattern.astype(np.float64))
    ends = ends_of(graph)
    x = torch.rand(ITEMS, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda table: torch_contrastive._product(ends, table), x)


def test_one_seed_gives_one_result_and_weights_play_no_part(pattern, settings) -> None:
    matrix = sp.csr_matrix(pattern)
    heavy = matrix.copy()
    heavy.data *= np.arange(1, heavy.nnz + 1, dtype=np.float32)
    few = settings(contrastive_epochs=2)
    first, weighted = (contrastive(one, few, 1) for one in (matrix, heavy))
    other = contrastive(matrix, few, 2)
    np.testing.assert_array_equal(first.left, weighted.left)
    np.testing.assert_array_equal(first.right, weighted.right)
    assert np.abs(first.left - other.left).max() > 0.01


def test_the_threads_of_the_process_are_what_they_were(pattern, settings) -> None:
    before = torch.get_num_threads()
    contrastive(sp.csr_matrix(pattern), settings(contrastive_epochs=1, contrastive_threads=before + 1), 1)
    assert torch.get_num_threads() == before


def test_minutes_end_it(pattern, settings, capfd) -> None:
    made = contrastive(sp.csr_matrix(pattern), settings(contrastive_epochs=10**6, contrastive_minutes=0.005), 1)
    assert np.isfinite(made.left).all()
    told = capfd.readouterr().err
    assert re.search("[1-9][0-9,]* of 1,000,000 steps fitted into similarity.contrastive_minutes", told)


@pytest.mark.parametrize("shape", [(3, 2), (3, 0), (0, 2)])
def test_nothing_gives_zeros(shape: tuple[int, int], settings) -> None:
    empty = sp.csr_matrix(shape, dtype=np.float32)
    assert not contrastive(empty, settings(), 0).scores(empty).any()


def test_a_track_that_nobody_has_gets_no_score(pattern, settings) -> None:
    matrix = sp.csr_matrix(pattern)
    scores = contrastive(matrix, settings(contrastive_epochs=1), 0).scores(matrix)
    assert not scores[:, 7].any()
    assert not scores[4].any()


def test_a_catalogue_of_one_track(settings) -> None:
    matrix = sp.csr_matrix(np.ones((3, 1), np.float32))
    assert np.isfinite(contrastive(matrix, settings(contrastive_epochs=1), 0).scores(matrix)).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_told(pattern, settings) -> None:
    with pytest.raises(InputError, match=r"similarity\.contrastive_device: gpu cannot be used here"):
        contrastive(sp.csr_matrix(pattern), settings(contrastive_device="gpu"), 0)


def test_rates_rise_and_fall() -> None:
    assert torch_contrastive._rate(0) == pytest.approx(0.1 * torch_contrastive.RATE)
    assert torch_contrastive._rate(torch_contrastive.WARM_UP) == pytest.approx(torch_contrastive.RATE)
    assert math.isclose(torch_contrastive._rate(1), 0, abs_tol=1e-9)
