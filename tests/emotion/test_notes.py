"""Features of pieces whose values are known, and a head that hears sad from happy."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion.models import Models
from musai.emotion.notes import CHOSEN, NotesHead, features
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
    found = features(chords(MAJOR, 16, STEP // 2, 80, 120))
    assert found is not None
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
    assert set(CHOSEN) <= set(usual)
    assert np.isfinite(list(one_note.values())).all()


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
    head = NotesHead(("a", "b"), np.array([1.0, 0]), np.array([2.0, 1]), np.array([[0.1, 0], [0, 0.2]]), np.zeros(2))
    assert head.read({"a": 5, "b": 1, "c": 9}) == (pytest.approx(0.2), pytest.approx(0.2))
    assert head.read({"a": 1e9, "b": -1e9}) == (pytest.approx(0.3), pytest.approx(-0.6))  # no further than 3 deviations
