"""The four quadrants of valence and arousal: of training tunes without labels, and how each is performed.

Of a tune nobody labelled, mode gives the valence and the density of notes the arousal, both of them the score's
strongest cues (Gabrielsson and Lindstroem, 2010). Tempo and loudness, which the scores do not state, are performance:
`PERFORMANCE` follows the cue table of Juslin and Laukka (2004).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from musai.music.keys import key_of
from musai.music.notes import STEPS_PER_QUARTER, Piece

QUADRANTS = ("happy", "calm", "sad", "tense")


@dataclasses.dataclass(frozen=True)
class Performance:
    """Tempo in quarter notes a minute, drawn evenly between two bounds; MIDI velocity; semitones from the middle."""

    slowest: float
    fastest: float
    velocity: int
    register: int


PERFORMANCE = {
    "happy": Performance(120, 152, 92, 2),
    "calm": Performance(66, 88, 62, 0),
    "sad": Performance(56, 76, 54, -3),
    "tense": Performance(124, 160, 104, -1),
}


def density(piece: Piece) -> float:
    """Onsets a quarter note, over all voices together."""
    return len(np.unique(piece.onset)) * STEPS_PER_QUARTER / max(piece.end, 1)


def quadrants(pieces: Mapping[str, Piece]) -> dict[str, str]:
    """Quadrant by name, for the pieces of one style: denser than their median is aroused."""
    dense = {name: density(piece) for name, piece in pieces.items()}
    middle = float(np.median(list(dense.values()))) if dense else 0.0
    return {name: quadrant(not key_of(piece).minor, dense[name] >= middle) for name, piece in pieces.items()}


def quadrant(pleasant: bool, aroused: bool) -> str:
    if pleasant:
        return "happy" if aroused else "calm"
    return "tense" if aroused else "sad"
