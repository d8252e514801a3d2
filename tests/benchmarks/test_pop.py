"""The measures of pop.py on rolls worked by hand, and the bars that a song's beats give."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import pop


def test_measures_by_hand():
    """Bar 0: C for 10 steps, a gap of one, C again for 2 (a fragment, and too short), G over it; bar 1 is empty."""
    rows = np.array([(60, 0, 10), (60, 11, 13), (67, 0, 40)])
    found = pop.measured([pop.roll_of(rows, 2)])
    assert found["empty bars"] == 0.5
    assert found["pitch classes"] == 2
    assert found["qualified"] == pytest.approx(2 / 3)
    assert found["fragments"] == pytest.approx(1 / 3)


def test_a_piece_and_its_song_have_the_same_measures():
    tracks = [np.array([(72, 96 + 24 * beat, 96 + 24 * beat + 12) for beat in range(8)]), np.empty((0, 3), int),
              np.array([(48, 96, 288), (52, 96, 288)])]  # fmt: skip
    piece = pop.piece_of_song(tracks)
    assert piece.bars == 2
    again = pop.rolls_of(pop.rows_of_piece(piece))
    for ours, theirs in zip(pop.rolls_of(tracks), again, strict=True):
        assert np.array_equal(ours, theirs)


def test_random_rolls_are_as_dense_and_fall_to_pieces():
    rolls = [pop.roll_of(np.array([(60, 0, 90), (64, 0, 90), (67, 96, 150)]), 2)] * 8
    made = pop.random_rolls(rolls, 1)
    assert np.mean([roll.mean() for roll in made]) == pytest.approx(rolls[0].mean(), rel=0.1)
    assert pop.measured(made)["qualified"] < 0.1 < pop.measured(rolls)["qualified"]
