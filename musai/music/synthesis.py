"""Notes to sound with symusic's synthesizer and the soundfont that comes in the pretty_midi package."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import numpy as np
import symusic

from musai.errors import MusaiError

SOUNDFONT = "TimGM6mb.sf2"
RATE = 44_100  # Hz, of the synthesizer
HIGHEST_PITCH = 96  # C7, 2,093 Hz


def soundfont() -> pathlib.Path:
    """The soundfont's path; pretty_midi itself is not imported. Raises MusaiError where it is missing."""
    spec = importlib.util.find_spec("pretty_midi")
    found = pathlib.Path(spec.origin).parent / SOUNDFONT if spec and spec.origin else None
    if found is None or not found.is_file():
        raise MusaiError(f"rendering MIDI: {SOUNDFONT} of the package pretty_midi is missing (pip install pretty_midi)")
    return found


def mono(score: Any) -> np.ndarray:
    """float32 [samples] at RATE: the mean of both sides; `score` in seconds, from its time 0."""
    return stereo(score).mean(axis=0, dtype=np.float32)


def stereo(score: Any) -> np.ndarray:
    """float32 [2, samples] at RATE; `score` likewise."""
    synthesizer = symusic.Synthesizer(soundfont(), RATE)  # takes 1 ms; one that has played plays otherwise afterwards
    return np.asarray(synthesizer.render(_playable(score), stereo=True), np.float32)


def _playable(score: Any) -> Any:
    """High notes an octave or more lower. Where a note's step through a sample is longer than the sample's loop (the
    celesta's C8 at 16 kHz, say), symusic's synthesizer never ends."""
    if all(note.pitch <= HIGHEST_PITCH for track in score.tracks if not track.is_drum for note in track.notes):
        return score
    lowered = score.copy()
    for track in lowered.tracks:
        for note in track.notes if not track.is_drum else ():
            note.pitch -= 12 * max(0, -(-(note.pitch - HIGHEST_PITCH) // 12))
    return lowered
