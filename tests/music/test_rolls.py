"""Rolls: what is on the grid of sixteenths comes back, the rest moves by half a cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musai.errors import InputError
from musai.music.notes import Track, piece_of
from musai.music.rolls import CELL, CLASSES, FIRST, HOLD, SILENT, notes_of_roll, roll_of
from musai.music.tokens import tokens_of


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 8), st.integers(36, 93)), min_size=1, max_size=30))
def test_notes_on_the_grid_come_back(found):
    rows, time = [], 0
    for rest, length, pitch in found:
        rows.append((pitch, CELL * (time + rest), CELL * length, 80, 0))
        time += rest + length
    piece = piece_of(rows, [Track("melody")])
    _, parts = tokens_of(piece)
    again = notes_of_roll(roll_of(piece, 2), parts, piece.meter, piece.tempo_bpm)
    for name in ("pitch", "onset", "duration"):
        assert np.array_equal(getattr(again, name), getattr(piece, name)), name


def test_known_classes():
    piece = piece_of([(36, 0, 6, 80, 0), (37, 9, 3, 80, 0)])
    roll = roll_of(piece, 1)
    assert roll[0, :5].tolist() == [FIRST, HOLD, SILENT, FIRST + 1, SILENT]
    assert roll.shape == (1, 16)
    assert roll.max() < CLASSES


def test_a_hold_without_a_note_is_silence():
    _, parts = tokens_of(piece_of([(60, 0, 3, 80, 0)]))
    roll = np.array([[HOLD, HOLD, FIRST, HOLD, SILENT, HOLD]])
    piece = notes_of_roll(roll, parts, (4, 4), 120)
    assert (piece.onset.tolist(), piece.duration.tolist()) == ([2 * CELL], [2 * CELL])


def test_what_has_no_roll_says_why():
    with pytest.raises(InputError, match="pitches of 36 to 93"):
        roll_of(piece_of([(20, 0, 3, 80, 0)]), 1)
    with pytest.raises(InputError, match="more than 1 voices"):
        roll_of(piece_of([(60, 0, 3, 80, 0), (64, 0, 3, 80, 0)]), 1)
