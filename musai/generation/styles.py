"""What a style's training pieces have in common: tracks, ranges, meters, lengths. Taken from them, never from code."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musai.errors import InputError
from musai.generation.lessons import Lesson
from musai.generation.quadrants import QUADRANTS, quadrants
from musai.generation.sampling import Grammar
from musai.music.keys import to_common_tonic
from musai.music.notes import Piece, Track
from musai.music.thinning import at_once, thinned
from musai.music.tokens import LONGEST, VOICES, Part, tokens_of

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
    def drums(self) -> tuple[bool, ...]:
        return tuple(part.track.drum for part in self.parts)

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


def lessons_of(
    pieces: Mapping[str, Piece], style: str, like: Style | None = None
) -> tuple[list[Lesson], Style, dict[str, int]]:
    """(lessons in order of name, the style, pieces left out by reason).

    A style has the tracks that most of its pieces have, and of each as many voices as most of them need; or those of
    the style that it is `like`. Pieces with other tracks are left out, chords with too many notes are thinned, and a
    piece of over MOST_BARS bars becomes several lessons. Raises InputError where a new style has no lesson.
    """
    emotion, left_out = quadrants(pieces), collections.Counter[str]()
    usable = {name: pieces[name] for name in sorted(pieces) if pieces[name].bar_steps <= LONGEST}
    left_out["bars of over 8 quarter notes"] = len(pieces) - len(usable)
    kept = {name: piece for name, piece in usable.items() if like is None or _drums(piece) == like.drums}
    if like is None and usable:
        usual = collections.Counter(map(_drums, usable.values())).most_common(1)[0][0]
        kept = {name: piece for name, piece in usable.items() if _drums(piece) == usual}
    left_out["other tracks than most"] = len(usable) - len(kept)
    voices = [part.voices for part in like.parts] if like else _voices_of(list(kept.values()))
    lessons: list[Lesson] = []
    layouts: list[tuple[Part, ...]] = []
    for name, piece in kept.items():
        for number, section in enumerate(_sections(to_common_tonic(piece)[0])):
            try:
                rows, parts = tokens_of(thinned(section, voices), voices)
            except (InputError, ValueError) as error:
                left_out[str(error)] += 1
                continue
            part_of = name if not number else f"{name}, section {number + 1}"
            lessons.append(Lesson(part_of, rows, style, emotion[name], piece.meter, section.bars))
            layouts.append(parts)
    if not lessons and not like:
        raise InputError(f"style {style}: none of its {len(pieces)} pieces can be learnt from")
    return lessons, like or _style(style, lessons, layouts[0]), {why: n for why, n in left_out.items() if n}


def _drums(piece: Piece) -> tuple[bool, ...]:
    return tuple(track.drum for track in piece.tracks)


def _voices_of(pieces: Sequence[Piece]) -> list[int]:
    """By track: what USUAL_VOICES of the pieces need at most, at least 1; of more than VOICES the fullest lose some."""
    if not pieces:
        return []
    needed = np.quantile([at_once(piece) for piece in pieces], USUAL_VOICES, axis=0, method="higher")
    found = np.maximum(needed.astype(int), 1)
    while found.sum() > VOICES and found.max() > 1:
        found[found.argmax()] -= 1
    return found.tolist()


def _sections(piece: Piece) -> list[Piece]:
    """The piece in as few parts of like length as have MOST_BARS bars at most."""
    count = -(-piece.bars // MOST_BARS) or 1
    cuts = np.linspace(0, piece.bars, count + 1).round().astype(int)
    return [piece] if count == 1 else [piece.excerpt(a, b - a) for a, b in itertools.pairwise(cuts.tolist())]


def _style(name: str, lessons: Sequence[Lesson], parts: tuple[Part, ...]) -> Style:
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
