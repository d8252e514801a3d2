"""Calibration on answers whose true rate is known."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion.calibration import expected_calibration_error, fit


def test_the_error_by_hand() -> None:
    # two bins of 50: stated .9 and right .5, stated .2 and right .2
    stated = np.repeat([0.9, 0.2], 50)
    right = np.arange(100) % 2 == 0
    right[50:] = np.arange(50) % 5 == 0
    assert expected_calibration_error(stated, right) == pytest.approx((0.4 + 0) / 2)


def test_nothing_and_all_right() -> None:
    assert expected_calibration_error(np.empty(0), np.empty(0, bool)) == 0
    assert expected_calibration_error(np.ones(10), np.ones(10, bool)) == 0


def test_boasting_is_put_right() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.5, 0.8, 4_000)
    odds = truth / (1 - truth)
    stated = odds**2 / (1 + odds**2)  # twice the true logit
    right = rng.random(4_000) < truth
    learnt = fit(stated[::2], right[::2])
    assert learnt.slope == pytest.approx(0.5, abs=0.1)
    put_right = np.array([learnt(p) for p in stated[1::2]])
    assert expected_calibration_error(stated[1::2], right[1::2]) > 0.08
    assert expected_calibration_error(put_right, right[1::2]) < 0.04


def test_no_rows() -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit(np.empty(0), np.empty(0, bool))
