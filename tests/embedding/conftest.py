"""Sound and MIDI made in the tests."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import soundfile
import symusic


def tone(seconds: float, hz: float = 440.0, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    """[samples, channels] float64, a sine of half amplitude, the same in every channel."""
    sine = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(sine[:, None], channels, axis=1)


@pytest.fixture
def sound_file(tmp_path: pathlib.Path):
    """Writes a tone as a file of the given name; more keywords go to `tone`."""

    def written(name: str, seconds: float = 6.0, subtype: str | None = None, **of_tone) -> pathlib.Path:
        path = tmp_path / name
        soundfile.write(path, tone(seconds, **of_tone), of_tone.get("rate", 16_000), subtype=subtype)
        return path

    return written


def score_of(pitches: list[int], seconds_each: float = 0.5, program: int = 0):
    """A score in seconds: one note after the other."""
    score = symusic.Score(480, "second")
    track = symusic.Track("", program, False, ttype="second")
    for place, pitch in enumerate(pitches):
        track.notes.append(symusic.Note(place * seconds_each, seconds_each, pitch, 100, "second"))
    score.tracks.append(track)
    return score


@pytest.fixture
def midi_file(tmp_path: pathlib.Path):
    """Writes notes, one after the other, as a MIDI file of the given name."""

    def written(name: str, pitches: list[int], seconds_each: float = 0.5, program: int = 0) -> pathlib.Path:
        path = tmp_path / name
        path.write_bytes(score_of(pitches, seconds_each, program).to("tick").dumps_midi())
        return path

    return written
