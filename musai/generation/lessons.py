"""Training pieces as the arrays that a `NoteRNN` learns from, made by the same `Board` that sampling goes through."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from musai.generation.context import Board
from musai.music.notes import bar_steps
from musai.music.tokens import END, FIELDS

WINDOW = 256  # notes that are learnt in one go; the context of a later window still holds what came before


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A tokenised piece: rows int [n, 4] in a common tonic, and what was asked for."""

    name: str
    rows: np.ndarray
    style: str
    emotion: str
    meter: tuple[int, int]
    bars: int


def contexts(lessons: Sequence[Lesson]) -> dict[str, np.ndarray]:
    """Arrays [pieces, notes + 1, ...] by name; the last note of each piece is END, what follows it is not `learnt`."""
    meters = np.array([bar_steps(lesson.meter) for lesson in lessons])
    board = Board.empty(meters, np.array([lesson.bars for lesson in lessons]))
    longest = max(len(lesson.rows) for lesson in lessons) + 1
    rows = np.zeros((len(lessons), longest, len(FIELDS)), np.int64)
    learnt = np.zeros((len(lessons), longest), bool)
    for number, lesson in enumerate(lessons):
        rows[number, : len(lesson.rows)] = lesson.rows
        rows[number, len(lesson.rows)] = (END, 0, 0, 0)
        learnt[number, : len(lesson.rows) + 1] = True
    found: dict[str, list[np.ndarray]] = {}
    time = np.zeros(len(lessons), np.int64)
    for note in range(longest):
        step = _step(board, time, rows[:, note], learnt[:, note])
        for name, values in step.items():
            found.setdefault(name, []).append(values)
    return {"rows": rows, "learnt": learnt} | {name: np.stack(values, axis=1) for name, values in found.items()}


def _step(board: Board, time: np.ndarray, row: np.ndarray, learnt: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of one note of each piece; moves `time` and the board to after it."""
    shift, voice, pitch, duration = row.T
    seen = {f"before_{name}": values for name, values in board.place(time).items()}
    seen |= {"ahead": board.ahead(time), "before_began": board.began(time).astype(bool)}
    sounds = np.flatnonzero(learnt & (shift != END))
    moved = sounds[shift[sounds] > 0]
    board.move(moved, time[moved], shift[moved])
    time[sounds] += shift[sounds]
    seen |= board.place(time) | {"began": board.began(time).astype(bool), "sounding": board.sounding.astype(np.int64)}
    seen["back"], seen["length"] = board.back(time, voice)
    board.put(sounds, time[sounds], voice[sounds], pitch[sounds], duration[sounds] + 1)
    return {name: _small(values) for name, values in seen.items()}


def _small(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == bool else values.astype(np.int16)


def windows(
    lessons: Sequence[Lesson], data: dict[str, np.ndarray], batch: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """(pieces [b], arrays [b, WINDOW, ...]) over every window of every piece once, those of like length together."""
    pairs = [
        (number, start) for number, lesson in enumerate(lessons) for start in range(0, len(lesson.rows) + 1, WINDOW)
    ]
    length = {pair: min(len(lessons[pair[0]].rows) + 1 - pair[1], WINDOW) for pair in pairs}
    lots = random.random(len(pairs))
    drawn = [(length[pair] // 24, lot, pair) for lot, pair in zip(lots, pairs, strict=True)]
    ordered = [pair for *_, pair in sorted(drawn)]
    groups = [ordered[first : first + batch] for first in range(0, len(ordered), batch)]
    for place in random.permutation(len(groups)):
        group = groups[place]
        pieces = np.array([piece for piece, _ in group])
        columns = np.array([start for _, start in group])[:, None] + np.arange(max(length[pair] for pair in group))
        last = data["learnt"].shape[1] - 1
        arrays = {name: values[pieces[:, None], np.minimum(columns, last)] for name, values in data.items()}
        arrays["learnt"] = arrays["learnt"] & (columns <= last)
        first = data["rows"][pieces[:, None], np.clip(columns - 1, 0, last)]
        arrays["before"], arrays["first"] = first, columns == 0
        yield pieces, arrays
