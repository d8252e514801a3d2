"""Features of pieces whose values are known, and a head that hears sad from happy."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion.chords import chord_features, mode_features, windows
from musai.emotion.models import Models
from musai.emotion.notes import features, group_names, of_part
from musai.emotion.notes_head import CHOSEN, HEARD, Linear, NotesHead
from musai.emotion.weights import shipped
from musai.music.notes import Piece, Track, piece_of

MINOR, MAJOR = (57, 60, 64), (60, 64, 67)  # A minor and C major
STEP = 12  # a quarter note


def chords(chord: tuple[int, ...], beats: int, length: int, velocity: int, tempo_bpm: float, lift: int = 0) -> Piece:
    """A chord on every beat, with its notes as a tune above."""
    rows = []
    for beat in range(beats):
        rows += [(pitch + lift, beat * STEP, length, velocity, 0) for pitch in chord]
        rows.append((chord[beat % 3] + 12 + lift, beat * STEP, length, velocity, 0))
    return piece_of(rows, tempo_bpm=tempo_bpm)


def test_known_values() -> None:
    found = of_part(chords(MAJOR, 16, STEP // 2, 80, 120))
    assert (found["minor"], found["silence_share"]) == (0, pytest.approx(0.5, abs=0.02))
    assert found["log_onsets_a_second"] == pytest.approx(np.log(16 / 7.75))  # the last chord ends half a beat early
    assert found["articulation"] == pytest.approx(0.5, abs=0.05)
    assert found["staccato_share"] == pytest.approx(15 / 16)
    assert found["velocity_mean"] == 80
    assert found["on_beat_share"] == 1
    assert found["notes_an_onset"] == 4
    assert found["dissonance"] == 0


def test_minor_is_heard() -> None:
    found = features(chords(MINOR, 16, STEP, 60, 60))
    assert found is not None
    assert found["minor"] == 1
    assert found["majorness"] < 0


def test_every_feature_is_finite_and_always_there() -> None:
    usual = features(chords(MAJOR, 16, STEP, 80, 120))
    one_note = features(piece_of([(60, 0, 1, 1, 0)] * 8))
    assert usual is not None
    assert one_note is not None
    assert list(usual) == list(one_note)
    assert set(CHOSEN) | {name for group in HEARD for name in group_names()[group]} <= set(usual)
    assert np.isfinite(list(one_note.values())).all()


def test_half_is_told_by_the_parts() -> None:
    """Loud at first, soft then: the halves' and the middle's mean is the whole's, what only the middle has is not."""
    first, then = chords(MAJOR, 16, STEP, 100, 120), chords(MAJOR, 16, STEP, 40, 120)
    rows = [
        (int(p), int(o) + later, int(d), int(v), 0)
        for piece, later in ((first, 0), (then, 16 * STEP))
        for p, o, d, v in zip(piece.pitch, piece.onset, piece.duration, piece.velocity, strict=True)
    ]
    whole, found = of_part(piece_of(rows)), features(piece_of(rows))
    assert found is not None
    assert whole["velocity_mean"] == pytest.approx(70)
    assert found["velocity_mean"] == pytest.approx(70)
    assert (whole["velocity_spread"], found["velocity_spread"]) == (pytest.approx(30), pytest.approx(15 + 5))


def test_a_window_of_chords_by_hand() -> None:
    piece = piece_of([(60, 0, 12, 80, 0), (64, 12, 24, 80, 0), (48, 36, 6, 80, 0), (72, 96, 6, 80, 0)])
    sounding, bass = windows(piece)  # of 24 steps each; the third and the fourth are silent
    assert bass.tolist() == [0, 0, 0]
    assert windows(piece_of([(62, 24 * 10**6, 24, 80, 0)]))[1].tolist() == [2]  # silence before it does not count
    assert sounding[:, [0, 4]].tolist() == [[12, 12], [6, 12], [6, 0]]


def test_chords_are_told_apart() -> None:
    shares = {"major": (60, 64, 67), "minor": (57, 60, 64), "diminished": (59, 62, 65), "suspended": (62, 67, 69)}
    for name, pitches in shares.items():
        found = chord_features(piece_of([(pitch, 24 * n, 24, 80, 0) for n in range(8) for pitch in pitches]), 0)
        assert found[f"chord_{name}"] == 1, name
        assert found["chord_clarity"] == pytest.approx(1)
    moved = [(pitch + 5 * (n % 2), 24 * n, 24, 80, 0) for n in range(9) for pitch in (48, *MAJOR)]
    found = chord_features(piece_of(moved), 0)  # I and IV of C in turn
    assert (found["root_up_5"], found["root_up_7"]) == (0.5, 0.5)
    assert (found["root_tonic"], found["root_subdominant"]) == (pytest.approx(5 / 9), pytest.approx(4 / 9))
    assert found["over_bass_major_third"] == pytest.approx(6**-0.5)  # the root sounds twice


def test_a_minor_passage_in_a_major_piece_is_heard() -> None:
    major = [(pitch, 24 * n, 24, 80, 0) for n in range(16) for pitch in MAJOR]
    minor = [(pitch - 9, 24 * n + 384, 24, 80, 0) for n in range(16) for pitch in (60, 63, 67)]
    one, both = mode_features(piece_of(major)), mode_features(piece_of(major + minor))
    assert one["local_majorness"] == pytest.approx(one["majorness"])
    assert both["local_majorness"] < one["local_majorness"] - 0.1


def test_drums_and_a_few_notes_say_nothing() -> None:
    rows = [(36, beat * STEP, STEP, 90, 0) for beat in range(32)]
    assert features(piece_of(rows, [Track("kit", drum=True)])) is None
    assert features(piece_of(rows[:7])) is None


def test_minor_slow_and_soft_against_major_fast_and_loud() -> None:
    models = Models(shipped())
    sad = models.notes(chords(MINOR, 24, STEP, 45, 52, lift=-12))
    happy = models.notes(chords(MAJOR, 96, STEP // 3, 110, 168, lift=5))
    assert sad is not None
    assert happy is not None
    assert sad.arousal < -0.2 < 0.2 < happy.arousal
    assert sad.valence < 0 < happy.valence


def test_a_head_by_hand() -> None:
    head = NotesHead(
        ("a", "b"), np.array([1.0, 0]), np.array([2.0, 1]), Linear(np.array([[0.1, 0], [0, 0.2]]), np.zeros(2))
    )
    assert head.read({"a": 5, "b": 1, "c": 9}) == (pytest.approx(0.2), pytest.approx(0.2))
    assert head.read({"a": 1e9, "b": -1e9}) == (pytest.approx(0.3), pytest.approx(-0.6))  # no further than 3 deviations
