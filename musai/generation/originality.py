"""Whether a piece copies one that was trained on: hashed melodic n-grams, transposition and tempo aside.

An index holds every n-gram of every piece (8 bytes each; 5 M pieces of 200 notes are 8 GB, on disk as plain arrays);
a look-up is a binary search an n-gram, so a track takes milliseconds against a million pieces. Thresholds are those
that held-out real pieces of the corpus set (`thresholds`): real music borrows too.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from musai.generation.language import Language, language
from musai.music import ngrams
from musai.music.ngrams import N
from musai.music.notes import Piece

CANDIDATES = 24  # pieces of the most hits, which are looked at closely
DRIFT = 4  # notes by which a copy may fall behind or run ahead between two hits: ornaments, notes left out
STRICTEST = {"longest_run": 31, "copied_share": 0.7}  # no corpus may allow more
FLAGGED = 0.025  # share of held-out real pieces above each of the two thresholds
ORIGINAL, COPY = "original", "copy"


@dataclasses.dataclass(frozen=True)
class Index:
    """`hashes` uint32, sorted; `piece`, `place` int32: whose n-gram it is, and where in that piece's lines it begins
    (lines lie N places apart, so that no run goes from one into the next). `language`: of all lines."""

    hashes: np.ndarray
    piece: np.ndarray
    place: np.ndarray
    names: tuple[str, ...]
    language: Language


@dataclasses.dataclass(frozen=True)
class Found:
    """`longest_run` in notes; `copied_share` of the notes that stand, in this order, in the nearest piece too:
    those of n-grams found there one after the other, with at most DRIFT notes more or fewer between two of them."""

    longest_run: int
    copied_share: float
    nearest: str | None


def index(pieces: Mapping[str, Piece]) -> Index:
    names = tuple(sorted(pieces))
    return index_of_hashes({name: _hashes(pieces[name]) for name in names}, language(pieces.values()))


def index_of_hashes(found: Mapping[str, tuple[np.ndarray, np.ndarray]], language: Language) -> Index:
    """From name -> (hashes, places)."""
    names = tuple(found)
    hashes = np.concatenate([found[name][0] for name in names] or [np.zeros(0, np.uint32)])
    place = np.concatenate([found[name][1] for name in names] or [np.zeros(0, np.int32)])
    piece = np.repeat(np.arange(len(names), dtype=np.int32), [len(found[name][0]) for name in names])
    order = np.argsort(hashes, kind="stable")
    return Index(hashes[order], piece[order], place[order], names, language)


def look_up(piece: Piece, against: Index, but: Iterable[str] = ()) -> Found:
    """What of a piece stands in the index; `but`: names that do not count (a transferred piece's own source)."""
    query, theirs, there, notes = _hits(piece, against, but)
    if not len(query):
        return Found(0, 0.0, None)
    run, in_piece = _longest_run(query, theirs, there)
    covered = [(_covered(query[theirs == one], there[theirs == one]), -int(one)) for one in _likeliest(query, theirs)]
    most, nearest = max(covered)
    nearest = in_piece if run >= most else -nearest
    return Found(run, most / notes, against.names[nearest])


def known(piece: Piece, against: Index, own: Piece | None = None) -> list[float]:
    """How often the index holds a piece's n-grams: mean of log(1 + times), and the shares of them that it holds never,
    3 times at least, 20 times at least. `own`: a piece of the index that does not count."""
    hashes, _ = _hashes(piece)
    rows = known_of(hashes, np.zeros(len(hashes), int), 1, against, () if own is None else (own,))
    return [float(value) for value in rows[0]]


def known_of(
    hashes: np.ndarray, owner: np.ndarray, count: int, against: Index, own: Sequence[Piece] = ()
) -> np.ndarray:
    """`known` of `count` pieces at once: float [count, 4], from their n-grams and the number of each one's piece.
    `own`: for each a piece of the index that does not count, or none at all."""
    times = _times(hashes, against.hashes)
    for number in np.unique(owner) if own else ():
        here = owner == number
        times[here] -= _times(hashes[here], np.sort(_hashes(own[number])[0]))
    total = np.bincount(owner, minlength=count)
    sums = [np.bincount(owner, one, count) for one in (np.log1p(times), times == 0, times >= 3, times >= 20)]
    found = np.stack(sums, axis=1) / np.maximum(total, 1)[:, None]
    found[total == 0] = (0.0, 1.0, 0.0, 0.0)
    return found


def _times(hashes: np.ndarray, among: np.ndarray) -> np.ndarray:
    """How often each stands among sorted ones, int64."""
    low, high = (np.searchsorted(among, hashes, side) for side in ("left", "right"))
    return high - low


def variants(piece: Piece, against: Index, limits: Mapping[str, float]) -> list[str]:
    """The names of the pieces in the index that a piece is itself a copy of: its own tune, under whatever name."""
    query, theirs, there, notes = _hits(piece, against)
    found = []
    for one in _likeliest(query, theirs) if len(query) else ():
        own = theirs == one
        run, _ = _longest_run(query[own], theirs[own], there[own])
        same = Found(run, _covered(query[own], there[own]) / notes, against.names[one])
        if verdict(same, len(piece), limits) == COPY:
            found.append(against.names[one])
    return found


def _hits(piece: Piece, against: Index, but: Iterable[str] = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """(place in the piece, number of the other, place there) of each n-gram that both hold, and the piece's notes."""
    hashes, places = _hashes(piece)
    low, high = (np.searchsorted(against.hashes, hashes, side) for side in ("left", "right"))
    counts = high - low
    query = np.repeat(places, counts)
    starts = np.repeat(low - np.concatenate([[0], counts.cumsum()[:-1]]) if len(counts) else low, counts)
    rows = starts + np.arange(len(query))
    theirs, there = against.piece[rows], against.place[rows]
    names = set(but)
    left_out = [number for number, name in enumerate(against.names) if name in names]
    if left_out:
        kept = ~np.isin(theirs, left_out)
        query, theirs, there = query[kept], theirs[kept], there[kept]
    return query, theirs, there, len(places) + N * (1 + int(np.count_nonzero(np.diff(places) > 1)))


def thresholds(held_out: Iterable[Found]) -> dict[str, float]:
    """The largest longest_run and copied_share that are no copy, from real pieces against the same index."""
    found = list(held_out)
    values = {
        "longest_run": np.array([one.longest_run for one in found], float),
        "copied_share": np.array([one.copied_share for one in found]),
    }
    return {name: min(_quantile(own), STRICTEST[name]) for name, own in values.items()}


def _quantile(values: np.ndarray) -> float:
    return float(np.quantile(values, 1 - FLAGGED, method="higher")) if len(values) else float("inf")


def verdict(found: Found, notes: int, limits: Mapping[str, float]) -> str:
    """`copy` where a threshold is passed, or the run is 32 notes or half the piece."""
    runs = min(limits["longest_run"], STRICTEST["longest_run"])
    copied = found.longest_run > runs or found.copied_share > limits["copied_share"] or found.longest_run * 2 >= notes
    return COPY if copied else ORIGINAL


def _hashes(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """(hashes uint32, places int32) of all lines."""
    hashes, places, first = [], [], 0
    for pitch, onset in ngrams.lines(piece):
        found = ngrams.hashes(pitch, onset)
        hashes.append(found)
        places.append(np.arange(first, first + len(found), dtype=np.int32))
        first += len(pitch) + N
    return (
        np.concatenate(hashes or [np.zeros(0, np.uint32)]),
        np.concatenate(places or [np.zeros(0, np.int32)]),
    )


def _longest_run(query: np.ndarray, theirs: np.ndarray, there: np.ndarray) -> tuple[int, int]:
    """(notes, piece) of the longest run of hits one after the other in both; of equal ones in the first piece."""
    diagonal = there.astype(np.int64) - query
    order = np.lexsort((query, diagonal, theirs))
    query, theirs, diagonal = query[order], theirs[order], diagonal[order]
    breaks = (np.diff(query) != 1) | (np.diff(theirs) != 0) | (np.diff(diagonal) != 0)
    starts = np.flatnonzero(np.concatenate([[True], breaks]))
    lengths = np.diff(np.append(starts, len(query)))
    longest = int(lengths.argmax())
    return int(lengths[longest]) + N, int(theirs[starts[longest]])


def _likeliest(query: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The pieces in which most of the query's n-grams stand."""
    pairs = np.unique(np.stack([theirs.astype(np.int64), query]), axis=1)
    pieces, counts = np.unique(pairs[0], return_counts=True)
    return pieces[np.argsort(-counts, kind="stable")[:CANDIDATES]]


def _covered(query: np.ndarray, there: np.ndarray) -> int:
    """Notes of the query in the hits of one piece that follow one another in both, each near the one before."""
    order = np.lexsort((-there, query))
    query, there = query[order], there[order]
    chain = _increasing(there.tolist())
    places, drift = query[chain], there[chain] - query[chain]
    near = (np.abs(np.diff(drift)) <= DRIFT) & (np.diff(places) <= 2 * N + DRIFT)
    linked = np.concatenate([[False], near]) | np.concatenate([near, [False]])
    return len(np.unique(places[linked][:, None] + np.arange(N + 1)))


def _increasing(values: list[int]) -> list[int]:
    """Places of the longest strictly increasing subsequence, by patience sorting."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        slot = bisect.bisect_left(tails, value)
        before.append(ends[slot - 1] if slot else -1)
        tails[slot : slot + 1] = [value]
        ends[slot : slot + 1] = [place]
    found, place = [], ends[-1]
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
