"""What a GPU works out, on the processor: torch's products and their largest, beside implicit's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from musai.devices import choose
from musai.errors import InputError
from musai.similarity import neighbours, torch_knn

CPU = torch.device("cpu")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture
def by_torch(monkeypatch):
    """Neighbours of a matrix as they are where there is a GPU, but that torch works on the processor."""

    def found(matrix, method, settings):
        with monkeypatch.context() as patched:
            patched.setattr(
                neighbours, "_all_pairs", lambda product, width, *_: torch_knn.all_pairs(product, width, CPU)
            )
            return neighbours.track_neighbours(matrix, method, settings, 1)

    return found


@pytest.mark.parametrize("shape", [(40, 30, 0.25), (300, 200, 0.05), (5, 60, 0.5), (60, 2, 0.5)])
def test_the_neighbours_are_those_of_implicit(method, shape, similarity, matrices, by_torch):
    settings = similarity(neighbours=20)
    for seed in range(3):
        matrix = matrices(seed, *shape) if shape[1] > 4 else sp.csr_matrix(np.ones(shape[:2], np.float32))
        found, due = by_torch(matrix, method, settings), neighbours.track_neighbours(matrix, method, settings, 1)
        np.testing.assert_array_equal(found.indices, due.indices)
        np.testing.assert_allclose(found.scores, due.scores, rtol=2e-7)


def test_blocks_of_any_size_give_the_same(method, similarity, matrices, by_torch, monkeypatch):
    matrix, settings = matrices(7, 80, 50), similarity(neighbours=9)
    whole = by_torch(matrix, method, settings)
    for products, numbers in ((1, 1), (200, 1 << 27), (1 << 25, 130)):
        monkeypatch.setattr(torch_knn, "BLOCK_PRODUCTS", products)
        monkeypatch.setattr(torch_knn, "BLOCK_NUMBERS", numbers)
        found = by_torch(matrix, method, settings)
        assert found.indices.tobytes() == whole.indices.tobytes()
        np.testing.assert_allclose(found.scores, whole.scores, rtol=2e-7)


def test_ties_at_the_cut_are_by_index(similarity, by_torch):
    found = by_torch(sp.csr_matrix(np.ones((3, 50), np.float32)), "cosine", similarity(neighbours=5))
    for i, row in enumerate(found.indices):
        assert list(row) == [j for j in range(6) if j != i][:5]


@GPU
def test_on_the_card(method, similarity, matrices):
    matrix = matrices(3, 300, 200, 0.05)
    found = neighbours.track_neighbours(matrix, method, similarity(neighbours=20, device="gpu"), 1)
    due = neighbours.track_neighbours(matrix, method, similarity(neighbours=20, device="cpu"), 1)
    np.testing.assert_array_equal(found.indices, due.indices)
    np.testing.assert_allclose(found.scores, due.scores, rtol=2e-7)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(similarity):
    with pytest.raises(InputError, match=r"similarity\.device: gpu cannot be used here: torch .* without CUDA"):
        neighbours.track_neighbours(sp.csr_matrix(np.eye(2, dtype=np.float32)), "cosine", similarity(device="gpu"), 1)
    assert choose("auto", "similarity.device") == CPU
