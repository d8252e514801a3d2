"""The four quadrants of valence and arousal: of training tunes without labels, and how each is performed.

Of a tune nobody labelled, mode gives the valence and the density of notes the arousal, both of them the score's
strongest cues (Gabrielsson and Lindstroem, 2010). Tempo and loudness, which the scores do not state, are performance:
`PERFORMANCE` follows the cue table of Juslin and Laukka (2004).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from musai.generation.sanity import moves
from musai.music.keys import key_of
from musai.music.notes import STEPS_PER_QUARTER, Piece

EMOTIONS = "of each tune by mode (valence) and density of notes against its style's median (arousal)"
QUADRANTS = ("happy", "calm", "sad", "tense")
OPPOSITE = tuple(QUADRANTS.index(name) for name in ("sad", "tense", "happy", "calm"))  # of each, both signs turned


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


def performed(piece: Piece, emotion: str, seed: int) -> Piece:
    """The piece with the tempo, velocity and key of an emotion, drawn by the seed; the key as far as its instruments
    reach."""
    how, random = PERFORMANCE[emotion], np.random.default_rng([seed, 2])
    tempo = round(random.uniform(how.slowest, how.fastest))
    velocity = np.full(len(piece), how.velocity, np.int32)
    piece = dataclasses.replace(piece, tempo_bpm=tempo, velocity=velocity)
    down, up = moves(piece)
    move = int(random.integers(-3, 4)) + how.register
    return piece.transposed(min(max(move, down), up)) if len(piece) and down <= up else piece


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
