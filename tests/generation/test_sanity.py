"""Sanity: every hard rule, on a tune that breaks it alone."""

import dataclasses

import numpy as np
import pytest

from musai.generation import quadrants, sanity
from musai.generation.sanity import Bounds
from musai.music.notes import Track, piece_of

BOUNDS = Bounds((0.15, 1.0), ((4, 4),))
TUNE = [(60 + (5 * place) % 12, 12 * place, 12, 80, 0) for place in range(64)]


def changed(rows, **others):
    return dataclasses.replace(piece_of(rows, [Track("piano")]), **others)


@pytest.mark.parametrize(
    ("reason", "piece"),
    [
        ("no notes", changed([])),
        ("silence inside", changed([*TUNE[:8], *((p, o + 200, d, v, t) for p, o, d, v, t in TUNE[8:])])),
        ("first note late", changed([(p, o + 48, d, v, t) for p, o, d, v, t in TUNE])),
        ("a note too long", changed([*TUNE, (30, 0, 200, 80, 0)])),
        ("one pitch twice at once", changed([*TUNE, (30, 0, 24, 80, 0), (30, 12, 24, 80, 0)])),
        ("a pitch out of range", changed([*TUNE, (10, 0, 12, 80, 0)])),
        ("too many notes at once", changed([*TUNE, *((40 + k, 0, 12, 80, 0) for k in range(11))])),
        ("tempo", changed(TUNE, tempo_bpm=230.0)),
        ("a meter that real pieces lack", changed(TUNE, meter=(5, 4))),
        ("no end at a bar line", changed(TUNE[:62])),
        ("one bar again and again", changed([*TUNE, *((60, 768 + 48 * bar, 48, 80, 0) for bar in range(5))])),
        ("too few distinct bars", changed([(60 + bar % 2, 48 * bar, 48, 80, 0) for bar in range(16)])),
    ],
)
def test_a_rule_that_is_broken_gives_its_reason(reason, piece):
    assert reason in sanity.faults(piece, BOUNDS)


def test_a_sound_tune_has_no_faults_and_one_with_a_pickup_may_end_before_it():
    assert sanity.faults(changed(TUNE), BOUNDS) == []
    pickup = [(p, o + 36, d, v, t) for p, o, d, v, t in TUNE]
    assert sanity.faults(changed(pickup), BOUNDS) == []


def test_a_transfer_may_have_the_form_and_the_meter_of_its_source():
    source = changed([(60 + bar % 2, 36 * bar, 36, 80, 0) for bar in range(16)], meter=(3, 4))
    assert set(sanity.faults(source, BOUNDS)) == {"a meter that real pieces lack", "too few distinct bars"}
    assert sanity.faults(source, BOUNDS.of_transfer(source)) == []


def test_moves_reach_to_the_ends_of_the_instruments_range():
    flute = piece_of([(60, 0, 12, 80, 0), (90, 12, 12, 80, 0)], [Track("flute", 73)])
    assert sanity.moves(flute) == (-5, 8)
    low = quadrants.performed(flute, "sad", seed=1)
    assert {int(quadrants.performed(flute, emotion, seed).pitch[0]) for emotion in ("sad", "happy")
            for seed in range(40)} == set(range(55, 66))  # fmt: skip
    assert low.tempo_bpm <= 76


def test_the_band_of_distinct_bars_comes_from_real_pieces():
    pieces = [changed([(60 + bar % count, 48 * bar, 48, 80, 0) for bar in range(20)]) for count in range(1, 21)]
    low, high = sanity.bounds(pieces, 20).distinct_bars
    assert low == pytest.approx(np.percentile(np.arange(1, 21) / 20, 5))
    assert high == pytest.approx(np.percentile(np.arange(1, 21) / 20, 95))


def test_of_two_tracks_that_share_half_their_ngrams_the_first_is_kept():
    other = changed([(60 + (7 * place) % 11, 12 * place, 12, 80, 0) for place in range(64)])
    assert sanity.twins([changed(TUNE), other, changed(TUNE).transposed(3)]) == [2]
