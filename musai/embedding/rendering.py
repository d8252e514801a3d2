"""MIDI files to excerpts of sound, as `audio` makes them of sound files."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import soxr

from musai.embedding.audio import SAMPLE_RATE, Plan, Unusable, checked, filled
from musai.music import synthesis
from musai.music.midi import MidiFault, content_of, score_of

LEAD_IN_S = 2.0  # rendered before an excerpt and cut off, so that notes that sound at its start are heard


def read(path: pathlib.Path) -> Any:
    """The score in seconds. Raises Unusable for what is no MIDI file or has no notes."""
    try:
        content = content_of(path)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or error}") from error
    except MidiFault as error:
        raise Unusable(error.faults[0]) from error
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
    return np.asarray(soxr.resample(synthesis.mono(score), synthesis.RATE, SAMPLE_RATE), np.float32)


def excerpts(path: pathlib.Path, plan: Plan) -> np.ndarray:
    """As `audio.excerpts`: float32 [excerpts, plan.samples]. Controllers set before an excerpt are not heard in it."""
    score = read(path)
    duration_s = float(score.end())
    plan.check(duration_s)
    return checked(np.stack([_excerpt(score, start, plan) for start in plan.starts(duration_s)]))


def _excerpt(score: Any, start_s: float, plan: Plan) -> np.ndarray:
    lead_in_s = min(LEAD_IN_S, start_s)
    part = synthesis.excerpt(score, start_s - lead_in_s, start_s + plan.seconds)
    if part.note_num() == 0:
        return np.zeros(plan.samples, np.float32)
    sound = render(part)[round(lead_in_s * SAMPLE_RATE) :]
    sounds = sound[: plan.samples]
    if score.end() < plan.seconds:
        return filled(sounds, plan.samples)
    return np.pad(sounds, (0, plan.samples - len(sounds)))
