"""Phrases of the GAN as numbers, many at once: what `musai.generation.choosing` looks at, read from their rolls.

A phrase is looked at with the bar before it. The arrays of notes are flat: each note knows the number of its phrase.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from musai.generation.phrases import BAR_CELLS
from musai.music import ngrams
from musai.music.keys import MAJOR_SCALE, MINOR_SCALE, correlations
from musai.music.ngrams import N
from musai.music.rolls import CELL, FIRST, HOLD, LOWEST

LAGS = (1, 2, 3, 4)  # bars
INTERVALS = (0, 1, 3, 5, 8)  # semitones at which a class of the melody's intervals begins


@dataclasses.dataclass(frozen=True)
class Line:
    """The highest note at each onset of n phrases: int [m] each, in order of (phrase, cell)."""

    phrase: np.ndarray
    cell: np.ndarray
    pitch: np.ndarray

    def joined(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(phrase, semitones, cells) from each note to the next one of its phrase."""
        same = np.diff(self.phrase) == 0
        return self.phrase[1:][same], np.diff(self.pitch)[same], np.diff(self.cell)[same]


def onsets(rolls: np.ndarray, cells: int) -> np.ndarray:
    """How many cells of each phrase a note begins in, int [n]; rolls and cells as of `numbers`."""
    return np.asarray((_bars(rolls, cells) >= FIRST).any(axis=3).sum(axis=(1, 2)))


def line_of(rolls: np.ndarray, cells: int) -> Line:
    """Of rolls as of `numbers`."""
    bars = _bars(rolls, cells)
    top = bars.reshape(len(bars), -1, bars.shape[3]).max(axis=2, initial=0)
    phrase, cell = np.nonzero(top >= FIRST)
    return Line(phrase, cell, top[phrase, cell].astype(int) - FIRST + LOWEST)


