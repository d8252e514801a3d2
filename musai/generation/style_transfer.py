"""Style transfer: the tune of one piece with the other voices of another style, found by the trained network.

The melody of the source is voice 0 of the target, note for note; every other voice is sampled by the composer under
the target's style, given the melody and all that was sampled before. In a target of a single voice (folk, as it ships)
the melody's notes stay where they are, as long as that style has them, and the network plays others in between.
What is sampled is drawn to the pitch classes that the source's own lower voices have in the same beat, so that its
harmony stays; a source of one voice has none to keep.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from musai.errors import InputError
from musai.generation.composer import Composer
from musai.generation.lessons import same_bars
from musai.generation.quadrants import QUADRANTS, density, quadrant
from musai.generation.sampling import Request, Sampler, sample
from musai.generation.sanity import bar_contents, moves
from musai.generation.styles import MOST_BARS
from musai.generation.wishes import Draft, Wish
from musai.music import keys
from musai.music.notes import STEPS_PER_QUARTER, Piece, skyline
from musai.music.tokens import LONGEST, Part, piece_from

METHOD = "style_transfer"
DENSE = 1.5  # onsets a quarter note, from which on a source is aroused


def compose(composer: Composer, wishes: Sequence[Wish], sampler: Sampler | None = None) -> list[Draft]:
    """The source of each wish in its style, in its own key, meter and tempo, or why it cannot be had: a meter that
    the model has not learnt, a source that is too long, has rests of over two bars or no melody.

    The same wish gives the same piece. Raises InputError for an unknown style.
    """
    if unknown := sorted({wish.style for wish in wishes} - set(composer.names)):
        raise InputError(f"no style {', '.join(unknown)}; the model knows {', '.join(composer.names)}")
    found: list[Draft | _Moved] = [_moved(composer, wish) for wish in wishes]
    requests = [one.request for one in found if isinstance(one, _Moved)]
    grammars = [style.grammar for style in composer.styles]
    sampled = iter(sample(composer.network, requests, grammars, sampler or Sampler()))
    return [one if isinstance(one, Draft) else one.draft(next(sampled)) for one in found]


def emotion_of(source: Piece) -> str:
    """The quadrant of a piece by its mode and its density."""
    return quadrant(not keys.key_of(source).minor, density(source) >= DENSE)


@dataclasses.dataclass(frozen=True)
class _Moved:
    """A source in the common tonic as a request, and the semitones that take the answer back, in the next octave that
    the target's instruments reach."""

    request: Request
    parts: tuple[Part, ...]
    source: Piece
    back: int

    def draft(self, rows: np.ndarray) -> Draft:
        piece = piece_from(rows, self.parts, self.source.meter, self.source.tempo_bpm)
        down, up = moves(piece)
        octaves = [self.back + 12 * octave for octave in range(-3, 4) if down <= self.back + 12 * octave <= up]
        return Draft(piece.transposed(min(octaves, key=lambda move: abs(move - self.back), default=self.back)))


def _moved(composer: Composer, wish: Wish) -> _Moved | Draft:
    assert wish.source is not None
    source = wish.source.piece
    if source.meter not in composer.network.shape.meters:
        return Draft(None, fault="a source in a meter that the model has not learnt")
    if source.bars > MOST_BARS:
        return Draft(None, fault=f"a source of over {MOST_BARS} bars")
    moved, back = keys.to_common_tonic(source)
    style = composer.styles[composer.names.index(wish.style)]
    tune, octaves = _in_range(skyline(moved), style.lowest[0], style.highest[0])
    if not len(tune) or np.diff(tune.onset, prepend=0).max() > LONGEST:
        return Draft(None, fault="a source without a melody, or with a rest of over two bars")
    form = same_bars(bar_contents(tune))
    request = Request(
        style=composer.names.index(wish.style),
        emotion=QUADRANTS.index(wish.emotion),
        meter=composer.network.shape.meters.index(source.meter),
        bars=source.bars,
        seed=wish.seed,
        melody=np.stack([tune.onset, tune.pitch, tune.duration], axis=1),
        ornamented=style.voices == 1,
        harmony=_harmony(moved),
        form=(*form, *range(len(form), source.bars)),
        repeats=False,
        upbeat=2 * int(tune.onset[0]) >= source.bar_steps,
    )
    return _Moved(request, style.parts, source, back - octaves)


def _harmony(piece: Piece) -> np.ndarray:
    """float [beats, 12]: how long each pitch class sounds below the melody in a beat, over that of the longest one."""
    found = np.zeros((-(-piece.end // STEPS_PER_QUARTER), 12))
    for notes, sign in ((piece.pitched(), 1.0), (skyline(piece), -1.0)):
        for pitch, onset, duration in zip(notes.pitch % 12, notes.onset, notes.duration, strict=True):
            steps = np.arange(onset, onset + duration)
            np.add.at(found, (steps // STEPS_PER_QUARTER, pitch), sign)
    found = np.maximum(found, 0.0)
    return found / np.maximum(found.max(axis=1, keepdims=True), 1.0)


def _in_range(tune: Piece, lowest: int, highest: int) -> tuple[Piece, int]:
    """(the tune as one line that no note of overlaps the next, moved by whole octaves to the middle of the range; by
    how many semitones)."""
    if not len(tune):
        return tune, 0
    moved = 12 * round(((lowest + highest) / 2 - float(np.median(tune.pitch))) / 12)
    room = np.append(np.diff(tune.onset), LONGEST)
    line = tune.where(np.ones(len(tune), bool)).transposed(moved)
    line.duration[:] = np.minimum(np.minimum(line.duration, room), LONGEST)
    return line, moved
