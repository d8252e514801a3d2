"""Miscalibration against Steck's formula worked by hand."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from musai.evaluation import calibration

CATEGORY = np.array([0, 0, 1, 2])


def test_shares_are_of_the_weights():
    weights = sp.csr_matrix(np.array([[1, 1, 2, 0], [0, 0, 0, 5], [0, 0, 0, 0]], np.float32))
    found = calibration.shares(weights, CATEGORY)
    assert found[:2].tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert np.isnan(found[2]).all()


def test_divergence_worked_by_hand():
    taste = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1], [np.nan] * 3, [0.5, 0.5, 0]])
    lists = np.array([[0, 2, -1], [0, 1, -1], [3, -1, -1], [3, -1, -1], [0, -1, -1], [-1, -1, -1]])
    found = calibration.miscalibration(lists, CATEGORY, taste)
    one_sided = 0.5 * math.log(0.5 / (0.99 + 0.005)) + 0.5 * math.log(0.5 / 0.005)
    assert found[:4].tolist() == pytest.approx([0, one_sided, math.log(100), 0])
    assert np.isnan(found[4:]).all()
