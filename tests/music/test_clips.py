"""Clips as a browser gets them: right pitch, length, loudness and size after coding."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from musai.music import clips, loudness
from musai.music.midi import MidiFault, write_midi
from musai.music.notes import STEPS_PER_QUARTER, Track, piece_of

Q = STEPS_PER_QUARTER


def scale(pitch: int, quarters: int, late: int = 0, program: int = 0, velocity: int = 80) -> bytes:
    """Quarter notes at 120 a minute, two a second; the first after `late` quarters."""
    rows = [(pitch, (late + n) * Q, Q, velocity, 0) for n in range(quarters)]
    return write_midi(piece_of(rows, [Track("melody", program)]))


def decoded(content: bytes) -> np.ndarray:
    sound, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert rate == clips.RATE
    assert sound.ndim == 1
    return sound


def test_a_clip_begins_with_the_first_note_is_cut_and_faded() -> None:
    played = clips.sound(scale(69, 40, late=8, program=73), seconds=5)
    assert len(played) == 5 * clips.RATE
    assert np.abs(played[: clips.RATE // 4]).max() > 0.01
    second = played[clips.RATE : 2 * clips.RATE]
    assert np.argmax(np.abs(np.fft.rfft(second * np.hanning(len(second))))) == pytest.approx(440, abs=3)
    assert np.abs(played[-clips.RATE // 50 :]).max() < 0.05 * np.abs(played).max()


def test_every_clip_is_as_loud_as_any_other_also_when_coded() -> None:
    quiet, loud, plucked = scale(60, 20, velocity=25), scale(72, 20, velocity=120), scale(55, 20, program=24)
    for midi in (quiet, loud, plucked):
        file = clips.ogg(clips.levelled(clips.sound(midi, 10)))
        assert loudness.integrated(decoded(file), clips.RATE) == pytest.approx(clips.TARGET, abs=0.1)
        assert len(file) < 10 * clips.BYTES_PER_S


def test_the_shortest_note_has_a_loudness() -> None:
    played = clips.sound(write_midi(piece_of([(60, 0, 1, 80, 0)], tempo_bpm=240)), 5)
    assert len(played) == clips.RATE // 2
    assert loudness.integrated(clips.levelled(played), clips.RATE) > -40


def test_what_would_clip_stays_softer() -> None:
    click = np.zeros(clips.RATE, np.float32)
    click[::4000] = 0.9
    assert np.abs(clips.levelled(click, 0)).max() == pytest.approx(clips.PEAK)
    assert (clips.levelled(np.zeros(clips.RATE, np.float32)) == 0).all()


def test_the_same_notes_give_the_same_sound() -> None:
    first, second = (clips.ogg(clips.sound(scale(60, 4), 2)) for _ in range(2))
    np.testing.assert_array_equal(decoded(first), decoded(second))


@pytest.mark.parametrize("midi", [b"", b"no MIDI", write_midi(piece_of([]))])
def test_what_cannot_be_heard_is_an_error(midi: bytes) -> None:
    with pytest.raises(MidiFault, match=r"not MIDI|no notes"):
        clips.sound(midi, 5)
