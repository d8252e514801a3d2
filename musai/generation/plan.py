"""What a night makes: so many tracks, even over styles and emotions, each with a seed and an id of its own."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from musai.config import Generation
from musai.generation.composer import Wish


def wishes(settings: Generation, styles: Sequence[str], seed: int, date: dt.date) -> dict[str, Wish]:
    """generated_id -> wish, for the styles of the configuration that the model knows.

    The id holds method, style, emotion, day and number; the seed follows from the id and the configuration's seed.
    """
    pairs = [(style, emotion) for emotion in settings.emotions for style in sorted(settings.styles) if style in styles]
    found = {}
    for number in range(settings.tracks if pairs else 0):
        style, emotion = pairs[number % len(pairs)]
        generated_id = f"rnn-{style}-{emotion}-{date:%Y%m%d}-{number:04d}"
        found[generated_id] = Wish(style, emotion, seed_of(generated_id, seed), settings.bars)
    return found


def seed_of(generated_id: str, seed: int) -> int:
    """48 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{generated_id}".encode()).digest()[:6], "little")
