"""What a style's training pieces have in common: tracks, ranges, meters, lengths. Taken from them, never from code."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musai.errors import InputError
from musai.generation.lessons import Lesson
from musai.generation.quadrants import QUADRANTS, quadrants
from musai.generation.sampling import Grammar
from musai.music.keys import to_common_tonic
from musai.music.notes import Piece, Track
from musai.music.tokens import VOICES, Part, tokens_of

COMMON_METERS = 0.03  # a meter of a smaller share of a style's pieces is not asked for
MOST_BARS = 64
USUAL_VOICES = 0.9  # of a style's pieces, that a track's voices are enough for


@dataclasses.dataclass(frozen=True)
class Style:
    """`meters`: pieces by quadrant and meter ("6/8"); `lowest` and `highest`: [V] pitches in the common tonic;
    `longest`: steps of a note or a silence."""

    name: str
    pieces: int
    parts: tuple[Part, ...]
    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    longest: int
    meters: dict[str, dict[str, int]]

    @property
    def grammar(self) -> Grammar:
        track_of = np.full(VOICES, -1)
        for number, part in enumerate(self.parts):
            track_of[part.first : part.first + part.voices] = number
        return Grammar(track_of, np.array(self.lowest), np.array(self.highest), self.longest)

    @property
    def voices(self) -> int:
        return max(part.first + part.voices for part in self.parts)

    def meters_of(self, emotion: str) -> dict[tuple[int, int], float]:
        """Shares of the common meters, of the quadrant's pieces or, where it has none, of all."""
        found = collections.Counter(self.meters.get(emotion, {}))
        if not found:
            for counts in self.meters.values():
                found.update(counts)
        total = sum(found.values())
        common = {meter: count for meter, count in found.items() if count >= COMMON_METERS * total}
        return {_meter(meter): count / sum(common.values()) for meter, count in sorted(common.items())}

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Style:
        parts = tuple(Part(Track(**part["track"]), part["first"], part["voices"]) for part in content["parts"])
        tuples = {name: tuple(content[name]) for name in ("lowest", "highest")}
        return cls(**{**content, **tuples, "parts": parts})


def drawn_meter(shares: Mapping[tuple[int, int], float], seed: int) -> tuple[int, int]:
    """One of the meters, by its share."""
    lot = np.random.default_rng([seed, 1]).random() * sum(shares.values())
    return list(shares)[int((np.cumsum(list(shares.values())) < lot).sum().clip(0, len(shares) - 1))]


def lessons_of(pieces: Mapping[str, Piece], style: str) -> tuple[list[Lesson], Style, dict[str, int]]:
    """(lessons in order of name, the style, pieces left out by reason).

    A style has the tracks that most of its pieces have; the others are left out.
    """
    emotion, left_out = quadrants(pieces), collections.Counter[str]()
    found: list[tuple[Lesson, tuple[Part, ...]]] = []
    for name in sorted(pieces):
        piece = pieces[name]
        if piece.bars > MOST_BARS or piece.bar_steps > 96:
            left_out[f"longer than {MOST_BARS} bars" if piece.bars > MOST_BARS else "bars of over 8 quarter notes"] += 1
            continue
        try:
            rows, parts = tokens_of(to_common_tonic(piece)[0])
        except (InputError, ValueError) as error:
            left_out[str(error)] += 1
            continue
        found.append((Lesson(name, rows, style, emotion[name], piece.meter, piece.bars), parts))
    if not found:
        raise InputError(f"style {style}: none of its {len(pieces)} pieces can be learnt from")
    layouts = collections.Counter(tuple((part.first, part.track.drum) for part in parts) for _, parts in found)
    usual = layouts.most_common(1)[0][0]
    kept = [(lesson, parts) for lesson, parts in found if tuple((p.first, p.track.drum) for p in parts) == usual]
    left_out["other tracks than most"] += len(found) - len(kept)
    lessons = [lesson for lesson, _ in kept]
    return lessons, _style(style, lessons, [parts for _, parts in kept]), {k: n for k, n in left_out.items() if n}


def _style(name: str, lessons: Sequence[Lesson], layouts: Sequence[tuple[Part, ...]]) -> Style:
    voices_of = [[part.voices for part in same] for same in zip(*layouts, strict=True)]
    usual = [int(np.quantile(counts, USUAL_VOICES, method="higher")) for counts in voices_of]
    parts = tuple(dataclasses.replace(part, voices=count) for part, count in zip(layouts[0], usual, strict=True))
    rows = np.concatenate([lesson.rows for lesson in lessons])
    voices = [rows[rows[:, 1] == voice, 2] for voice in range(VOICES)]
    ranges = [np.percentile(one, [0.5, 99.5]).astype(int) if len(one) else (0, 127) for one in voices]
    meters: dict[str, dict[str, int]] = {}
    for emotion in QUADRANTS:
        counts = collections.Counter(f"{a}/{b}" for a, b in (one.meter for one in lessons if one.emotion == emotion))
        meters[emotion] = dict(sorted(counts.items()))
    return Style(
        name=name,
        pieces=len(lessons),
        parts=parts,
        lowest=tuple(int(low) for low, _ in ranges),
        highest=tuple(int(high) for _, high in ranges),
        longest=int(np.percentile(rows[:, 3], 99.9)) + 1,
        meters=meters,
    )


def _meter(text: str) -> tuple[int, int]:
    over, under = text.split("/")
    return int(over), int(under)
