"""A piece of music as notes on a grid: one array a property, in units that every other module shares.

A step is 1/12 of a quarter note, so that sixteenths (3) and triplets (4) both fall on the grid; pitches are MIDI
numbers, velocities 1..127, tempo quarter notes a minute.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

STEPS_PER_QUARTER = 12


@dataclasses.dataclass(frozen=True)
class Track:
    """`program`: General MIDI, 0..127; of drums it says nothing."""

    name: str
    program: int = 0
    drum: bool = False


@dataclasses.dataclass(frozen=True)
class Piece:
    """Notes in order of (onset, track, pitch from high to low), each an int32 [n]; one meter and one tempo.

    `onset` >= 0 and `duration` >= 1 are in steps; `track` is a place in `tracks`. A pickup lies at the end of bar 0,
    so that every bar line is a multiple of `bar_steps`.
    """

    pitch: np.ndarray
    onset: np.ndarray
    duration: np.ndarray
    velocity: np.ndarray
    track: np.ndarray
    tracks: tuple[Track, ...]
    meter: tuple[int, int] = (4, 4)
    tempo_bpm: float = 120.0

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def bar_steps(self) -> int:
        return bar_steps(self.meter)

    @functools.cached_property
    def end(self) -> int:
        """The step at which the last note ends; 0 without notes."""
        return int((self.onset + self.duration).max(initial=0))

    @property
    def bars(self) -> int:
        return -(-self.end // self.bar_steps)

    @functools.cached_property
    def melody(self) -> Piece:
        """The highest pitched note at each onset."""
        pitched = self.pitched()
        order = np.lexsort((-pitched.pitch, pitched.onset))
        first = np.ones(len(order), bool)
        first[1:] = np.diff(pitched.onset[order]) > 0
        return pitched.where(order[first])

    @property
    def duration_s(self) -> float:
        return self.end / STEPS_PER_QUARTER * 60 / self.tempo_bpm

    def of_track(self, track: int) -> Piece:
        """The notes of one track; the list of tracks stays."""
        return self.where(self.track == track)

    def where(self, chosen: np.ndarray) -> Piece:
        """The notes that a bool [n] or an index array chooses."""
        arrays = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return dataclasses.replace(self, **arrays)

    def pitched(self) -> Piece:
        """Without the drums."""
        drums = np.array([track.drum for track in self.tracks], bool)
        return self.where(~drums[self.track]) if drums.any() else self

    def transposed(self, semitones: int) -> Piece:
        """Every pitched note higher by `semitones`; ValueError where one leaves 0..127."""
        drums = np.array([track.drum for track in self.tracks], bool)[self.track]
        pitch = np.where(drums, self.pitch, self.pitch + semitones).astype(np.int32)
        if len(pitch) and not (pitch.min() >= 0 and pitch.max() <= 127):
            raise ValueError(f"{semitones} semitones take a note out of 0..127")
        return sorted_piece(dataclasses.replace(self, pitch=pitch))

    def excerpt(self, first_bar: int, bars: int) -> Piece:
        """The notes that begin in some bars, from step 0 on; what rings beyond them is cut."""
        start, stop = first_bar * self.bar_steps, (first_bar + bars) * self.bar_steps
        part = self.where((self.onset >= start) & (self.onset < stop))
        duration = np.minimum(part.duration, stop - part.onset).astype(np.int32)
        return dataclasses.replace(part, onset=part.onset - start, duration=duration)


ARRAYS = ("pitch", "onset", "duration", "velocity", "track")


def bar_steps(meter: tuple[int, int]) -> int:
    """Steps of one bar: 48 in 4/4, 36 in 3/4 and 6/8."""
    numerator, denominator = meter
    return numerator * 4 * STEPS_PER_QUARTER // denominator


def piece_of(
    rows: Sequence[Sequence[int]] | np.ndarray,
    tracks: Sequence[Track] = (Track("melody"),),
    meter: tuple[int, int] = (4, 4),
    tempo_bpm: float = 120.0,
) -> Piece:
    """A piece from rows of (pitch, onset, duration, velocity, track) in any order."""
    table = np.asarray(rows, np.int32).reshape(-1, len(ARRAYS))
    arrays = {name: table[:, column] for column, name in enumerate(ARRAYS)}
    return sorted_piece(Piece(**arrays, tracks=tuple(tracks), meter=meter, tempo_bpm=tempo_bpm))


def sorted_piece(piece: Piece) -> Piece:
    """In the order that a piece has; of a pitch twice at once the shorter note first."""
    place = (piece.onset.astype(np.int64) << 24) + (piece.track << 8) - piece.pitch
    bits = int(piece.duration.max(initial=1)).bit_length()
    if int(piece.onset.max(initial=0)) >> (62 - 24 - bits):
        order = np.lexsort((piece.duration, place))
    else:  # one key sorts faster than two
        order = np.argsort((place << bits) + piece.duration, kind="stable")
    return dataclasses.replace(piece, **{name: getattr(piece, name).take(order) for name in ARRAYS})


def joined(pieces: Sequence[Piece]) -> Piece:
    """Pieces of the same tracks, meter and tempo one after the other, each from a bar line on."""
    arrays: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    start = 0
    for piece in pieces:
        for name in ARRAYS:
            arrays[name].append(getattr(piece, name) + (start if name == "onset" else 0))
        start += piece.bars * piece.bar_steps
    whole: dict[str, Any] = {name: np.concatenate(parts).astype(np.int32) for name, parts in arrays.items()}
    return sorted_piece(dataclasses.replace(pieces[0], **whole))


def melody(piece: Piece) -> Piece:
    """The highest pitched note at each onset."""
    return piece.melody


def skyline(piece: Piece) -> Piece:
    """The melody without what begins below a note of it that still sounds: of a choir the soprano."""
    top = melody(piece)
    kept, pitch, until = np.zeros(len(top), bool), -1, 0
    for note in range(len(top)):
        if top.onset[note] >= until or top.pitch[note] > pitch:
            kept[note] = True
            pitch, until = int(top.pitch[note]), int(top.onset[note] + top.duration[note])
    return top.where(kept)
