"""What is refused before anyone hears it: hard rules, each with the reason under which it is counted.

No rule changes a note. `Bounds` come from real pieces of the style.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from musai.music import ngrams
from musai.music.notes import Piece, skyline

LONGEST_SILENCE, LONGEST_NOTE = 2, 4  # bars
MOST_AT_ONCE = 10  # notes of one track
SLOWEST, FASTEST = 40.0, 220.0
MOST_REPEATS = 4  # of one bar running
NEAR_A_BAR_LINE = 0.25  # of a bar
SHARED = 0.5  # of the n-grams of two tracks of a night
RANGES = {52: (36, 84), 73: (55, 98)}  # voices, flute, by General MIDI program; else a piano's
PIANO = (21, 108)
BAND = (5, 95)  # percentiles


@dataclasses.dataclass(frozen=True)
class Bounds:
    """`distinct_bars`: lowest and highest share of distinct bars; `meters`: those of real pieces."""

    distinct_bars: tuple[float, float]
    meters: tuple[tuple[int, int], ...]

    def of_transfer(self, source: Piece) -> Bounds:
        """Of what is made of `source`, whose form and meter it keeps."""
        low, high = self.distinct_bars
        own = distinct_bars(skyline(source))
        return Bounds((min(low, own), max(high, distinct_bars(source))), (source.meter,))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Bounds:
        low, high = content["distinct_bars"]
        return cls((low, high), tuple((a, b) for a, b in content["meters"]))


def bounds(real: Iterable[Piece], bars: int) -> Bounds:
    """From real pieces of a style, each cut to its first `bars` bars."""
    pieces = list(real)
    shares = [distinct_bars(piece.excerpt(0, min(bars, piece.bars))) for piece in pieces]
    low, high = np.percentile(shares, BAND)
    return Bounds((float(low), float(high)), tuple(sorted({piece.meter for piece in pieces})))


def bar_contents(piece: Piece) -> list[bytes]:
    """What each bar holds, comparable: (place, pitch, duration, track) of its notes."""
    bar = piece.onset // piece.bar_steps
    rows = np.stack([piece.onset % piece.bar_steps, piece.pitch, piece.duration, piece.track], axis=1)
    return [rows[bar == number].tobytes() for number in range(piece.bars)]


def distinct_bars(piece: Piece) -> float:
    """Share of the bars with notes that differ from every other one before them; 0 without notes."""
    filled = [content for content in bar_contents(piece) if content]
    return len(set(filled)) / len(filled) if filled else 0.0


def faults(piece: Piece, allowed: Bounds) -> list[str]:
    """Every reason for which a piece is refused; [] where it is sound."""
    if not len(piece):
        return ["no notes"]
    checks = {
        "silence inside": _longest_silence(piece) > LONGEST_SILENCE * piece.bar_steps,
        "first note late": piece.onset[0] >= piece.bar_steps,
        "a note too long": piece.duration.max() > LONGEST_NOTE * piece.bar_steps,
        "one pitch twice at once": _overlaps(piece),
        "a pitch out of range": not _in_range(piece),
        "too many notes at once": _most_at_once(piece) > MOST_AT_ONCE,
        "tempo": not SLOWEST <= piece.tempo_bpm <= FASTEST,
        "a meter that real pieces lack": piece.meter not in allowed.meters,
        "no end at a bar line": not near_bar_line(*map(np.asarray, (piece.end, piece.onset[0], piece.bar_steps))),
        "one bar again and again": _repeats(piece) > MOST_REPEATS,
    }
    found = [reason for reason, wrong in checks.items() if wrong]
    low, high = allowed.distinct_bars
    if not low <= distinct_bars(piece) <= high:
        found.append("too few distinct bars" if distinct_bars(piece) < low else "too many distinct bars")
    return found


def twins(pieces: Sequence[Piece]) -> list[int]:
    """The places of pieces that share half their n-grams with an earlier one that is kept."""
    grams = [set(ngrams.piece_hashes(piece).tolist()) for piece in pieces]
    kept: dict[int, list[int]] = {}
    found = []
    for number, own in enumerate(grams):
        shared: dict[int, int] = {}
        for gram in own:
            for other in kept.get(gram, ()):
                shared[other] = shared.get(other, 0) + 1
        if any(count >= SHARED * min(len(own), len(grams[other])) for other, count in shared.items()):
            found.append(number)
            continue
        for gram in own:
            kept.setdefault(gram, []).append(number)
    return found


def _longest_silence(piece: Piece) -> int:
    heard = np.maximum.accumulate(piece.onset + piece.duration)
    return int((piece.onset[1:] - heard[:-1]).max(initial=0))


def _overlaps(piece: Piece) -> bool:
    order = np.lexsort((piece.onset, piece.pitch, piece.track))
    same = (np.diff(piece.pitch[order]) == 0) & (np.diff(piece.track[order]) == 0)
    stops = (piece.onset + piece.duration)[order][:-1]
    return bool((same & (stops > piece.onset[order][1:])).any())


def moves(piece: Piece) -> tuple[int, int]:
    """The semitones, at least and at most, by which its instruments can play a piece transposed."""
    down, up = -127, 127
    for number, track in enumerate(piece.tracks):
        pitches = piece.pitch[piece.track == number]
        if len(pitches) and not track.drum:
            low, high = RANGES.get(track.program, PIANO)
            down, up = max(down, low - int(pitches.min())), min(up, high - int(pitches.max()))
    return down, up


def _in_range(piece: Piece) -> bool:
    down, up = moves(piece)
    return down <= 0 <= up


def _most_at_once(piece: Piece) -> int:
    most = 0
    for number, track in enumerate(piece.tracks):
        part = piece.of_track(number)
        if track.drum or not len(part):
            continue
        change = np.zeros(part.end + 1, np.int64)
        np.add.at(change, part.onset, 1)
        np.add.at(change, part.onset + part.duration, -1)
        most = max(most, int(change.cumsum().max()))
    return most


def near_bar_line(end: np.ndarray, first: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """Whether a piece that ends at a step ends near a bar line, or before the pickup that its first bar lacks; bool of
    the shape of `end`, `first` (its first onset) and `bar` (steps of a bar)."""
    beyond, pickup = end % bar, -first % bar
    distance = np.minimum(beyond, bar - beyond)
    completes = (pickup > 0) & (np.abs(bar - beyond - pickup) <= NEAR_A_BAR_LINE * bar)
    found: np.ndarray = (distance <= NEAR_A_BAR_LINE * bar) | completes
    return found


def _repeats(piece: Piece) -> int:
    """The most times that one bar with notes stands in a row."""
    longest = run = 0
    before = b""
    for content in bar_contents(piece):
        run = run + 1 if content and content == before else 1
        before = content
        longest = max(longest, run if content else 0)
    return longest
