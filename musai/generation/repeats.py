"""Bars that are played again: a form says which, the notes are those that stood there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from musai.music.tokens import LONGEST


class Repeats:
    """Of one piece, by its form: `form[b]` is the first bar that bar b equals. `end`: the step at which it ends; `due`:
    (onset, voice, pitch, duration - 1) of those notes of a bar being played again that are still to come."""

    def __init__(self, form: Sequence[int], bar: int) -> None:
        self.form, self.bar, self.end = form, bar, bar * len(form)
        self.bars: dict[int, list[tuple[int, int, int, int]]] = {}  # (place, voice, pitch, duration - 1) by bar
        self.due: list[tuple[int, int, int, int]] = []
        follows = [0, *(b == a + 1 for a, b in itertools.pairwise(form))]
        again = [number for number, first in enumerate(form) if first < number]
        self.sections = [number for number in again if number - 1 not in again or not follows[number]]

    def put(self, time: int, voice: int, pitch: int, duration: int) -> None:
        self.bars.setdefault(time // self.bar, []).append((time % self.bar, voice, pitch, duration))

    def begin(self, time: int, target: int) -> bool:
        """Whether a bar after that of `time`, up to that of `target`, is to be an earlier one again; it is then due."""
        for number in range(time // self.bar + 1, min(target // self.bar + 1, len(self.form))):
            if self.form[number] < number and (model := self.bars.get(self.form[number])):
                start = number * self.bar
                if start + model[0][0] - time > LONGEST:
                    return False
                room = self.limit(start) - start
                due = [(start + at, v, pitch, min(long, room - at - 1)) for at, v, pitch, long in model if at < room]
                self.due = due
                return bool(due)
        return False

    def after(self, time: int) -> int:
        """The first step at which another note may begin: a repeated bar gets none but its own."""
        number = time // self.bar
        again = number < len(self.form) and self.form[number] < number and self.form[number] in self.bars
        return (number + 1) * self.bar if again else 0

    def next_row(self, time: int) -> tuple[int, int, int, int]:
        onset, *note = self.due.pop(0)
        return (onset - time, note[0], note[1], note[2])

    def limit(self, time: int) -> int:
        """The step at which the next section that is played again begins, or the piece ends: nothing rings beyond."""
        begins = (self.bar * number for number in self.sections)
        return next((step for step in begins if step > time), self.end)
