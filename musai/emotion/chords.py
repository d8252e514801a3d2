"""What chords tell of a piece: their qualities, what the bass carries, how roots move, and the mode of each passage.

Major chords and thirds over the bass are heard as happy, minor and diminished ones as sad or tense (Gabrielsson and
Lindström, "The role of structure in the musical expression of emotions", 2010). A piece is cut into windows of half a
bar of four quarters; the chord of each is the pattern that its pitch classes are most like (Fujishima, "Realtime chord
recognition of musical sound", 1999).
"""

from __future__ import annotations

import numpy as np

from musai.music.keys import MAJOR_PROFILE, MAJOR_SCALE, MINOR_PROFILE, chroma
from musai.music.notes import STEPS_PER_QUARTER, Piece

WINDOW = 2 * STEPS_PER_QUARTER
MOST_WINDOWS = 4_000  # over an hour at 120; a longer piece is heard by its beginning
PASSAGE = 8  # windows over which a local key is heard: four bars
QUALITIES = {
    "major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8), "seventh": (0, 4, 7, 10),
    "minor_seventh": (0, 3, 7, 10), "major_seventh": (0, 4, 7, 11), "suspended": (0, 5, 7), "fifth": (0, 7),
}  # fmt: skip
ROOT_MOVES = (1, 2, 3, 5, 7, 10, 11)  # semitones up, modulo the octave
DEGREES = {"tonic": 0, "flat_second": 1, "subdominant": 5, "dominant": 7, "flat_sixth": 8, "flat_seventh": 10}
OVER_BASS = {"second": 1, "minor_third": 3, "major_third": 4, "tritone": 6}
BASS_STEPS = (0, 2, 5, 7, 9)  # of the bass over the tonic of the diatonic scale that fits best
PROFILES = np.stack([MAJOR_PROFILE, MINOR_PROFILE])


def _patterns() -> np.ndarray:
    """float64 [qualities, 12 roots, 12], each of length 1."""
    found = np.zeros((len(QUALITIES), 12, 12))
    for row, steps in enumerate(QUALITIES.values()):
        for root in range(12):
            found[row, root, [(root + step) % 12 for step in steps]] = len(steps) ** -0.5
    return found


PATTERNS = _patterns()


def chord_features(piece: Piece, tonic: int) -> dict[str, float]:
    """Name -> value of a piece of pitched notes, at least one: shares of windows and likenesses, 0..1."""
    sounding, bass = windows(piece)
    unit = sounding / np.linalg.norm(sounding, axis=1, keepdims=True)
    likeness = np.einsum("wc,qrc->wqr", unit, PATTERNS)
    best = likeness.reshape(len(unit), -1).argmax(1)
    quality, root = best // 12, best % 12
    highest = likeness.max(2)  # [windows, qualities]
    moves = np.diff(root) % 12
    over_bass = unit[np.arange(len(unit))[:, None], (bass[:, None] + list(OVER_BASS.values())) % 12]
    found = {f"chord_{name}": float((quality == n).mean()) for n, name in enumerate(QUALITIES)}
    major_less_minor = highest[:, 0] - highest[:, 1]
    found |= {
        "chord_majorness": float(major_less_minor.mean()),
        "chord_majorness_spread": float(major_less_minor.std()),
        "chord_diminished_likeness": float(highest[:, 2].mean()),
        "chord_clarity": float(highest.max(1).mean()),
        "chord_changes": float((moves != 0).mean()) if len(moves) else 0.0,
    }
    found |= {f"root_up_{move}": float((moves == move).mean()) if len(moves) else 0.0 for move in ROOT_MOVES}
    found |= {f"root_{name}": float((root == (tonic + step) % 12).mean()) for name, step in DEGREES.items()}
    found |= {f"over_bass_{name}": float(over_bass[:, n].mean()) for n, name in enumerate(OVER_BASS)}
    return found | _scale(piece, bass)


def windows(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """(steps that each pitch class sounds, float64 [windows, 12]; pitch class of the lowest note int [windows]) of the
    windows in which something sounds."""
    onset = piece.onset - piece.onset.min() // WINDOW * WINDOW
    stop = onset + piece.duration
    first, last = onset // WINDOW, np.minimum((stop - 1) // WINDOW, MOST_WINDOWS - 1)
    counts = np.maximum(last - first + 1, 0)
    note = np.repeat(np.arange(len(piece)), counts)
    window = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts)
    shared = np.minimum(stop[note], (window + 1) * WINDOW) - np.maximum(onset[note], window * WINDOW)
    sounding, bass = np.zeros((window.max() + 1, 12)), np.full(window.max() + 1, 128)
    np.add.at(sounding, (window, piece.pitch[note] % 12), shared)
    np.minimum.at(bass, window, piece.pitch[note])
    heard = bass < 128
    return sounding[heard], bass[heard] % 12


def _scale(piece: Piece, bass: np.ndarray) -> dict[str, float]:
    """Where bass and end lie in the diatonic scale that holds most of the piece; 0 is its major tonic, 9 its minor."""
    tonic = int(np.argmax(diatonic(chroma(piece))))
    step = (bass - tonic) % 12
    return {
        "ends_on_major_tonic": float((piece.pitch[piece.onset.argmax()] - tonic) % 12 == 0),
        **{f"bass_on_{n}": float((step == n).mean()) for n in BASS_STEPS},
        "bass_begins_major": float(step[0] == 0),
        "bass_begins_minor": float(step[0] == 9),
        "bass_ends_major": float(step[-1] == 0),
        "bass_ends_minor": float(step[-1] == 9),
    }


def mode_features(piece: Piece) -> dict[str, float]:
    """How like a major and a minor key the whole piece is, and its passages; name -> value as in `chord_features`."""
    sounding = windows(piece)[0]
    passages = np.add.reduceat(sounding, np.arange(0, len(sounding), PASSAGE), axis=0)
    major, minor = best_correlations(np.vstack([chroma(piece), passages])).T
    return {
        "major_likeness": float(major[0]),
        "minor_likeness": float(minor[0]),
        "majorness": float(major[0] - minor[0]),
        "local_majorness": float((major - minor)[1:].mean()),
        "diatonic": float(diatonic(chroma(piece)).max()),
        "local_key_clarity": float(np.maximum(major, minor)[1:].mean()),
    }


def diatonic(sounding: np.ndarray) -> np.ndarray:
    """The share [12] of what sounds [12] that each major scale holds."""
    return np.array([np.roll(sounding, -tonic)[list(MAJOR_SCALE)].sum() for tonic in range(12)]) / sounding.sum()


def best_correlations(sounding: np.ndarray) -> np.ndarray:
    """The highest correlation with a major and with a minor key, float64 [rows, 2], of pitch classes [rows, 12]; 0
    where all sound alike."""
    profiles = np.stack([[np.roll(one, tonic) for tonic in range(12)] for one in PROFILES])  # [2, 12, 12]
    profiles = profiles - profiles.mean(2, keepdims=True)
    centred = sounding - sounding.mean(1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1)[:, None] * np.linalg.norm(profiles[:, 0], axis=1)
    found = np.einsum("wc,mtc->wmt", centred, profiles).max(2)
    return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-9)
