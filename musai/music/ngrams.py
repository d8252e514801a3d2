"""Melodic n-grams that stay the same when a tune is transposed or stretched, as 32-bit hashes.

An element is (interval to the next note, class of the ratio of the two inter-onset times), of one line of notes: the
top notes of a track. A run of n hits in a row stands for n + N - 1 equal elements, that is n + N notes.
"""

from __future__ import annotations

import numpy as np

from musai.music.notes import Piece

N = 4  # elements of an n-gram: five notes
_RATIOS = np.log2([0.3, 0.45, 0.58, 0.8, 1.25, 1.75, 2.2, 3.3])  # borders between classes of ratios, 1/4 .. 4
_MULTIPLIER = 2654435761  # Knuth's, of multiplicative hashing


def lines(piece: Piece) -> list[tuple[np.ndarray, np.ndarray]]:
    """(pitch, onset) of the top line of each pitched track that has one, int64."""
    pitched, found = piece.pitched(), []
    for number in np.unique(pitched.track):
        part = pitched.of_track(int(number))
        first = np.flatnonzero(np.diff(part.onset, prepend=-1) > 0)  # the highest comes first in its onset
        found.append((part.pitch[first].astype(np.int64), part.onset[first].astype(np.int64)))
    return found


def hashes(pitch: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """uint32 [notes - N] of one line; empty where it has N notes or fewer."""
    gaps = np.diff(onset)
    if len(gaps) < N:
        return np.zeros(0, np.uint32)
    ratio = np.digitize(np.log2(gaps[1:] / gaps[:-1]), _RATIOS)
    element = (np.diff(pitch) + 128).astype(np.uint64) * 16
    element[1:] += ratio.astype(np.uint64)
    count = len(element) - N + 1
    code = element[:count] // 16 * 16  # the first ratio reaches back before the n-gram
    for offset in range(1, N):
        code = (code * np.uint64(4099) + element[offset : offset + count]) & np.uint64(0xFFFFFFFFFFFF)
    code = (code ^ (code >> np.uint64(23))) * np.uint64(_MULTIPLIER)
    return ((code >> np.uint64(16)) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def piece_hashes(piece: Piece) -> np.ndarray:
    """The hashes of all lines, one line after the other, uint32."""
    return np.concatenate([hashes(*line) for line in lines(piece)] or [np.zeros(0, np.uint32)])


def fingerprint(piece: Piece) -> str:
    """The same for two pieces that are one another transposed or at another tempo."""
    import hashlib

    return hashlib.sha256(b"|".join(sorted(hashes(*line).tobytes() for line in lines(piece)))).hexdigest()


def distinct(pieces: dict[str, Piece]) -> dict[str, Piece]:
    """The pieces without repetitions of one another (transposition and tempo aside), the first by name of each."""
    kept: dict[str, str] = {}
    for name in sorted(pieces):
        kept.setdefault(fingerprint(pieces[name]), name)
    return {name: pieces[name] for name in sorted(kept.values())}
