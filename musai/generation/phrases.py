"""Pieces as bars of rolls, and the phrases of four bars in them that a GAN learns from.

A bar has BAR_CELLS cells whatever its meter; those beyond it are silent. A form says which bars of a piece are equal:
`form[b]` is the first bar that is equal to bar b.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musai.errors import InputError
from musai.generation.lessons import Lesson, form_of
from musai.generation.quadrants import QUADRANTS
from musai.generation.sanity import near_bar_line
from musai.music.notes import bar_steps
from musai.music.rolls import CELL, FIRST, HIGHEST, LOWEST, SILENT, roll_of_rows

PHRASE_BARS = 4
BAR_CELLS = 16
PARTS = ("opening", "middle", "closing")
FORM_BARS = 16
USUAL = (10, 90)  # percentiles; inside what `musai.generation.sanity` lets through, for bars may come out equal
SCARCE = 1_000  # phrases at whole numbers of phrases, below which a style's phrases begin at every bar


def cells_of(meter: tuple[int, int]) -> int:
    """Cells of a bar. Raises InputError where it is longer than BAR_CELLS or no whole cells."""
    steps = bar_steps(meter)
    if steps % CELL or steps > BAR_CELLS * CELL:
        raise InputError(f"a bar of {meter[0]}/{meter[1]} is not 1 to {BAR_CELLS} whole sixteenths")
    return steps // CELL


def bars_of(lesson: Lesson, voices: int) -> np.ndarray:
    """int8 [bars, BAR_CELLS, voices]; a pitch beyond the rolls' is in the next octave there. Raises InputError as
    `cells_of` and `roll_of_rows`."""
    cells = cells_of(lesson.meter)
    rows = lesson.rows.copy()
    rows[:, 2] += 12 * (-(-np.maximum(LOWEST - rows[:, 2], 0) // 12) + np.minimum(HIGHEST - rows[:, 2], 0) // 12)
    roll = roll_of_rows(rows, lesson.bars, bar_steps(lesson.meter), voices)
    bars = np.full((lesson.bars, BAR_CELLS, voices), SILENT, np.int8)
    bars[:, :cells] = roll.T.reshape(lesson.bars, cells, voices)
    return bars


def roll_of_bars(bars: np.ndarray, meter: tuple[int, int]) -> np.ndarray:
    """int [voices, cells] of a piece from its bars [bars, BAR_CELLS, voices]."""
    return np.concatenate(list(bars[:, : cells_of(meter)])).T


def forms(lessons: Sequence[Lesson], most: int = 512) -> list[tuple[int, ...]]:
    """The forms of the first FORM_BARS bars, and of an upbeat before them, of pieces that are as long; `most` of them,
    evenly over the pieces."""
    long = [one for one in lessons if one.bars >= FORM_BARS + one.upbeat]
    step = max(len(long) / most, 1.0)
    chosen = [long[int(number * step)] for number in range(min(most, len(long)))]
    return [form_of(one)[: FORM_BARS + one.upbeat] for one in chosen]


def drawn_form(known: Sequence[Sequence[int]], bars: int, random: np.random.Generator) -> list[int]:
    """The form of `bars` bars, and of one more before them where it begins with an upbeat: one of the known forms after
    the other, none that repeats more or fewer bars than USUAL of them; without any, all bars differ."""
    distinct = np.array([len(set(form)) for form in known])
    low, high = np.percentile(distinct, USUAL) if len(known) else (0, 0)
    usual = [form for form, count in zip(known, distinct, strict=True) if low <= count <= high]
    found: list[int] = []
    upbeat = 0
    while len(found) < bars + upbeat:
        drawn = usual[int(random.integers(len(usual)))] if usual else range(FORM_BARS)
        if not found:
            upbeat = len(drawn) - FORM_BARS
            usual = [form for form in usual if len(form) == len(drawn)]
        again = upbeat if found else 0  # bars of a later form, whose upbeat is in the bar before it
        begins = len(found) - again
        found += [begins + place for place in drawn[again:]]
    return found[: bars + upbeat]


def phrases(pieces: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(rolls int8 [n, (1 + PHRASE_BARS) BAR_CELLS, voices]: the bar before, silent at the start, and the phrase; the
    place of each one's piece; the bar it begins with; its place in PARTS) of pieces [bars, BAR_CELLS, voices]."""
    whole = sum(len(bars) // PHRASE_BARS for bars in pieces)
    step = PHRASE_BARS if whole >= SCARCE else 1
    found, owner, first, part = [], [], [], []
    for number, bars in enumerate(pieces):
        padded = np.concatenate([np.full_like(bars[:1], SILENT), bars])
        last = len(bars) - PHRASE_BARS
        for start in sorted({*range(0, last, step), last}) if last >= 0 else ():
            found.append(np.concatenate(list(padded[start : start + 1 + PHRASE_BARS])))
            owner.append(number)
            first.append(start)
            part.append(0 if start == 0 else 2 if start == last else 1)
    return np.array(found, np.int8), np.array(owner), np.array(first), np.array(part)


def fitting(rolls: np.ndarray, cells: int, part: str, returns: bool = False) -> np.ndarray:
    """bool [n]: which of rolls [n, PHRASE_BARS, BAR_CELLS, voices], in bars of so many cells, have a note in the first
    bar, where they open a piece, or end near a bar line, where they close one. A first bar that `returns` in the piece
    is no upbeat: it begins with a note."""
    sounds = (rolls[:, :, :cells] != SILENT).any(axis=3).reshape(len(rolls), -1)
    found: np.ndarray
    if part == "opening":
        found = np.asarray((rolls[:, 0, : 1 if returns else cells] >= FIRST).any(axis=(1, 2)))
    elif part == "closing":
        end = sounds.shape[1] - sounds[:, ::-1].argmax(axis=1)
        found = sounds.any(axis=1) & near_bar_line(end, np.zeros(1, int), np.array(cells))
    else:
        found = np.ones(len(rolls), bool)
    return found


def asked_of(
    lessons: Sequence[Lesson], part: np.ndarray, styles: Sequence[str], meters: Sequence[tuple[int, int]]
) -> np.ndarray:
    """int64 [n, 4]: style, emotion, meter and part, by number."""
    told = [(styles.index(one.style), QUADRANTS.index(one.emotion), meters.index(one.meter)) for one in lessons]
    return np.concatenate([np.array(told, np.int64).reshape(-1, 3), part[:, None]], axis=1)
