"""Which pairs are heard: balanced over styles and kinds, drawn by seed, with pairs that only show who listens."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import statistics
from collections.abc import Iterator, Sequence

import numpy as np

from musai.errors import InputError
from musai.listening.pieces import REAL, SHUFFLED, Heard, alike, shuffled


@dataclasses.dataclass(frozen=True)
class Trial:
    """Two pieces of one style, of one tempo and length; of an `attention` pair the first is the right answer."""

    first: Heard
    second: Heard
    attention: bool = False


def drawn(heard: Sequence[Heard], pairs: int, attention: int, seconds: float, seed: int) -> list[Trial]:
    """`pairs` trials in turns over every style and pair of kinds, then `attention` ones; no piece twice where the
    pieces last. Raises InputError where no style has two kinds that are long enough.
    """
    random = np.random.default_rng(seed)
    decks = _decks(heard, seconds, random)
    kinds_first = sorted(decks, key=lambda key: (key[0], key[1] != REAL, key[1]))
    combinations = [
        (style, first, second)
        for style, same in itertools.groupby(kinds_first, key=lambda key: key[0])
        for (_, first), (_, second) in itertools.combinations(same, 2)
    ]
    if not combinations:
        raise InputError(f"no style has real and created pieces of {seconds:g} s; a smaller --seconds may do")
    if pairs < len(combinations):
        raise InputError(f"--pairs {pairs}: {len(combinations)} styles and kinds are to be compared, so many at least")
    found = [
        Trial(next(decks[style, first]), next(decks[style, second]))
        for style, first, second in itertools.islice(itertools.cycle(combinations), pairs)
    ]
    real = [deck for (_, kind), deck in decks.items() if kind == REAL]
    for number, deck in enumerate(itertools.islice(itertools.cycle(real), attention)):
        one = next(deck)
        other = dataclasses.replace(one, kind=SHUFFLED, piece=shuffled(one.piece, seed + number))
        found.append(Trial(one, other, attention=True))
    return found


def _decks(
    heard: Sequence[Heard], seconds: float, random: np.random.Generator
) -> dict[tuple[str, str], Iterator[Heard]]:
    """(style, kind) -> its pieces made alike, in an order by chance and then again; of styles that have real pieces
    and others."""
    tempos: dict[str, list[float]] = collections.defaultdict(list)
    for one in heard:
        if one.kind == REAL:
            tempos[one.style].append(one.piece.tempo_bpm)
    groups: dict[tuple[str, str], list[Heard]] = collections.defaultdict(list)
    for one in heard:
        if one.style in tempos:
            piece = alike(one.piece, statistics.median(tempos[one.style]), seconds)
            if piece is not None:
                groups[one.style, one.kind].append(dataclasses.replace(one, piece=piece))
    kinds = collections.defaultdict(set)
    for style, kind in groups:
        kinds[style].add(kind)
    usable = {style for style, found in kinds.items() if REAL in found and len(found) > 1}
    return {
        key: itertools.cycle([groups[key][place] for place in random.permutation(len(groups[key]))])
        for key in sorted(groups) if key[0] in usable
    }  # fmt: skip
