"""Copies as a model might hand them in: transposed, stretched, ornamented, voices reordered."""

from __future__ import annotations

import dataclasses

import numpy as np

from musai.music.notes import Piece, piece_of, sorted_piece


def transposed(piece: Piece) -> Piece:
    return piece.transposed(5 if piece.pitch.max() < 100 else -5)


def stretched(piece: Piece) -> Piece:
    """Half as fast."""
    return dataclasses.replace(piece, onset=piece.onset * 2, duration=piece.duration * 2)


def ornamented(piece: Piece) -> Piece:
    """Every 8th note of each track becomes a turn: the note, its upper neighbour, the note."""
    rows = []
    for track in range(len(piece.tracks)):
        part = piece.of_track(track)
        for number in range(len(part)):
            pitch, onset, length = int(part.pitch[number]), int(part.onset[number]), int(part.duration[number])
            loud = int(part.velocity[number])
            third = length // 3
            if number % 8 == 7 and third:
                for step, (move, steps) in enumerate(((0, third), (2, third), (0, length - 2 * third))):
                    rows.append((pitch + move, onset + step * third, steps, loud, track))
            else:
                rows.append((pitch, onset, length, loud, track))
    return piece_of(rows, piece.tracks, piece.meter, piece.tempo_bpm)


def reordered(piece: Piece) -> Piece:
    """The tracks in the opposite order, the upper half of them an octave lower."""
    count = len(piece.tracks)
    lower = np.where(piece.track < count // 2, -12, 0)
    moved = dataclasses.replace(
        piece, pitch=(piece.pitch + lower).astype(np.int32), track=count - 1 - piece.track, tracks=piece.tracks[::-1]
    )
    return sorted_piece(moved)


PLANTS = {"transposed": transposed, "stretched": stretched, "ornamented": ornamented, "voices reordered": reordered}
