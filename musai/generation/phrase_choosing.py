"""Which of the GAN's bars go on a piece, so that what comes out is more like real music of the style.

`musai.generation.choosing` draws one of a few pieces by its odds of being real. A GAN's phrases are too far from real
ones for that (the regression tells them apart nearly always): here the likeliest of a number of phrases is taken, and
then bar after bar, and in it part after part where parts rest at times, the likeliest of those that the others have in
its place, in one pass of iterated conditional modes (Besag, 1986). Every part's bar is one that the generator wrote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from musai.generation import choosing, language, originality, phrase_features, phrases
from musai.generation.choosing import Chooser
from musai.generation.lessons import Lesson, form_of
from musai.generation.originality import Index
from musai.generation.phrase_features import Line
from musai.generation.phrases import BAR_CELLS, PARTS, PHRASE_BARS, SCARCE, cells_of
from musai.generation.styles import Style
from musai.music.notes import Piece
from musai.music.rolls import CELL, SILENT

MOST = 4_000  # real phrases that are looked at
RESTS = 0.1  # share of the bars
OF_PARTS = -4  # the place behind the features of each part, four each
FINER = 18  # features before these: how surprising the steps are, gaps, and the bar after


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in a piece a phrase stands. `part`: one of PARTS; `form`: for each of its bars the bar of the piece that it
    is equal to, itself or an earlier one; `bars`: int8 [1 + bars, BAR_CELLS, voices], those before it and a silent one
    before the first; `returns`: whether the piece's first bar comes again in it; `then`: the bar that the one after the
    phrase is equal to, None where that is new or there is none."""

    emotion: str
    meter: tuple[int, int]
    part: str
    form: tuple[int, ...]
    bars: np.ndarray
    returns: bool = False
    then: int | None = None

    @property
    def first(self) -> int:
        """The number of its first bar in the piece."""
        return len(self.bars) - 1

    def repeated(self, made: np.ndarray) -> np.ndarray:
        """The phrases [n, PHRASE_BARS, BAR_CELLS, voices] with the bars that the form repeats put in."""
        found = made.copy()
        for place, model in enumerate(self.form):
            if model < self.first:
                found[:, place] = self.bars[1 + model]
            elif model < self.first + place:
                found[:, place] = found[:, model - self.first]
        return found

    def heard(self, made: np.ndarray) -> np.ndarray:
        """With the bar before them: [n, (1 + PHRASE_BARS) BAR_CELLS, voices]."""
        before = np.broadcast_to(self.bars[-1], (len(made), 1, *self.bars.shape[1:]))
        return np.concatenate([before, made], axis=1).reshape(len(made), -1, self.bars.shape[2])

    def after(self, made: np.ndarray) -> np.ndarray | None:
        """The bar after each of `repeated`, [n, BAR_CELLS, voices]; None where nobody knows it yet."""
        if self.then is None:
            return None
        if self.then < self.first:
            return np.broadcast_to(self.bars[1 + self.then], (len(made), *self.bars.shape[1:]))
        return np.asarray(made[:, self.then - self.first])

    def fitting(self, made: np.ndarray) -> np.ndarray:
        """bool [n]: which of `repeated` open and close a piece (`phrases.fitting`) and whose bars differ from every
        earlier one where the form says so; without any those that open and close it, or else all."""
        fits = phrases.fitting(made, cells_of(self.meter), self.part, self.returns)
        for allowed in (fits & self._different(made), fits):
            if allowed.any():
                return np.asarray(allowed)
        return np.ones(len(made), bool)

    def _different(self, made: np.ndarray) -> np.ndarray:
        different = np.ones(len(made), bool)
        for place, model in enumerate(self.form):
            if model == self.first + place:
                earlier = np.broadcast_to(self.bars[1:], (len(made), self.first, *made.shape[2:]))
                whole = np.concatenate([earlier, made[:, :place]], axis=1)
                different &= ~(whole == made[:, place : place + 1]).all(axis=(2, 3)).any(axis=1)
        return different


