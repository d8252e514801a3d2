"""The contract of the blend's parts, on matrices of odd shapes: each scores every track for every listener."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from musai import config as configuration
from musai.ranking import parts, predicted
from musai.similarity import linear
from tests.similarity.conftest import METHODS

RNG = np.random.default_rng(0)
SOME = RNG.random((50, 40)) < 0.3
ODD = {
    "one pair": np.ones((1, 1)),
    "one listener": np.ones((1, 30)),
    "one track": np.ones((30, 1)),
    "everyone has everything": np.ones((50, 40)),
    "few tracks and dense": (RNG.random((50, 20)) < 0.85) * 1.0,
    "nobody shares a track": np.eye(50),
    "counts up to 500,000": SOME * RNG.uniform(1, 500_000, SOME.shape),
    "listeners and tracks without anything": np.pad(SOME * 1.0, ((5, 0), (0, 7))),
}
PARTS = ("als", *predicted.BY_ITSELF, linear.METHOD, *METHODS)
SETTINGS = [
    f"similarity.track_methods=[{', '.join([*METHODS, linear.METHOD])}]",
    *("factorization.device=cpu", "similarity.device=cpu", "similarity.contrastive_device=cpu"),
    *("similarity.contrastive_threads=1", "similarity.contrastive_epochs=2"),
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ODD)
def test_every_part_scores_every_track(part, name):
    matrix, config = sp.csr_matrix(ODD[name].astype(np.float32)), configuration.load([], SETTINGS)
    before = matrix.data.tobytes(), matrix.indices.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = parts.fitted(part, matrix, config, 1)
        found = score(np.arange(matrix.shape[0]))
    assert found.shape == matrix.shape
    assert np.isfinite(found).all()
    some = np.arange(0, matrix.shape[0], 3)
    np.testing.assert_allclose(score(some), found[some], rtol=1e-4, atol=1e-6)
    assert (matrix.data.tobytes(), matrix.indices.tobytes()) == before
    again = parts.fitted(part, matrix, config, 1)(np.arange(matrix.shape[0]))
    assert again.tobytes() == found.tobytes()


def test_every_part_that_is_tuned_is_one_of_them():
    assert set(parts.SPACE) <= set(PARTS)
