"""Training pieces as the arrays that a `NoteRNN` learns from, made by the same `Board` that sampling goes through."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from musai.generation.context import Board, told
from musai.music.notes import bar_steps
from musai.music.tokens import END, FIELDS

PHRASE = 4  # bars
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

    @property
    def upbeat(self) -> bool:
        """Whether it begins in the second half of its first bar: that bar is one more than its phrases have."""
        return bool(2 * int(self.rows[0, 0]) >= bar_steps(self.meter))


def form_of(lesson: Lesson) -> tuple[int, ...]:
    """For each bar the first one that equals it by place, voice, pitch and length of its notes."""
    return same_bars([notes.tobytes() for notes in _bars(lesson)])


def same_bars(contents: Sequence[bytes]) -> tuple[int, ...]:
    """For each the number of the first one that equals it."""
    first: dict[bytes, int] = {}
    return tuple(first.setdefault(content, number) for number, content in enumerate(contents))


def _bars(lesson: Lesson) -> list[np.ndarray]:
    """Of each bar int [notes, 4]: place, voice, pitch, length."""
    onset, steps = np.cumsum(lesson.rows[:, 0], dtype=int), bar_steps(lesson.meter)
    notes = np.column_stack([onset % steps, lesson.rows[:, 1:]])
    return [notes[onset // steps == bar] for bar in range(lesson.bars)]


def _plan(lesson: Lesson) -> np.ndarray:
    """As `told`. The last bar, whose last note rings on, passes for that of an earlier phrase which begins like it."""
    form, bars = list(form_of(lesson)), _bars(lesson)
    closing = bars[-1][:, :3]
    for earlier in range(lesson.bars - 1 - PHRASE, -1, -PHRASE) if len(closing) and form[-1] == lesson.bars - 1 else ():
        if np.array_equal(bars[earlier][: len(closing), :3], closing):
            form[-1] = form[earlier]
            break
    return told(form, lesson.upbeat)


def contexts(lessons: Sequence[Lesson]) -> dict[str, np.ndarray]:
    """Arrays [pieces, notes + 1, ...] by name; the last note of each piece is END, what follows it is not `learnt`."""
    meters = np.array([bar_steps(lesson.meter) for lesson in lessons])
    board = Board.empty(meters, [_plan(lesson) for lesson in lessons])
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
