"""MIDI to sound with symusic's synthesizer and the soundfont that comes in the pretty_midi package."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import numpy as np
import soxr
import symusic

from musai.embedding.audio import SAMPLE_RATE, Plan, Unusable, checked, filled
from musai.errors import MusaiError
from musai.music.midi import MidiFault, score_of

SOUNDFONT = "TimGM6mb.sf2"
RATE = 44_100  # of the synthesizer, then resampled; see _playable
HIGHEST_PITCH = 96  # C7, 2,093 Hz
LEAD_IN_S = 2.0  # rendered before an excerpt and cut off, so that notes that sound at its start are heard


def soundfont() -> pathlib.Path:
    """The soundfont's path; pretty_midi itself is not imported. Raises MusaiError where it is missing."""
    spec = importlib.util.find_spec("pretty_midi")
    found = pathlib.Path(spec.origin).parent / SOUNDFONT if spec and spec.origin else None
    if found is None or not found.is_file():
        raise MusaiError(f"rendering MIDI: {SOUNDFONT} of the package pretty_midi is missing (pip install pretty_midi)")
    return found


def read(path: pathlib.Path) -> Any:
    """The score in seconds. Raises Unusable for what is no MIDI file or has no notes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or error}") from error
    if not content:
        raise Unusable("empty file")
    try:
        score = score_of(content, "second")
    except MidiFault as error:
        raise Unusable("no MIDI file that can be read") from error
    if score.note_num() == 0:
        raise Unusable("no notes")
    return score


def render(score: Any) -> np.ndarray:
    """float32 [samples], mono, 16 kHz; `score` in seconds, from its time 0."""
    synthesizer = symusic.Synthesizer(soundfont(), RATE)  # takes 1 ms; one that has played keeps its channels' state
    stereo = np.asarray(synthesizer.render(_playable(score), stereo=True), np.float32)
    return np.asarray(soxr.resample(stereo.mean(axis=0), RATE, SAMPLE_RATE), np.float32)


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


def excerpts(path: pathlib.Path, plan: Plan) -> np.ndarray:
    """As `audio.excerpts`: float32 [excerpts, plan.samples]. Controllers set before an excerpt are not heard in it."""
    score = read(path)
    duration_s = float(score.end())
    plan.check(duration_s)
    return checked(np.stack([_excerpt(score, start, plan) for start in plan.starts(duration_s)]))


def _excerpt(score: Any, start_s: float, plan: Plan) -> np.ndarray:
    lead_in_s = min(LEAD_IN_S, start_s)
    part = score.clip(start_s - lead_in_s, start_s + plan.seconds, clip_end=True)
    if part.note_num() == 0:
        return np.zeros(plan.samples, np.float32)
    sound = render(part.shift_time(lead_in_s - start_s))[round(lead_in_s * SAMPLE_RATE) :]
    sounds = sound[: plan.samples]
    if score.end() < plan.seconds:
        return filled(sounds, plan.samples)
    return np.pad(sounds, (0, plan.samples - len(sounds)))
