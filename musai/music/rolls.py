"""Piano rolls of a few monophonic voices: one class a voice and cell, which turns into notes without a threshold.

A cell is a sixteenth (3 steps). Classes of a voice at a cell: 0 = silent, 1 = the note before goes on, 2.. = a note of
pitch LOWEST + class - 2 begins. What does not sound cannot go on: a hold after silence is silence too.
"""

from __future__ import annotations

import numpy as np

from musai.errors import InputError
from musai.music.notes import STEPS_PER_QUARTER, Piece
from musai.music.tokens import VOICES, Part, piece_from, tokens_of

CELL = STEPS_PER_QUARTER // 4  # steps
LOWEST, HIGHEST = 36, 93
SILENT, HOLD, FIRST = 0, 1, 2
CLASSES = FIRST + HIGHEST - LOWEST + 1


def roll_of(piece: Piece, voices: int) -> np.ndarray:
    """int64 [voices, cells], a whole number of bars; onsets and ends at the nearest cell, at most half a cell off.

    Raises InputError where a pitch is out of LOWEST..HIGHEST, a bar is not whole cells or more voices sound.
    """
    rows, _ = tokens_of(piece)
    return roll_of_rows(rows, piece.bars, piece.bar_steps, voices)


def roll_of_rows(rows: np.ndarray, bars: int, bar_steps: int, voices: int) -> np.ndarray:
    """`roll_of` from the rows of `musai.music.tokens`."""
    pitch, voice = rows[:, 2].astype(int), rows[:, 1].astype(int)
    if bar_steps % CELL or (len(rows) and (pitch.min() < LOWEST or pitch.max() > HIGHEST)):
        raise InputError(f"pitches of {LOWEST} to {HIGHEST} and bars of whole sixteenths are due")
    if voice.max(initial=0) >= voices:
        raise InputError(f"more than {voices} voices")
    onset = np.cumsum(rows[:, 0].astype(int))
    start, stop = ((2 * steps + CELL) // (2 * CELL) for steps in (onset, onset + rows[:, 3] + 1))
    roll = np.full((voices, bars * bar_steps // CELL), SILENT)
    for note in np.lexsort((start, voice)):
        roll[voice[note], start[note] : max(stop[note], start[note] + 1)] = HOLD
        if start[note] < roll.shape[1]:
            roll[voice[note], start[note]] = FIRST + pitch[note] - LOWEST
    return roll


def notes_of_roll(
    roll: np.ndarray, parts: tuple[Part, ...], meter: tuple[int, int], tempo_bpm: float, velocity: int = 80
) -> Piece:
    """The piece of a roll [voices, cells]."""
    lines = np.asarray(roll)[:VOICES]
    width = lines.shape[1]
    stops = np.full((len(lines), width + 1), width)  # from each cell on the first one that goes on from none
    stops[:, :width] = np.where(lines != HOLD, np.arange(width), width)
    stops = np.minimum.accumulate(stops[:, ::-1], axis=1)[:, ::-1]
    cell, voice = np.nonzero(lines.T >= FIRST)
    length = (stops[voice, cell + 1] - cell) * CELL
    pitch = lines[voice, cell].astype(int) - FIRST + LOWEST
    rows = np.stack([np.diff(cell * CELL, prepend=0), voice, pitch, length - 1], axis=1)
    return piece_from(rows, parts, meter, tempo_bpm, velocity)
