"""Thinning: what stays of chords, and that nothing of fewer voices is touched."""

import numpy as np
from hypothesis import given, settings

from musai.music.notes import Track, piece_of
from musai.music.thinning import at_once, thinned
from tests.music.strategies import pieces


def rows(piece):
    return np.stack([piece.pitch, piece.onset, piece.duration], axis=1).tolist()


def test_a_chord_keeps_its_highest_notes_and_its_lowest():
    chord = piece_of([(pitch, 0, 12, 80, 0) for pitch in (48, 55, 60, 64, 67)])
    assert rows(thinned(chord, [3])) == [[67, 0, 12], [64, 0, 12], [48, 0, 12]]


def test_what_sounds_longest_is_cut_where_others_begin():
    piece = piece_of([(40, 0, 48, 80, 0), (50, 12, 36, 80, 0), (60, 24, 12, 80, 0), (90, 24, 12, 80, 1)],
                     [Track("piano"), Track("flute")])  # fmt: skip
    assert at_once(piece) == [3, 1]
    assert rows(thinned(piece, [2, 1])) == [[40, 0, 24], [50, 12, 36], [60, 24, 12], [90, 24, 12]]


@settings(max_examples=60, deadline=None)
@given(pieces())
def test_voices_are_enough_afterwards_and_a_piece_that_had_few_is_the_same(piece):
    one_track = piece_of(np.stack([piece.pitch, piece.onset, piece.duration, piece.velocity, 0 * piece.track], axis=1))
    assert max(at_once(thinned(one_track, [2]))) <= 2
    assert rows(thinned(piece, at_once(piece))) == rows(piece)
