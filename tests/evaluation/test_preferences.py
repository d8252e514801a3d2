"""Strengths and agreement with known answers: worked by hand, drawn from known strengths, and as published."""

from __future__ import annotations

import numpy as np
import pytest

from musai.evaluation import preferences

NO = np.nan
MEG_AND_OWEN = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]  # Krippendorff 2011, A
FOUR_OBSERVERS = [  # the same, C
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
    [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
]


def test_of_two_the_strength_is_the_share_of_wins() -> None:
    assert preferences.strengths(np.array([[0, 30], [10, 0]]), prior=0) == pytest.approx([0.75, 0.25])


def test_of_three_the_strengths_that_the_counts_were_made_of_come_back() -> None:
    made_of = np.array([4.0, 2.0, 1.0])
    counts = 300 * made_of[:, None] / (made_of[:, None] + made_of[None, :])
    np.fill_diagonal(counts, 0)
    assert preferences.strengths(counts, prior=0) == pytest.approx(made_of / 7, abs=1e-8)


def test_a_thing_that_was_compared_with_one_alone_is_placed_by_way_of_it() -> None:
    counts = np.array([[0, 20, 0], [10, 0, 30], [0, 10, 0]])  # 2 : 1, then 3 : 1
    first, second, third = preferences.strengths(counts, prior=0)
    assert (first / second, second / third) == (pytest.approx(2), pytest.approx(3))


def test_who_never_loses_stays_finite_and_what_was_never_compared_is_an_error() -> None:
    share = preferences.strengths(np.array([[0, 10], [0, 0]]))[0]
    assert share == pytest.approx(10.5 / 11)
    with pytest.raises(ValueError, match="never compared"):
        preferences.strengths(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))


def choices(raters: int, answers: int, share: float, seed: int) -> np.ndarray:
    """Thing 1 is chosen over thing 0 with probability `share`."""
    chosen = (np.random.default_rng(seed).random((raters, answers)) < share).astype(int)
    return np.stack([np.repeat(np.arange(raters), answers), chosen.ravel(), 1 - chosen.ravel()], axis=1)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        _, found = preferences.over_reference(choices(30, 10, 0.4, seed), 2, 0, 200, 0.9, seed)
        assert found is not None
        assert found.low <= found.share <= found.high
        held += found.low <= 0.4 <= found.high
    assert 0.75 <= held / 60 <= 1.0


def test_the_same_seed_gives_the_same_interval() -> None:
    once, again = (preferences.over_reference(choices(25, 8, 0.5, 1), 2, 0, 100, 0.95, 3) for _ in range(2))
    assert once == again
    assert once[0] is None


@pytest.mark.parametrize(("values", "alpha"), [(MEG_AND_OWEN, 0.095), (FOUR_OBSERVERS, 0.743)])
def test_agreement_as_published(values: list[list[float]], alpha: float) -> None:
    assert preferences.agreement(np.array(values, float)) == pytest.approx(alpha, abs=5e-4)


def test_agreement_of_all_and_of_nobody() -> None:
    assert preferences.agreement(np.array([[0, 1, 0, 1], [0, 1, 0, 1]], float)) == 1
    guesses = np.random.default_rng(5).integers(0, 2, (40, 400)).astype(float)
    assert preferences.agreement(guesses) == pytest.approx(0, abs=0.01)
    assert np.isnan(preferences.agreement(np.array([[1.0, NO], [NO, 2.0]])))
    assert np.isnan(preferences.agreement(np.ones((3, 4))))
