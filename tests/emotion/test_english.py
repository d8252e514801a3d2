"""The outward form of a text, by hand; what products of emotions add."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

from musai.emotion.english import COUNTED, ENDS, TOLD, UNUSUAL, form, with_products
from musai.emotion.training import affect


def test_the_form_of_a_text_by_hand() -> None:
    length, words, *counts = form("I can't WAIT, you know... Oh! Oh!")
    assert (length, words) == (pytest.approx(math.log(34)), pytest.approx(math.log(8)))
    # ! ? , quotes ... : - SHOUTED digits not I you
    assert np.expm1(counts[: len(COUNTED)]) == pytest.approx([2, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1])
    word, capitals, begins, *ends = counts[len(COUNTED) :]
    assert (word, capitals, begins) == (pytest.approx(33 / 8), pytest.approx(7 / 34), 1)
    assert dict(zip(ENDS, ends, strict=True)) == {".": 0, "!": 1, "?": 0}


def test_an_empty_text_has_a_form_too() -> None:
    assert len(form("")) == len(form("one two"))
    assert np.isfinite(form("")).all()


def test_products_are_of_each_two_of_what_is_told() -> None:
    features = np.zeros((1, TOLD + 2), np.float32)
    features[0, [0, 3, TOLD]] = 2, -9, 5  # the last is a state, of which there are no products
    found = with_products(features)
    np.testing.assert_array_equal(found[:, : TOLD + 2], features)
    products = found[0, TOLD + 2 :]
    assert len(products) == TOLD * (TOLD + 1) // 2
    assert sorted(products[products != 0]) == [-2 * UNUSUAL, 4, UNUSUAL**2]


def test_what_two_emotions_say_together_is_learnt() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1200, TOLD + 3)).astype(np.float32)
    targets = np.stack([features[:, 1], features[:, 0] * features[:, 2]], axis=1)
    rows = affect._Read(features, sp.csr_matrix((1200, 1)), targets)
    predict = affect._fit_features(rows.rows(np.arange(1000)), [100.0, 100.0])[1]
    found = predict(rows.rows(np.arange(1000, 1200)))
    assert np.corrcoef(found[:, 0], targets[1000:, 0])[0, 1] > 0.99
    assert np.corrcoef(found[:, 1], targets[1000:, 1])[0, 1] > 0.5
