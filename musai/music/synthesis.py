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
SHORTEST_S = 0.001
HIGHEST_PITCH = 96  # C7, 2,093 Hz
INSTEAD = {78: 79}  # of the whistle the ocarina: the soundfont has its filter ring without end, to infinity


def soundfont() -> pathlib.Path:
    """The soundfont's path; pretty_midi itself is not imported. Raises MusaiError where it is missing."""
    spec = importlib.util.find_spec("pretty_midi")
    found = pathlib.Path(spec.origin).parent / SOUNDFONT if spec and spec.origin else None
    if found is None or not found.is_file():
        raise MusaiError(f"rendering MIDI: {SOUNDFONT} of the package pretty_midi is missing (pip install pretty_midi)")
    return found


def excerpt(score: Any, start_s: float, end_s: float) -> Any:
    """The notes of `score` (in seconds) that begin within a time, which becomes 0; what rings on is cut at its end."""
    part = score.clip(start_s, end_s, clip_end=False).shift_time(-start_s)  # True would leave out what rings on
    for track in part.tracks:
        for note in track.notes:
            note.duration = min(note.duration, max(end_s - start_s - note.start, SHORTEST_S))
    return part


def mono(score: Any) -> np.ndarray:
    """float32 [samples] at RATE: the mean of both sides; `score` in seconds, from its time 0."""
    return stereo(score).mean(axis=0, dtype=np.float32)


def stereo(score: Any) -> np.ndarray:
    """float32 [2, samples] at RATE; `score` likewise."""
    synthesizer = symusic.Synthesizer(soundfont(), RATE)  # takes 1 ms; one that has played plays otherwise afterwards
    return np.asarray(synthesizer.render(_playable(score), stereo=True), np.float32)


def _playable(score: Any) -> Any:
    """High notes an octave or more lower, and other instruments for those of INSTEAD.

    Where a note's step through a sample is longer than the sample's loop (the celesta's C8 at 16 kHz, say), symusic's
    synthesizer never ends.
    """
    pitched = [place for place, track in enumerate(score.tracks) if not track.is_drum]
    tracks = [score.tracks[place] for place in pitched]
    if all(t.program not in INSTEAD and all(note.pitch <= HIGHEST_PITCH for note in t.notes) for t in tracks):
        return score
    playable = score.copy()
    for place in pitched:
        track = playable.tracks[place]
        track.program = INSTEAD.get(track.program, track.program)
        for note in track.notes:
            note.pitch -= 12 * max(0, -(-(note.pitch - HIGHEST_PITCH) // 12))
    return playable