@dataclasses.dataclass(frozen=True)
class PhraseChooser:
    """Of one style, with the index of the music that was learnt from."""

    chooser: Chooser
    style: Style
    index: Index

    def best(self, made: np.ndarray, place: Place, first: np.ndarray) -> np.ndarray:
        """int8 [PHRASE_BARS, BAR_CELLS, voices], of phrases int8 [n, ...] as the generator wrote them.

        Of several parts each is silent in the bars in which it is in `first`, one of them that was picked otherwise:
        the likeliest bar alone is hardly ever a silent one.
        """
        again = np.array([model != place.first + bar for bar, model in enumerate(place.form)])
        alike = (self._silent(made) == self._silent(first)) | again[:, None]  # [n, bars, parts]
        whole = made[alike.all(axis=(1, 2))]
        current = whole[self._likeliest(whole, place)]
        for bar in range(len(made[0])):
            for voices, parts in self._exchanged if not again[bar] else ():
                others = np.unique(made[alike[:, bar, parts].all(axis=1), bar, :, voices], axis=0)
                options = np.repeat(current[None], 1 + len(others), axis=0)
                options[1:, bar, :, voices] = others
                current = options[self._likeliest(options, place)]
        found: np.ndarray = place.repeated(current[None])[0]
        return found

    @property
    def _parts(self) -> list[slice]:
        """The voices of each pitched part where there are several of them."""
        parts = [slice(one.first, one.first + one.voices) for one in self.style.parts if not one.track.drum]
        return parts if len(parts) > 1 else []

    @property
    def _exchanged(self) -> list[tuple[slice, list[int]]]:
        """(voices, parts) whose bars are put in together: all of them, and then those of each of several parts, where
        one of these has RESTS: voices of a choir are written for one another."""
        own = self._parts
        rest = [mean for _, mean in zip(own, self.chooser.mean[OF_PARTS - 4 * len(own) :: 4], strict=False)]
        alone = enumerate(own) if max(rest, default=0.0) > RESTS else ()
        return [(slice(None), list(range(len(own)))), *((voices, [number]) for number, voices in alone)]

    def _silent(self, rolls: np.ndarray) -> np.ndarray:
        """bool [..., bars, parts] of [..., bars, BAR_CELLS, voices]: where nothing of a part sounds."""
        found = [(rolls[..., voices] == SILENT).all(axis=(-2, -1)) for voices in self._parts]
        return np.stack(found, axis=-1) if found else np.zeros((*rolls.shape[:-2], 0), bool)

    def _likeliest(self, made: np.ndarray, place: Place) -> int:
        """The first of equal ones."""
        whole = place.repeated(made)
        rows, usable = described(whole, place, self.style, self.chooser.density, self.index)
        scores = np.full(len(made), -np.inf)
        if usable.any():
            scores[usable] = self.chooser.scores(rows)
        return int(np.where(place.fitting(whole), scores, -np.inf).argmax())


def described(
    made: np.ndarray, place: Place, style: Style, middle: float, index: Index
) -> tuple[np.ndarray, np.ndarray]:
    """`features` of `Place.repeated`."""
    return features(place.heard(made), place.after(made), place, style, middle, index)


