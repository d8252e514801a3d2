"""Short clips to listen to in a browser: mono Ogg Vorbis of equal loudness.

Vorbis keeps the loudness to .02 LU at this size, where libsndfile's MP3 loses .4 to 1.4.
"""

from __future__ import annotations

import io
import math

import numpy as np
import soundfile
import soxr

from musai.music import loudness, synthesis
from musai.music.midi import MidiFault, score_of

RATE = 24_000  # Hz
BYTES_PER_S = 4_300  # about; music of many voices needs more than a tune
SMALLNESS = 0.9  # of 0 to 1, for libsndfile
TARGET = -23.0  # LUFS, EBU R 128
PEAK = 10 ** (-1 / 20)  # of full scale: what the coder adds to a peak must not clip
FADE_S = 0.5


def sound(midi: bytes, seconds: float) -> np.ndarray:
    """float32 [samples], mono at RATE: at most so many seconds from the first note on, faded out at the end.

    Half a second at least, so that it has a loudness. Raises MidiFault for what is no MIDI or has no notes.
    """
    score = score_of(midi, "second")
    if not score.note_num():
        raise MidiFault("no notes")
    score = score.shift_time(-min(float(track.notes[0].time) for track in score.sort().tracks if len(track.notes)))
    cut = synthesis.excerpt(score, 0, seconds)
    played = np.asarray(soxr.resample(synthesis.mono(cut), synthesis.RATE, RATE), np.float32)[: round(seconds * RATE)]
    return faded(np.pad(played, (0, max(RATE // 2 - len(played), 0))))


def faded(played: np.ndarray) -> np.ndarray:
    """The same with its last FADE_S going down to silence."""
    fade = min(round(FADE_S * RATE), len(played))
    shape = np.ones(len(played), np.float32)
    shape[len(played) - fade :] = np.linspace(1, 0, fade)
    return played * shape


def gain_to(played: np.ndarray, target: float = TARGET) -> float:
    """The factor that brings a sound to `target` LUFS; 1 for silence."""
    heard = loudness.integrated(played, RATE)
    return 1.0 if math.isinf(heard) else 10 ** ((target - heard) / 20)


def levelled(played: np.ndarray, target: float = TARGET) -> np.ndarray:
    """The same at `target` LUFS, or as near to it as its peak allows."""
    loudest = float(np.abs(played).max(initial=0))
    gain = gain_to(played, target)
    return (played * min(gain, PEAK / loudest if loudest else gain)).astype(np.float32)


def ogg(played: np.ndarray) -> bytes:
    """An Ogg Vorbis file; libsndfile gives each stream a number of its own, so that bytes differ from call to call."""
    file = io.BytesIO()
    soundfile.write(file, played, RATE, format="OGG", subtype="VORBIS", compression_level=SMALLNESS)
    return file.getvalue()
