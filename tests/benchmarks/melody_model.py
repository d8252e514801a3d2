"""How surprising a melody is to a language model that has read only real pieces: nats a note.

An n-gram model of (interval, time to the next onset), each conditioned on the ORDER elements before, interpolated
down to the uniform distribution as Witten and Bell (1991) have it: a context that was followed by many different
elements trusts itself less.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable

import numpy as np

from musai.music.notes import Piece, melody

ORDER = 4
WIDEST = 24  # semitones; wider intervals are of one class
LONGEST = 96  # steps: two bars of 4/4
CLASSES = (2 * WIDEST + 1) * (LONGEST + 1)

Element = tuple[int, int]


class MelodyModel:
    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._counts: dict[tuple[Element, ...], collections.Counter[Element]] = collections.defaultdict(
            collections.Counter
        )
        for piece in pieces:
            line = elements(piece)
            for place, element in enumerate(line):
                for length in range(min(ORDER, place) + 1):
                    self._counts[tuple(line[place - length : place])][element] += 1

    def nats(self, piece: Piece) -> float:
        """Mean of -log p over the melody's elements; NaN for a melody of one note."""
        line = elements(piece)
        if not line:
            return math.nan
        return -float(np.mean([math.log(self._probability(line, place)) for place in range(len(line))]))

    def _probability(self, line: list[Element], place: int) -> float:
        found = 1 / CLASSES
        for length in range(min(ORDER, place) + 1):
            counts = self._counts.get(tuple(line[place - length : place]))
            if counts is None:
                break
            found = (counts[line[place]] + len(counts) * found) / (counts.total() + len(counts))
        return found


def elements(piece: Piece) -> list[Element]:
    line = melody(piece)
    intervals = np.clip(np.diff(line.pitch), -WIDEST, WIDEST)
    return list(zip(intervals.tolist(), np.minimum(np.diff(line.onset), LONGEST).tolist(), strict=True))