def features(
    rolls: np.ndarray, after: np.ndarray | None, place: Place, style: Style, middle: float, index: Index,
    own: Sequence[Piece] = (),
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(float [m, F], bool [n]) of phrases and the bar before them, [n, (1 + PHRASE_BARS) BAR_CELLS, voices]: of the m
    that have two onsets, and which these are.

    `after`: the bar after each, [n, BAR_CELLS, voices], where the form says what it is; `middle`: the median density of
    the style; `own`: for each phrase a piece of the index that does not count.
    """
    cells = cells_of(place.meter)
    tracks = [range(part.first, part.first + part.voices) for part in style.parts if not part.track.drum]
    pitched = [voice for track in tracks for voice in track]
    usable = phrase_features.onsets(rolls[:, :, pitched], cells) > 1
    if not usable.any():
        return np.zeros((0, 0)), usable
    kept = rolls[usable]
    follows = np.full_like(kept[:, :BAR_CELLS], SILENT) if after is None else after[usable]
    lines = [phrase_features.line_of(kept[:, :, list(track)], cells) for track in tracks]
    grams = [phrase_features.grams(line) for line in lines]
    owner, hashes = (np.concatenate(side) for side in zip(*grams, strict=True))
    borrowed = [piece for piece, chosen in zip(own, usable, strict=True) if chosen] if own else ()
    known = originality.known_of(hashes, owner, len(kept), index, borrowed)
    longer = np.concatenate([kept, follows], axis=1)
    longer_lines = [phrase_features.line_of(longer[:, :, list(track)], cells) for track in tracks]
    surprise = _surprise(longer_lines, cells, len(kept), index, borrowed)
    parts = [phrase_features.of_part(kept[:, :, list(track)], cells) for track in tracks if len(tracks) > 1]
    turn = phrase_features.seam(longer[:, -2 * BAR_CELLS :, pitched], cells) * (after is not None)
    kept = kept[:, :, pitched]
    found = phrase_features.numbers(kept, cells)
    minor, dense = found[:, -2], found[:, -1] - middle
    pleasant, aroused = place.emotion in ("happy", "calm"), place.emotion in ("happy", "tense")
    where = [np.full(len(kept), place.part == part) for part in (PARTS[0], PARTS[-1])]
    longest, end = phrase_features.gaps(kept, cells).T
    closing = place.part == PARTS[-1]
    rows = np.column_stack([
        found[:, :-2], phrase_features.seam(kept, cells), known, *where,
        *surprise, longest, end * closing, end * (not closing), turn, np.full(len(kept), after is not None), *parts,
        -minor if pleasant else minor, dense if aroused else -dense, (minor > 0) != pleasant, (dense >= 0) == aroused,
    ])  # fmt: skip
    return rows, usable


def regressed(real: np.ndarray, made: np.ndarray, style: Style, middle: float) -> Chooser:
    """From `features` of real and made phrases [n, F], [m, F]; where fewer than SCARCE are real, from the plainer of
    them: with all, the likeliest is like these few."""
    last = real.shape[1] + OF_PARTS
    parts = sum(not part.track.drum for part in style.parts)
    blind = slice(last - FINER - 4 * parts * (parts > 1), last) if len(real) < SCARCE else slice(0)
    return choosing.regressed(real, made, middle, blind)


def _surprise(
    lines: Sequence[Line], cells: int, count: int, index: Index, own: Sequence[Piece]
) -> tuple[np.ndarray, ...]:
    """How surprising the steps of lines are, of `count` phrases with the bar before and the bar after: mean and
    deviation of those that begin in the former two; the mean of those over the first bar line, over the last one, and
    over the others."""
    notes = [(line.phrase, line.pitch, line.cell * CELL) for line in lines]
    whose, nats = language.surprise(notes, index.language, own)
    bars = [
        (line.cell // cells)[side][np.diff(line.phrase) == 0] for line in lines for side in (slice(-1), slice(1, None))
    ]
    left, right = (np.concatenate(bars[side::2]) for side in (0, 1))
    inside = right <= PHRASE_BARS
    mean = language.mean(whose[inside], nats[inside], count)
    spread = np.sqrt(language.mean(whose[inside], (nats - mean[whose])[inside] ** 2, count))
    first, last = (left == 0) & inside, (left <= PHRASE_BARS) & ~inside
    seams = (over & (left < right) for over in (first, last, inside & ~first))
    return mean, spread, *(language.mean(whose[over], nats[over], count) for over in seams)


def real(
    learnt: Sequence[tuple[Lesson, np.ndarray]], pieces: Mapping[str, Piece], style: Style, middle: float, index: Index
) -> np.ndarray:
    """Features [n, F] of phrases of a style's pieces; [0, 0] where none has pitched notes. `learnt`: lessons with their
    bars [bars, BAR_CELLS, voices]; `pieces` by name, which stand in the index."""
    rolls, owner, first, part = phrases.phrases([bars for _, bars in learnt])
    forms = [form_of(lesson) for lesson, _ in learnt]
    groups: dict[tuple[str, tuple[int, int], str, bool], list[int]] = {}
    for number in np.random.default_rng(0).permutation(len(rolls))[:MOST].tolist():
        lesson, then = learnt[owner[number]][0], first[number] + PHRASE_BARS
        again = then < lesson.bars and forms[owner[number]][then] < then
        groups.setdefault((lesson.emotion, lesson.meter, PARTS[part[number]], again), []).append(number)
    rows = []
    for (emotion, meter, name, again), own in groups.items():
        place = Place(emotion, meter, name, (), rolls[:0])
        names = [learnt[owner[number]][0].name for number in own]
        same = [pieces[one] if one in pieces else pieces[one.rpartition(", section ")[0]] for one in names]
        after = np.stack([learnt[owner[number]][1][first[number] + PHRASE_BARS] for number in own]) if again else None
        rows.append(features(rolls[own], after, place, style, middle, index, same)[0])
    return joined(rows)


def joined(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Those of `described`, one after the other."""
    return np.concatenate([own for own in rows if len(own)] or [np.zeros((0, 0))])
