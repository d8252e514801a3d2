"""Compound tokens: round trips, voices, what has no tokens."""

import numpy as np
import pytest
from hypothesis import given, settings

from musai.errors import InputError
from musai.music.notes import Track, piece_of
from musai.music.tokens import SIZES, piece_from, tokens_of
from tests.music.strategies import pieces


@settings(max_examples=60, deadline=None)
@given(pieces())
def test_piece_to_tokens_and_back(piece):
    rows, parts = tokens_of(piece)
    assert (rows >= 0).all()
    assert (rows.max(axis=0) < list(SIZES.values())).all()
    again = piece_from(rows, parts, piece.meter, piece.tempo_bpm)
    for name in ("pitch", "onset", "duration", "track"):
        assert np.array_equal(getattr(again, name), getattr(piece, name)), name


def test_known_rows():
    piece = piece_of([(60, 24, 12, 80, 0), (48, 24, 24, 80, 1), (62, 36, 12, 80, 0)], [Track("a"), Track("b")])
    assert tokens_of(piece)[0].tolist() == [[24, 0, 60, 11], [0, 1, 48, 23], [12, 0, 62, 11]]


def test_chords_take_voices_of_their_own_track():
    rows = [(72, 0, 48, 80, 0), (60, 0, 24, 80, 1), (64, 0, 48, 80, 1), (55, 24, 24, 80, 1)]
    tokens, parts = tokens_of(piece_of(rows, [Track("melody"), Track("chords")]))
    assert [(part.first, part.voices) for part in parts] == [(0, 1), (1, 2)]
    assert tokens[:, 1].tolist() == [0, 1, 2, 2]


def test_what_has_no_tokens_says_why():
    with pytest.raises(InputError, match="a rest of 150 steps"):
        tokens_of(piece_of([(60, 0, 12, 80, 0), (60, 150, 12, 80, 0)]))
    with pytest.raises(InputError, match="9 voices at once"):
        tokens_of(piece_of([(60 + note, 0, 12, 80, 0) for note in range(9)]))


def test_a_track_owns_the_voices_it_is_given():
    rows = [(72, 0, 48, 80, 0), (60, 0, 24, 80, 1)]
    tokens, parts = tokens_of(piece_of(rows, [Track("melody"), Track("chords")]), [2, 3])
    assert [(part.first, part.voices) for part in parts] == [(0, 2), (2, 3)]
    assert tokens[:, 1].tolist() == [0, 2]
    with pytest.raises(InputError, match="2 voices of a track at once"):
        tokens_of(piece_of([(60, 0, 12, 80, 0), (64, 0, 12, 80, 0)]), [1])
