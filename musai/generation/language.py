"""How surprising a melody is to one who has heard only the training music: an n-gram model of its steps.

A step is (interval to the next note, time to it), of one line of notes. What follows is expected from as many as ORDER
steps before it: each order corrects the shorter one by what it has counted, PRIOR counts of which the shorter one is
worth (the hierarchical Dirichlet model of MacKay and Peto, 1995).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from musai.music import ngrams
from musai.music.notes import Piece

ORDER = 2  # steps before the one that is expected; longer runs are what `musai.generation.originality` knows
PRIOR = 4.0
WIDEST = 24  # semitones; wider intervals are of one class
LONGEST = 96  # grid steps: two bars of 4/4
STEPS = (2 * WIDEST + 1) * (LONGEST + 1)


@dataclasses.dataclass(frozen=True)
class Language:
    """`runs`: for 1, 2, .. ORDER + 1 steps in a row their codes, int64, each once, sorted; `times`: int32, how often
    each stands."""

    runs: tuple[np.ndarray, ...]
    times: tuple[np.ndarray, ...]

    def nats(self, codes: Sequence[np.ndarray], own: Language | None = None) -> np.ndarray:
        """-log p of each step, float [n], of `codes_of`; `own`: of music in here that does not count."""
        chance = np.full(len(codes[0]), 1 / STEPS)
        context = np.full(len(codes[0]), float(self._total - (own._total if own else 0)))
        for order, code in enumerate(codes):
            found = self._times(order, code) - (own._times(order, code) if own else 0)
            here = code >= 0
            chance = np.where(here, (found + PRIOR * chance) / (context + PRIOR), chance)
            if order + 1 < len(codes):
                before = np.where(codes[order + 1] >= 0, codes[order + 1] // STEPS, -1)
                context = self._times(order, before) - (own._times(order, before) if own else 0)
        return np.asarray(-np.log(chance))

    @property
    def _total(self) -> int:
        return int(self.times[0].sum())

    def _times(self, order: int, codes: np.ndarray) -> np.ndarray:
        runs = self.runs[order]
        if not len(runs):
            return np.zeros(len(codes))
        place = np.minimum(np.searchsorted(runs, codes), len(runs) - 1)
        return np.where(runs[place] == codes, self.times[order][place], 0).astype(float)


def language(pieces: Iterable[Piece]) -> Language:
    """Of all lines of the pieces."""
    found: list[list[np.ndarray]] = [[np.zeros(0, np.int64)] for _ in range(ORDER + 1)]
    for piece in pieces:
        for pitch, onset in ngrams.lines(piece):
            for own, code in zip(found, codes_of(pitch, onset, np.zeros(len(pitch), int))[1], strict=True):
                own.append(code[code >= 0])
    counted = [np.unique(np.concatenate(own), return_counts=True) for own in found]
    return Language(tuple(runs for runs, _ in counted), tuple(times.astype(np.int32) for _, times in counted))


def codes_of(pitch: np.ndarray, onset: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """(whose line each step is of, codes of the runs of 1, 2, .. ORDER + 1 steps that end with each: -1 where the line
    is too short before it) of the notes of lines, one line after the other."""
    within = np.flatnonzero(np.diff(owner) == 0)
    whose = owner[within]
    interval = np.clip(pitch[within + 1] - pitch[within], -WIDEST, WIDEST) + WIDEST
    step = interval.astype(np.int64) * (LONGEST + 1) + np.minimum(onset[within + 1] - onset[within], LONGEST)
    codes = [step]
    for _ in range(ORDER):
        longer = np.full(len(step), -1, np.int64)
        before = codes[-1][:-1]
        fits = (whose[1:] == whose[:-1]) & (before >= 0)
        longer[1:][fits] = before[fits] * STEPS + step[1:][fits]
        codes.append(longer)
    return whose, codes


def surprise(
    lines: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], known: Language, own: Sequence[Piece] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """(owner, nats) of each step from a note to the next one of its owner, line after line. `lines`: (owner, pitch,
    onset) of notes; `own`: for each owner a piece of the language that does not count, or none at all."""
    coded = [codes_of(pitch, onset, owner) for owner, pitch, onset in lines]
    whose = np.concatenate([part for part, _ in coded])
    codes = [np.concatenate(runs) for runs in zip(*(runs for _, runs in coded), strict=True)]
    if not own:
        return whose, known.nats(codes)
    nats = np.zeros(len(whose))
    for number in np.unique(whose):
        here = whose == number
        nats[here] = known.nats([code[here] for code in codes], language([own[number]]))
    return whose, nats


def mean(whose: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """float [count]: of each owner's values; 0 without any."""
    found: np.ndarray = np.bincount(whose, values, count) / np.maximum(np.bincount(whose, minlength=count), 1)
    return found
