"""From wishes to finished tracks: sampled, refused or let through, measured, and said where they come from."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from musai.evaluation import music_metrics
from musai.generation import originality, sanity
from musai.generation.composer import Wish
from musai.generation.judge import Judge
from musai.generation.originality import Found
from musai.generation.provenance import LICENCE, provenance
from musai.music.midi import write_midi
from musai.music.notes import Piece

SAMPLED = "sampled"  # among the reasons: every piece that was looked at


@dataclasses.dataclass(frozen=True)
class Maker:
    """How pieces come about: `make` gives a piece for each wish, always the same for the same wish."""

    method: str
    digest: str
    sources: dict[str, Any]
    sampler: dict[str, float]
    make: Callable[[Sequence[Wish]], list[Piece]]


@dataclasses.dataclass(frozen=True)
class Source:
    """The piece that was transferred; `licence` passes to what is made of it."""

    track_id: str
    licence: str


def attempt_seed(seed: int, attempt: int) -> int:
    """Of a track's later attempts, so that a refused one is followed by another."""
    return seed if not attempt else int.from_bytes(hashlib.sha256(f"{seed}:{attempt}".encode()).digest()[:6], "little")


def tracks(
    maker: Maker, judge: Judge, wishes: Sequence[Wish], attempts: int = 4, source: Source | None = None
) -> tuple[list[dict[str, Any] | None], collections.Counter[str]]:
    """(a row of `generated_tracks` for each wish, None where every attempt was refused; refused pieces by reason).

    The rows lack what only the night knows: generated_id, created_run_id, embedding, valence, arousal.
    """
    rows: list[dict[str, Any] | None] = [None] * len(wishes)
    refused: collections.Counter[str] = collections.Counter()
    waiting = list(range(len(wishes)))
    for attempt in range(attempts):
        asked = [
            dataclasses.replace(wishes[place], seed=attempt_seed(wishes[place].seed, attempt)) for place in waiting
        ]
        left = []
        for place, wish, piece in zip(waiting, asked, maker.make(asked) if asked else [], strict=True):
            row = _row(maker, judge, wish, piece, refused, source)
            if row is None:
                left.append(place)
            else:
                rows[place] = row | {"seed": wishes[place].seed}
        waiting = left
        refused[SAMPLED] += len(asked)
    return rows, refused


def refusals(judge: Judge, style: str, piece: Piece, but: Iterable[str] = ()) -> tuple[list[str], Found | None]:
    """(reasons, what of it stands in the training music); a piece that is not sound is not looked up."""
    rules = judge.rules[style]
    reasons = sanity.faults(piece, rules.bounds)
    if reasons:
        return reasons, None
    found = originality.look_up(piece, judge.index, but)
    copied = originality.verdict(found, len(piece), rules.limits) == originality.COPY
    return (["a copy"] if copied else []), found


def _row(
    maker: Maker, judge: Judge, wish: Wish, piece: Piece, refused: collections.Counter[str], source: Source | None
) -> dict[str, Any] | None:
    but = [source.track_id] if source else []
    reasons, found = refusals(judge, wish.style, piece, but)
    if reasons or found is None:
        refused.update(reasons)
        return None
    asked = {"style": wish.style, "emotion": wish.emotion, "bars": wish.bars, "seed": wish.seed}
    said = provenance(
        method=maker.method,
        model=maker.digest,
        sources=maker.sources,
        seed=wish.seed,
        sampler=maker.sampler,
        asked=asked,
        source_track=source.track_id if source else None,
        nearest=found.nearest,
        verdict=originality.ORIGINAL,
    )
    return {
        "method": maker.method,
        "style": wish.style,
        "target_style": wish.style if source else None,
        "source_track_id": source.track_id if source else None,
        "emotion": wish.emotion,
        "model": maker.digest,
        "midi": write_midi(piece, [said]),
        "duration_s": piece.duration_s,
        "notes": len(piece),
        "metrics": music_metrics.features(piece),
        "originality": {
            "longest_run": found.longest_run,
            "copied_share": found.copied_share,
            "nearest_track_id": found.nearest,
            "verdict": originality.ORIGINAL,
        },
        "licence": source.licence if source else LICENCE,
        "provenance": said,
    }


def told(row: dict[str, Any]) -> str:
    """A line for a person: what a row of `generated_tracks` is."""
    own = row["originality"]
    asked = json.loads(row["provenance"])["asked"]
    return (
        f"{row['style']}, {row['emotion']}, by {row['method']}: {row['notes']} notes, {row['duration_s']:.0f} s; "
        f"seed {asked['seed']}, longest run shared {own['longest_run']} notes ({own['nearest_track_id']})"
    )
