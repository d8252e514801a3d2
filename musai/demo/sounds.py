"""The demo's sound: a MIDI file of every tune, and for some a short recording of it, made by our own synthesizer."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from musai.demo import scores
from musai.demo.catalogue import Tune

SOUND_EVERY, SOUND_S = 4, 15.0  # every fourth tune has sound beside its MIDI, its first seconds
PEAK = 0.7


def files(tunes: Iterable[Tune], corpus: Path | None = None) -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
    """(the files by name, track_id -> its columns audio_path and midi_path); the same bytes on every run."""
    found: dict[str, bytes] = {}
    columns: dict[str, dict[str, str]] = {}
    for number, tune in enumerate(tunes):
        score = scores.score(tune, corpus)
        paths = {"midi_path": f"midi/{tune.track_id}.mid", "audio_path": ""}
        found[paths["midi_path"]] = bytes(score.dumps_midi())
        if number % SOUND_EVERY == 0:
            paths["audio_path"] = f"sound/{tune.track_id}.flac"
            found[paths["audio_path"]] = flac(score)
        columns[tune.track_id] = paths
    return found, columns


def flac(score: Any) -> bytes:
    """The first seconds of a score in ticks, 16 kHz, mono, at an even level, faded out."""
    import soundfile

    from musai.embedding import rendering
    from musai.embedding.audio import SAMPLE_RATE
    from musai.music import synthesis

    start = synthesis.excerpt(score.to("second"), 0, SOUND_S)
    sound = rendering.render(start)[: round(SOUND_S * SAMPLE_RATE)]
    fade = np.minimum(1, np.arange(len(sound), 0, -1) / SAMPLE_RATE)
    level = PEAK / max(float(np.abs(sound).max(initial=0)), 1e-6)
    out = io.BytesIO()
    soundfile.write(out, sound * fade * level, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return out.getvalue()
