"""What a night makes: so many tracks of each method, style and emotion, each with a seed and an id of its own.

Numbers follow weights by the divisors of Sainte-Lague: the next one goes to whom has the most weight for the tracks
it has so far. So a list of any length holds every one in its turn.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from musai.config import Generation
from musai.generation import style_transfer

Cell = tuple[str, str]  # style, emotion
T = TypeVar("T")

SCARCEST, COMMONEST = 2.0, 0.5  # factors by which what the catalogue lacks, or has, moves a number
LEAST = 0.25  # of an even share, for what nobody asks for


@dataclasses.dataclass(frozen=True)
class SourceTrack:
    """A track of the catalogue that may be transferred; `style`: its own, None where it has none of ours."""

    track_id: str
    style: str | None
    path: str
    licence: str


@dataclasses.dataclass(frozen=True)
class Order:
    """One track that is wanted; `emotion` None: that of the source."""

    generated_id: str
    method: str
    style: str
    emotion: str | None
    seed: int
    bars: int
    source: SourceTrack | None = None


def orders(
    settings: Generation,
    known: Mapping[str, Sequence[str]],
    wanted: Mapping[Cell, float],
    sources: Sequence[SourceTrack],
    seed: int,
    date: dt.date,
) -> list[Order]:
    """`known`: the styles that the model of each method knows; `wanted`: weights by style and emotion.

    The id holds method, style, emotion, day and number; the seed follows from the id and the configuration's seed.
    """
    methods = {name: share for name, share in settings.methods.items() if share and name != style_transfer.METHOD}
    cells = {cell: share for cell, share in wanted.items() if any(cell[0] in known.get(name, ()) for name in methods)}
    share = settings.methods.get("style_transfer", 0.0) / (sum(settings.methods.values()) or 1.0)
    transfers = _transfers(settings, known.get(style_transfer.METHOD, ()), wanted, sources, seed, date, share)
    found: list[Order] = []
    had_cell: collections.Counter[Cell] = collections.Counter()
    had_method: collections.Counter[str] = collections.Counter()
    while cells and len(found) + len(transfers) < settings.tracks:
        style, emotion = turn(cells, had_cell)
        able = {str(name): own for name, own in methods.items() if style in known.get(name, ())}
        method = turn(able, had_method)
        generated_id = f"{method}-{style}-{emotion}-{date:%Y%m%d}-{len(found):04d}"
        found.append(Order(generated_id, method, style, emotion, seed_of(generated_id, seed), settings.bars))
    return found + transfers


def _transfers(
    settings: Generation, styles: Sequence[str], wanted: Mapping[Cell, float], sources: Sequence[SourceTrack],
    seed: int, date: dt.date, share: float,
) -> list[Order]:  # fmt: skip
    """An order for each of the first sources, to the style whose turn it is and that is not its own."""
    targets = {style: _of_style(wanted, style) for style in settings.transfer_to if style in styles}
    found: list[Order] = []
    had: collections.Counter[str] = collections.Counter()
    for source in sources:
        others = {style: weight for style, weight in targets.items() if style != source.style}
        if others and len(found) < round(share * settings.tracks):
            style = turn(others, had)
            generated_id = f"{style_transfer.METHOD}-{style}-{date:%Y%m%d}-{len(found):04d}"
            number = seed_of(generated_id, seed)
            found.append(Order(generated_id, style_transfer.METHOD, style, None, number, settings.bars, source))
    return found


def turn(weights: Mapping[T, float], had: collections.Counter[T]) -> T:
    """Whose turn it is, of equals the first; counted in `had`."""
    chosen = max(weights, key=lambda one: weights[one] / (2 * had[one] + 1))
    had[chosen] += 1
    return chosen


def wanted(settings: Generation, plays: Mapping[Cell, float], tracks: Mapping[Cell, int]) -> dict[Cell, float]:
    """The weight of each style and emotion of the configuration: its share of what is played, more where the
    catalogue has less of it than is played, less where it has more; as if all were played alike where nothing is."""
    cells = [(style, emotion) for emotion in settings.emotions for style in sorted(settings.styles)]
    played, there = (sum(float(of.get(cell, 0)) for cell in cells) for of in (plays, tracks))
    found: dict[Cell, float] = {}
    for cell in cells:
        share = max(float(plays.get(cell, 0)), 0.0) / played if played > 0 else 1 / len(cells)
        lack = share * there / tracks[cell] if tracks.get(cell) else SCARCEST
        found[cell] = max(share * min(max(lack, COMMONEST), SCARCEST), LEAST / len(cells))
    return found


def seed_of(generated_id: str, seed: int) -> int:
    """48 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{generated_id}".encode()).digest()[:6], "little")


def _of_style(wanted: Mapping[Cell, float], style: str) -> float:
    return sum(weight for cell, weight in wanted.items() if cell[0] == style)
