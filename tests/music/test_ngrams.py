"""n-grams: the same for a tune transposed or stretched, others for another tune."""

import dataclasses

import numpy as np
from hypothesis import given, settings

from musai.music import ngrams
from musai.music.notes import piece_of
from tests.music.strategies import pieces

TUNE = [(60, 0), (62, 12), (64, 18), (65, 24), (60, 36), (67, 48), (69, 54), (60, 72)]


def tune(rows, shift=0):
    return piece_of([(pitch + shift, onset, 6, 80, 0) for pitch, onset in rows])


@settings(max_examples=40, deadline=None)
@given(pieces())
def test_transposed_and_stretched_pieces_have_the_same_ngrams(piece):
    found = ngrams.piece_hashes(piece)
    assert np.array_equal(ngrams.piece_hashes(piece.transposed(5)), found)
    slow = dataclasses.replace(piece, onset=3 * piece.onset, duration=3 * piece.duration)
    assert np.array_equal(ngrams.piece_hashes(slow), found)
    assert ngrams.fingerprint(slow) == ngrams.fingerprint(piece)


def test_one_other_note_changes_only_the_ngrams_it_is_in():
    other = [*TUNE[:7], (61, 72)]
    a, b = ngrams.piece_hashes(tune(TUNE)), ngrams.piece_hashes(tune(other))
    assert (a == b).tolist() == [True, True, True, False]


def test_rhythm_counts():
    even = [(pitch, 12 * place) for place, (pitch, _) in enumerate(TUNE)]
    assert not set(ngrams.piece_hashes(tune(TUNE)).tolist()) & set(ngrams.piece_hashes(tune(even)).tolist())


def test_repetitions_are_taken_once():
    kept = ngrams.distinct({"b": tune(TUNE), "a": tune(TUNE, 4), "c": tune(TUNE[:6])})
    assert list(kept) == ["a", "c"]
