"""What is compared: alike in all but the notes, balanced, and the same for the same seed."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from musai.errors import InputError
from musai.listening import pieces
from musai.listening.pieces import Heard
from musai.listening.trials import drawn
from musai.music.notes import STEPS_PER_QUARTER, Track, piece_of
from tests.listening.conftest import tune


def test_alike_leaves_the_notes_alone_and_takes_the_rest_away() -> None:
    one = pieces.alike(tune(1, tempo_bpm=90), tempo_bpm=120, seconds=10)
    assert one is not None
    assert one.tempo_bpm == 120
    assert one.duration_s == 10
    assert set(one.velocity.tolist()) == {pieces.VELOCITY}
    assert [track.program for track in one.tracks] == [0]
    assert one.onset[0] == 0
    np.testing.assert_array_equal(one.pitch, tune(1).pitch[:20])


def test_a_note_that_rings_on_is_cut_and_a_short_piece_is_none() -> None:
    q = STEPS_PER_QUARTER
    long = piece_of([(60, 0, 100 * q, 80, 0)], [Track("drone")])
    cut = pieces.alike(long, 60, 5)
    assert cut is not None
    assert cut.duration.tolist() == [5 * q]
    assert pieces.alike(piece_of([(60, 0, 4 * q, 80, 0)]), 60, 5) is None
    assert pieces.alike(piece_of([]), 60, 5) is None


def test_shuffled_notes_keep_their_rhythm_and_their_tracks_pitches() -> None:
    q = STEPS_PER_QUARTER
    rows = [(60 + n, n * q, q, 80, 0) for n in range(16)] + [(36 + n, n * q, q, 80, 1) for n in range(16)]
    piece = piece_of(rows, [Track("high"), Track("low")])
    other = pieces.shuffled(piece, 3)
    for track in (0, 1):
        before, after = piece.of_track(track), other.of_track(track)
        np.testing.assert_array_equal(before.onset, after.onset)
        assert sorted(before.pitch.tolist()) == sorted(after.pitch.tolist())
        assert before.pitch.tolist() != after.pitch.tolist()


def test_every_style_and_pair_of_kinds_has_its_share(heard: list[Heard]) -> None:
    trials = drawn(heard, pairs=12, attention=2, seconds=8, seed=1)
    asked = [trial for trial in trials if not trial.attention]
    counted = collections.Counter((t.first.style, t.first.kind, t.second.kind) for t in asked)
    assert counted == dict.fromkeys(
        [
            ("chorale", "real", "rnn"), ("folk", "real", "rnn"), ("folk", "real", "style_transfer"),
            ("folk", "rnn", "style_transfer"),
        ],
        3,
    )  # fmt: skip
    tempo = {"folk": 105, "chorale": 105}  # the median of 80, 90, ... 130
    for trial in trials:
        assert trial.first.style == trial.second.style
        assert trial.first.piece.tempo_bpm == trial.second.piece.tempo_bpm == tempo[trial.first.style]
        assert trial.first.piece.end == trial.second.piece.end
    real = [t.first.track_id for t in asked if t.first.kind == "real" and t.first.style == "folk"]
    assert len(set(real)) == 6
    checks = [trial for trial in trials if trial.attention]
    assert [(t.first.kind, t.second.kind) for t in checks] == [("real", "shuffled")] * 2
    assert {t.first.style for t in checks} == {"folk", "chorale"}


def test_the_seed_decides(heard: list[Heard]) -> None:
    def ids(seed: int) -> list[tuple[str, str]]:
        return [(t.first.track_id, t.second.track_id) for t in drawn(heard, 12, 2, 8, seed)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_what_cannot_be_compared_is_said(heard: list[Heard]) -> None:
    with pytest.raises(InputError, match="of 600 s"):
        drawn(heard, 12, 2, 600, 1)
    with pytest.raises(InputError, match="no style has real and created pieces"):
        drawn([one for one in heard if one.kind == "real"], 12, 2, 8, 1)
    with pytest.raises(InputError, match="4 styles and kinds are to be compared"):
        drawn(heard, 3, 2, 8, 1)
