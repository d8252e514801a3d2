"""What is asked of a model and what it hands in."""

from __future__ import annotations

import dataclasses

import numpy as np

from musai.music.notes import Piece


@dataclasses.dataclass(frozen=True)
class Source:
    """The piece that is transferred; `licence` passes to what is made of it."""

    track_id: str
    licence: str
    piece: Piece


@dataclasses.dataclass(frozen=True)
class Wish:
    """One track that is wanted; `meter` None: drawn from those of the style; `source`: of a transfer to the style."""

    style: str
    emotion: str
    seed: int
    bars: int = 16
    meter: tuple[int, int] | None = None
    primer: np.ndarray | None = None
    source: Source | None = None


@dataclasses.dataclass(frozen=True)
class Draft:
    """A piece that a model made, with what it measured of it; or the reason why none could be made."""

    piece: Piece | None
    measures: dict[str, float] = dataclasses.field(default_factory=dict)
    fault: str = ""
