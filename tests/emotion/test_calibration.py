"""Calibration on answers whose true rate is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from musai.emotion.calibration import PENALTY, expected_calibration_error, fit


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


@pytest.mark.parametrize("kind", ["told apart", "all right", "noise"])
def test_boasting_does_not_run_away(kind: str) -> None:
    """Confident statements that tell right from wrong wholly, or not at all: the minimum, as scipy finds it."""
    rng = np.random.default_rng(9)
    stated = 1 / (1 + np.exp(-rng.normal(2, 3, 138)))
    right = {"told apart": stated > 0.9, "all right": stated > 0, "noise": rng.random(138) < 0.5}[kind]
    logits, good = np.log(stated / (1 - stated)), right.sum()
    target = np.where(right, (good + 1) / (good + 2), 1 / (len(right) - good + 2))

    def loss(at: np.ndarray) -> float:
        given = at[0] + at[1] * logits
        return float(np.sum(np.logaddexp(0, given) - target * given) + PENALTY * len(logits) * (at[1] - 1) ** 2 / 2)

    best = scipy.optimize.minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"fatol": 1e-10, "xatol": 1e-8})
    learnt = fit(stated, right)
    assert (learnt.offset, learnt.slope) == pytest.approx(best.x, abs=1e-3)


def test_a_label_that_is_less_right_than_it_says_has_an_offset_of_its_own() -> None:
    rng = np.random.default_rng(5)
    stated = rng.uniform(0.3, 0.7, 6_000)
    labels = [("happy", "sad")[number % 2] for number in range(6_000)]
    sad = np.array(labels) == "sad"
    right = rng.random(6_000) < np.where(sad, 0.4, 1.2) * stated
    shared, own = fit(stated[:4_000], right[:4_000]), fit(stated[:4_000], right[:4_000], labels[:4_000])
    rest = list(zip(stated[4_000:], labels[4_000:], strict=True))
    for learnt, error in ((shared, pytest.approx(0.2, abs=0.03)), (own, pytest.approx(0, abs=0.03))):
        said = np.array([learnt(p, label) for p, label in rest])
        assert (said - right[4_000:])[sad[4_000:]].mean() == error


def test_a_label_that_is_rarely_given_stays_near_the_others() -> None:
    labels = ["happy"] * 500 + ["sad"]
    learnt = fit(np.full(501, 0.5), np.array([True, False] * 250 + [False]), labels)
    assert abs(learnt.of_label["sad"]) < 0.15
    assert learnt(0.5, "calm") == learnt(0.5)


def test_no_rows() -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit(np.empty(0), np.empty(0, bool))
