"""The key of a piece by the profiles of Krumhansl and Kessler (1982), and moving it to a common tonic."""

from __future__ import annotations

import dataclasses

import numpy as np

from musai.music.notes import Piece

MAJOR_PROFILE = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR_PROFILE = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclasses.dataclass(frozen=True)
class Key:
    """`tonic` 0 = C .. 11; `correlation` with the profile, -1..1; `margin` over the best key of the other mode."""

    tonic: int
    minor: bool
    correlation: float
    margin: float

    @property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the (natural minor or major) scale."""
        return tuple((self.tonic + step) % 12 for step in (MINOR_SCALE if self.minor else MAJOR_SCALE))


def chroma(piece: Piece) -> np.ndarray:
    """Steps that each pitch class sounds, float64 [12]; without drums."""
    pitched = piece.pitched()
    return np.bincount(pitched.pitch % 12, weights=pitched.duration, minlength=12).astype(float)


def key_of(piece: Piece) -> Key:
    """The key whose profile correlates best with how long each pitch class sounds; C major where all are equal."""
    sounding = chroma(piece)
    if np.ptp(sounding) == 0:
        return Key(0, False, 0.0, 0.0)
    scores = correlations(sounding[None])[0]
    mode, tonic = np.unravel_index(int(scores.argmax()), scores.shape)
    return Key(int(tonic), bool(mode), float(scores.max()), float(scores[mode].max() - scores[1 - mode].max()))


def correlations(sounding: np.ndarray) -> np.ndarray:
    """Of the chroma of n pieces [n, 12] with the profile of each mode and tonic: float [n, 2, 12]; 0 where all pitch
    classes are equal."""
    centred = sounding - sounding.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    found: np.ndarray = (centred / np.where(spread, spread, 1.0)) @ _TURNED.T / 12
    return found.reshape(-1, 2, 12)


# By mode and tonic, [24, 12]: the profile on that tonic, of mean 0 and deviation 1.
_TURNED = np.array(
    [
        np.roll((profile - profile.mean()) / profile.std(), tonic)
        for profile in (MAJOR_PROFILE, MINOR_PROFILE)
        for tonic in range(12)
    ]
)


def to_common_tonic(piece: Piece, key: Key | None = None) -> tuple[Piece, int]:
    """The piece in C major or A minor by the smallest move, and the semitones that take it back."""
    found = key or key_of(piece)
    target = 9 if found.minor else 0
    move = (target - found.tonic + 6) % 12 - 6
    return piece.transposed(move), -move
