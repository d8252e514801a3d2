"""A piece as a sequence of compound tokens: one row of four classes a note, in the order in which notes begin.

Compound words (Hsiao et al., "Compound Word Transformer", AAAI 2021) with the time shift of REMI's successors instead
of bar and position, which follow from the meter. A voice is a monophonic line: a track that never holds two notes is
one voice, a track with chords owns several. Rows stand in the order of (onset, voice).

    shift     0..96   steps since the row before (the first row: since step 0)
    voice     0..7
    pitch     0..127  MIDI number
    duration  0..95   steps - 1
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from musai.errors import InputError
from musai.music.notes import Piece, Track, piece_of

LONGEST = 96  # steps of a shift or a duration: two bars of 4/4
VOICES = 8
END = LONGEST + 1  # the shift after which nothing comes
SIZES = {"shift": LONGEST + 2, "voice": VOICES, "pitch": 128, "duration": LONGEST}
FIELDS = tuple(SIZES)


@dataclasses.dataclass(frozen=True)
class Part:
    """A track and the voices it owns: `first` .. `first + voices - 1`."""

    track: Track
    first: int
    voices: int


def tokens_of(piece: Piece, voices: Sequence[int] | None = None) -> tuple[np.ndarray, tuple[Part, ...]]:
    """(rows int16 [n, 4], the parts). A note longer than LONGEST is cut to it.

    `voices`: how many each track owns; without, as many as it needs, and none where it has no note. Raises InputError
    where a rest is longer than LONGEST, or more notes sound at once than there are voices.
    """
    voice, parts = _voices(piece, voices)
    order = np.lexsort((voice, piece.onset))
    onset, voice = piece.onset[order], voice[order]
    shift = np.diff(onset, prepend=0)
    if shift.max(initial=0) > LONGEST:
        raise InputError(f"a rest of {shift.max()} steps")
    duration = np.minimum(piece.duration[order], LONGEST) - 1
    return np.stack([shift, voice, piece.pitch[order], duration], axis=1).astype(np.int16), parts


def piece_from(
    rows: np.ndarray, parts: Sequence[Part], meter: tuple[int, int], tempo_bpm: float, velocity: int = 80
) -> Piece:
    """The piece of rows [n, 4]; every note has one velocity."""
    table = np.asarray(rows, np.int32).reshape(-1, 4)
    track_of = np.zeros(VOICES, np.int32)
    for number, part in enumerate(parts):
        track_of[part.first : part.first + part.voices] = number
    loud = np.full(len(table), velocity)
    notes = [table[:, 2], np.cumsum(table[:, 0]), table[:, 3] + 1, loud, track_of[table[:, 1]]]
    return piece_of(np.stack(notes, axis=1), [part.track for part in parts], meter, tempo_bpm)


def _voices(piece: Piece, owned: Sequence[int] | None) -> tuple[np.ndarray, tuple[Part, ...]]:
    """The voice of each note, int [n]: in its track the lowest that is free, notes taken from high to low."""
    voice, parts, first = np.zeros(len(piece), np.int64), [], 0
    for number, track in enumerate(piece.tracks):
        chosen = np.flatnonzero(piece.track == number)
        free_at: list[int] = []
        for note in chosen:  # in order of (onset, -pitch)
            onset, stop = int(piece.onset[note]), int(piece.onset[note] + piece.duration[note])
            slot = next((place for place, free in enumerate(free_at) if free <= onset), len(free_at))
            free_at[slot : slot + 1] = [stop]
            voice[note] = first + slot
        own = len(free_at) if owned is None else owned[number]
        if len(free_at) > own:
            raise InputError(f"{len(free_at)} voices of a track at once")
        if own:
            parts.append(Part(track, first, own))
            first += own
    if first > VOICES:
        raise InputError(f"{first} voices at once")
    return voice, tuple(parts)