def grams(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """(phrase int [m], hash uint32 [m]) of the n-grams of lines, as `musai.music.ngrams.hashes` has them."""
    apart = int(line.cell.max(initial=0)) + 1
    found = ngrams.hashes(line.pitch, (line.phrase * apart + line.cell) * CELL)
    first = line.phrase[: len(found)]
    within = first == line.phrase[N : N + len(found)]
    return first[within], found[within]


def numbers(rolls: np.ndarray, cells: int) -> np.ndarray:
    """float [n, F] of rolls int [n, bars BAR_CELLS, voices], in bars of so many cells; the last two are the margin of
    minor (below 0: major) and the onsets a quarter note.

    Each phrase has two onsets at least.
    """
    bars = _bars(rolls, cells)
    flat = bars.reshape(len(bars), -1, bars.shape[3])
    begins = bars >= FIRST
    onset: np.ndarray = np.asarray(begins.any(axis=3))
    count, width = bars.shape[1], flat.shape[1]
    starts, notes = onset.sum(axis=(1, 2)), begins.sum(axis=(1, 2, 3))
    pitch = flat.astype(int) - FIRST + LOWEST
    sounds = flat >= FIRST
    lowest, highest = np.where(sounds, pitch, 128).min(axis=(1, 2)), np.where(sounds, pitch, 0).max(axis=(1, 2))
    flat_onset = onset.reshape(len(onset), -1)
    first, last = flat_onset.argmax(axis=1), width - 1 - flat_onset[:, ::-1].argmax(axis=1)
    phrase, cell, voice = np.nonzero(sounds)
    key = pitch[phrase, cell, voice]
    classes = _different(phrase * count + cell // cells, key % 12, 12, len(bars) * count).reshape(-1, count)
    filled = onset.any(axis=2)
    length = _stops(flat)[phrase, cell, voice] - cell
    chroma = np.bincount(phrase * 12 + key % 12, length, 12 * len(bars)).reshape(-1, 12)
    scores = correlations(chroma)
    best = scores.reshape(-1, 24).argmax(axis=1)
    minor, tonic = best >= 12, best % 12
    in_scale = _SCALES[minor.astype(int)[phrase], (key - tonic[phrase]) % 12]
    line = line_of(rolls, cells)
    return np.column_stack([
        _different(phrase, key, 128, len(bars)), highest - lowest, notes / count, (last - first) / (starts - 1),
        classes.sum(axis=1) / filled.sum(axis=1), np.bincount(phrase, in_scale, len(bars)) / notes,
        1 - filled.mean(axis=1), (onset[:, 1:] == onset[:, :-1]).mean(axis=(1, 2)),
        *_alike(bars, begins), *_tune(line, len(bars), count), _rhythms(onset),
        *_degrees(line, len(bars)),
        scores.max(axis=(1, 2)), scores[:, 1].max(axis=1) - scores[:, 0].max(axis=1), 4 * starts / width,
    ]).astype(float)  # fmt: skip


def gaps(rolls: np.ndarray, cells: int) -> np.ndarray:
    """From one onset to the next and from the last one to the end, in bars: the longest of the former and the latter,
    float [n, 2]; at least two onsets are due."""
    onset = (_bars(rolls, cells) >= FIRST).any(axis=3).reshape(len(rolls), -1)
    phrase, cell = np.nonzero(onset)
    same = np.diff(phrase) == 0
    longest = np.zeros(len(rolls))
    np.maximum.at(longest, phrase[1:][same], np.diff(cell)[same])
    return np.column_stack([longest, onset[:, ::-1].argmax(axis=1) + 1]) / cells


def of_part(rolls: np.ndarray, cells: int) -> np.ndarray:
    """What one of several parts has to itself, float [n, 4] of its rolls: the share of bars in which it has no onset,
    and notes, onsets and pitch classes a bar."""
    bars = _bars(rolls, cells)
    begins = bars >= FIRST
    phrase, bar, cell, voice = np.nonzero(begins)
    count = bars.shape[1]
    pitch = bars[phrase, bar, cell, voice].astype(int) - FIRST + LOWEST
    classes = _different(phrase * count + bar, pitch % 12, 12, len(bars) * count).reshape(-1, count)
    onset: np.ndarray = np.asarray(begins.any(axis=3))
    return np.column_stack([
        ~onset.any(axis=2), begins.sum(axis=(2, 3)), onset.sum(axis=2), classes
    ]).reshape(len(bars), 4, count).mean(axis=2)  # fmt: skip


def seam(rolls: np.ndarray, cells: int) -> np.ndarray:
    """What stands on both sides of the first bar line of such rolls: float [n, 9]."""
    bars = _bars(rolls, cells)[:, :2]
    top = bars.max(axis=3)
    before, after = top[:, 0] >= FIRST, top[:, 1] >= FIRST
    one, other = before.any(axis=1), after.any(axis=1)
    both, every = one & other, np.arange(len(bars))
    last, first = cells - 1 - before[:, ::-1].argmax(axis=1), after.argmax(axis=1)
    step = np.where(both, top[every, 1, first].astype(int) - top[every, 0, last], 0)
    means = [(top[:, side] * sounds).sum(axis=1) / np.maximum(sounds.sum(axis=1), 1)
             for side, sounds in enumerate((before, after))]  # fmt: skip
    return np.column_stack([
        step, abs(step), ~one, ~other, (bars[:, 1, 0] == HOLD).any(axis=1), np.where(one, cells - last, 0) / cells,
        np.where(other, first, cells) / cells, after.sum(axis=1) - before.sum(axis=1),
        np.where(both, means[1] - means[0], 0),
    ]).astype(float)  # fmt: skip


_SCALES = np.zeros((2, 12), bool)
_SCALES[0, list(MAJOR_SCALE)] = True
_SCALES[1, [*MINOR_SCALE, 9, 11]] = True  # of minor with the raised sixth and seventh


def _bars(rolls: np.ndarray, cells: int) -> np.ndarray:
    """[n, bars, cells, voices]: without what lies beyond the bars."""
    return rolls.reshape(len(rolls), rolls.shape[1] // BAR_CELLS, BAR_CELLS, rolls.shape[2])[:, :, :cells]


def _stops(rolls: np.ndarray) -> np.ndarray:
    """int [n, cells, voices]: of a note that begins in a cell the cell where it ends."""
    width = rolls.shape[1]
    stops = np.where(rolls != HOLD, np.arange(width)[:, None], width)
    later = np.full_like(stops, width)
    later[:, :-1] = np.minimum.accumulate(stops[:, :0:-1], axis=1)[:, ::-1]
    return later


def _different(owner: np.ndarray, value: np.ndarray, values: int, count: int) -> np.ndarray:
    """How many different values below `values` each of `count` owners has: int [count]."""
    return np.bincount(np.unique(owner * values + value) // values, minlength=count)


def _alike(bars: np.ndarray, begins: np.ndarray) -> list[np.ndarray]:
    """The share of bars that are equal to an earlier one; how alike bars are LAGS apart (Jaccard of their notes)."""
    count, size = bars.shape[1], begins.sum(axis=(2, 3))
    again = np.zeros(bars.shape[:2], bool)
    found = []
    for lag in range(1, count):
        equal = (bars[:, lag:] == bars[:, :-lag]).all(axis=(2, 3)) & (size[:, lag:] > 0)
        again[:, lag:] |= equal
        if lag in LAGS:
            shared = ((bars[:, lag:] == bars[:, :-lag]) & begins[:, lag:]).sum(axis=(2, 3))
            every = size[:, lag:] + size[:, :-lag] - shared
            filled = (every > 0).sum(axis=1)
            found.append((shared / np.maximum(every, 1)).sum(axis=1) / np.maximum(filled, 1))
    return [again.sum(axis=1) / (size > 0).sum(axis=1), *found]


def _tune(line: Line, count: int, bars: int) -> list[np.ndarray]:
    """Of the melodies of `count` phrases: shares of the classes of intervals, turns, entropy of the times between
    notes (nats), different pairs of pitches a pair, notes a bar."""
    phrase, move, gap = line.joined()
    pairs = np.maximum(np.bincount(phrase, minlength=count), 1)
    kind = np.digitize(abs(move), INTERVALS) - 1
    classes = np.bincount(phrase * len(INTERVALS) + kind, minlength=len(INTERVALS) * count)
    same = np.diff(phrase) == 0
    turns = np.bincount(phrase[1:][same], np.diff(np.sign(move))[same] != 0, count) / np.maximum(pairs - 1, 1)
    longest = int(gap.max(initial=0)) + 1
    shares = np.bincount(phrase * longest + gap, minlength=longest * count).reshape(count, -1) / pairs[:, None]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    start = np.flatnonzero(np.diff(line.phrase) == 0)
    steps = _different(line.phrase[start], line.pitch[start] * 128 + line.pitch[start + 1], 128 * 128, count)
    return [
        *(classes.reshape(count, -1) / pairs[:, None]).T, turns, entropy, steps / pairs,
        np.bincount(line.phrase, minlength=count) / bars,
    ]  # fmt: skip


def _rhythms(onset: np.ndarray) -> np.ndarray:
    """Different rhythms a bar, float [n]."""
    bits = onset @ (1 << np.arange(onset.shape[2]))
    owner = np.repeat(np.arange(len(bits)), bits.shape[1])
    return _different(owner, bits.ravel(), 1 << onset.shape[2], len(bits)) / bits.shape[1]


def _degrees(line: Line, count: int) -> list[np.ndarray]:
    """Of the melodies of `count` phrases: shares of the twelve degrees, from the tonic of the key that the melody's
    notes are likeliest in; whether the last note is its tonic, fifth or third."""
    heard = np.bincount(line.phrase * 12 + line.pitch % 12, minlength=12 * count).reshape(count, 12)
    tonic = correlations(heard.astype(float)).reshape(count, 24).argmax(axis=1) % 12
    turned = np.take_along_axis(heard, (np.arange(12) + tonic[:, None]) % 12, axis=1)
    last = np.flatnonzero(np.diff(line.phrase, append=-1))
    end = np.full(count, -1)
    end[line.phrase[last]] = (line.pitch[last] - tonic[line.phrase[last]]) % 12
    return [*(turned / heard.sum(axis=1, keepdims=True)).T, end == 0, end == 7, (end == 3) | (end == 4)]
