"""The outward form of a text, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musai.emotion.english import COUNTED, ENDS, form


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
