"""From wishes to finished tracks: sampled, refused or let through, measured, and said where they come from."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from musai.evaluation import music_metrics
from musai.generation import originality, sanity
from musai.generation.judge import Judge
from musai.generation.originality import Found
from musai.generation.provenance import LICENCE, provenance
from musai.generation.wishes import Draft, Source, Wish
from musai.music.midi import write_midi
from musai.music.notes import Piece

SAMPLED = "sampled"  # among the reasons: every piece that was looked at


@dataclasses.dataclass(frozen=True)
class Maker:
    """How pieces come about: `make` gives a draft for each wish, always the same for the same wish."""

    method: str
    digest: str
    sources: dict[str, Any]
    sampler: Mapping[str, float]
    make: Callable[[Sequence[Wish]], list[Draft]]


def attempt_seed(seed: int, attempt: int) -> int:
    """Of a track's later attempts, so that a refused one is followed by another."""
    return seed if not attempt else int.from_bytes(hashlib.sha256(f"{seed}:{attempt}".encode()).digest()[:6], "little")


def tracks(
    maker: Maker, judge: Judge, wishes: Sequence[Wish], attempts: int = 4
) -> tuple[list[dict[str, Any] | None], collections.Counter[tuple[str, str]]]:
    """(a row of `generated_tracks` for each wish, None where every attempt was refused or none could be made; refused
    pieces by style and reason).

    The rows lack what only the night knows: generated_id, created_run_id, embedding, valence, arousal.
    """
    rows: list[dict[str, Any] | None] = [None] * len(wishes)
    refused: collections.Counter[tuple[str, str]] = collections.Counter()
    waiting = list(range(len(wishes)))
    for attempt in range(attempts):
        asked = [
            dataclasses.replace(wishes[place], seed=attempt_seed(wishes[place].seed, attempt)) for place in waiting
        ]
        left = []
        for place, wish, draft in zip(waiting, asked, maker.make(asked) if asked else [], strict=True):
            if draft.piece is None:
                refused[wish.style, draft.fault] += 1
                continue
            refused[wish.style, SAMPLED] += 1
            reasons, found = refusals(judge, wish.style, draft.piece, wish.source)
            if found is None or reasons:
                refused.update((wish.style, reason) for reason in reasons)
                left.append(place)
            else:
                rows[place] = _row(maker, wish, draft.piece, draft.measures, found) | {"seed": wishes[place].seed}
        waiting = left
    return rows, refused


def refusals(judge: Judge, style: str, piece: Piece, source: Source | None = None) -> tuple[list[str], Found | None]:
    """(reasons, what of it stands in the training music); a piece that is not sound is not looked up.

    A transferred piece may have the form of its source, and what it shares with its source's own tune is no copy.
    """
    rules = judge.rules[style]
    reasons = sanity.faults(piece, rules.bounds.of_transfer(source.piece) if source else rules.bounds)
    if reasons:
        return reasons, None
    but = [source.track_id, *originality.variants(source.piece, judge.index, rules.limits)] if source else []
    found = originality.look_up(piece, judge.index, but)
    copied = originality.verdict(found, len(piece), rules.limits) == originality.COPY
    return (["a copy"] if copied else []), found


def _row(maker: Maker, wish: Wish, piece: Piece, measures: dict[str, float], found: Found) -> dict[str, Any]:
    source = wish.source
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
        "metrics": music_metrics.features(piece) | {"ends_home": music_metrics.ends_home(piece)} | measures,
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
