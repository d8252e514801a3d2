"""Tracks of many voices with fewer: a piano's chords keep their outer notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from musai.music.notes import Piece, sorted_piece


def at_once(piece: Piece) -> list[int]:
    """The most notes that sound at one time in each track."""
    found = []
    for track in range(len(piece.tracks)):
        part = piece.of_track(track)
        change = np.zeros(part.end + 1, np.int64)
        np.add.at(change, part.onset, 1)
        np.add.at(change, part.onset + part.duration, -1)
        found.append(int(change.cumsum().max(initial=0)))
    return found


def thinned(piece: Piece, most: Sequence[int]) -> Piece:
    """The piece with `most[track]` notes of a track at once and no more.

    Of notes that begin together the highest ones and the lowest stay; of those that still sound then, the ones that
    began first are cut.
    """
    duration, kept = piece.duration.copy(), np.ones(len(piece), bool)
    for track, room in enumerate(most):
        sounding: list[int] = []
        notes = np.flatnonzero(piece.track == track)  # in order of (onset, -pitch)
        for together in np.split(notes, np.flatnonzero(np.diff(piece.onset[notes])) + 1):
            begun, now = list(together), piece.onset[together[:1]]
            if len(begun) > room:
                stay = begun[: room - 1] + begun[-1:] if room else []
                kept[[note for note in begun if note not in stay]] = False
                begun = stay
            sounding = [note for note in sounding if piece.onset[note] + duration[note] > now]
            for note in sounding[: max(len(sounding) + len(begun) - room, 0)]:
                duration[note] = now[0] - piece.onset[note]
            sounding = sounding[max(len(sounding) + len(begun) - room, 0) :] + begun
    return sorted_piece(dataclasses.replace(piece, duration=duration).where(kept))
