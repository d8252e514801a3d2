"""Pieces: order, bars, excerpts, transposition."""

import numpy as np
import pytest

from musai.music.notes import Track, bar_steps, joined, melody, piece_of, skyline

SCALE = [(60 + step, 12 * place, 12, 80, 0) for place, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]


def test_bars_are_counted_in_steps_of_a_twelfth_of_a_quarter_note():
    assert [bar_steps(meter) for meter in ((4, 4), (3, 4), (6, 8), (2, 2), (9, 8))] == [48, 36, 36, 48, 54]
    piece = piece_of(SCALE, tempo_bpm=60)
    assert (piece.bars, piece.end, piece.duration_s) == (2, 96, 8.0)


def test_notes_stand_in_order_of_onset_track_and_falling_pitch():
    piece = piece_of([(60, 12, 1, 80, 0), (50, 0, 1, 80, 1), (60, 0, 1, 80, 0), (64, 0, 1, 80, 0)], [Track("a")] * 2)
    assert piece.pitch.tolist() == [64, 60, 50, 60]


def test_an_excerpt_begins_at_step_0_and_cuts_what_rings_on():
    piece = piece_of([*SCALE, (40, 36, 60, 80, 0)])
    part = piece.excerpt(0, 1)
    assert part.pitch.tolist() == [60, 62, 64, 65, 40]
    assert part.end == 48
    assert piece.excerpt(1, 1).onset.tolist() == [0, 12, 24, 36]


def test_transposition_leaves_drums_alone_and_keeps_to_the_range():
    piece = piece_of([(60, 0, 12, 80, 0), (38, 0, 12, 80, 1)], [Track("a"), Track("drums", drum=True)])
    assert piece.transposed(7).pitch.tolist() == [67, 38]
    with pytest.raises(ValueError, match="out of 0"):
        piece.transposed(70)


def test_the_melody_is_the_top_note_of_each_onset():
    piece = piece_of([(60, 0, 12, 80, 1), (72, 0, 12, 80, 0), (50, 12, 12, 80, 1)], [Track("a"), Track("b")])
    assert melody(piece).pitch.tolist() == [72, 50]


def test_the_skyline_leaves_out_what_begins_below_a_note_of_it():
    rows = [(72, 0, 24, 80, 0), (60, 0, 12, 80, 1), (55, 12, 36, 80, 1), (70, 24, 12, 80, 0), (76, 30, 12, 80, 1)]
    piece = piece_of(rows, [Track("a"), Track("b")])
    assert melody(piece).pitch.tolist() == [72, 55, 70, 76]
    assert skyline(piece).pitch.tolist() == [72, 70, 76]


def test_pieces_are_joined_at_bar_lines():
    piece = piece_of(SCALE[:5])
    twice = joined([piece, piece])
    assert twice.onset.tolist() == [0, 12, 24, 36, 48, 96, 108, 120, 132, 144]
    assert np.array_equal(twice.pitch[5:], piece.pitch)
