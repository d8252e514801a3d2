"""Style transfer: the tune of one piece with the other voices of another style, found by the trained network.

The melody of the source is voice 0 of the target, note for note; every other voice is sampled by the composer under
the target's style, given the melody and all that was sampled before. A target that has a single voice (folk, as it
ships) leaves the melody alone, which is what such music is.
"""

from __future__ import annotations

import numpy as np

from musai.errors import InputError
from musai.generation.composer import Composer
from musai.generation.quadrants import QUADRANTS, density, quadrant
from musai.generation.sampling import Request, Sampler, sample
from musai.generation.styles import MOST_BARS
from musai.music import keys
from musai.music.notes import Piece, melody
from musai.music.tokens import LONGEST, piece_from

METHOD = "style_transfer"
DENSE = 1.5  # onsets a quarter note, from which on a source is aroused


def transfer(composer: Composer, source: Piece, target: str, seed: int, sampler: Sampler | None = None) -> Piece:
    """The source in the target style, in its own key, meter and tempo; the same seed gives the same piece.

    Raises InputError for an unknown style, a meter the model has not learnt, or a source that is too long, has rests
    of over two bars or no melody.
    """
    if target not in composer.names:
        raise InputError(f"no style {target}; the model knows {', '.join(composer.names)}")
    if source.meter not in composer.network.shape.meters:
        raise InputError(f"the meter {source.meter[0]}/{source.meter[1]} is none that the model has learnt")
    if source.bars > MOST_BARS:
        raise InputError(f"{source.bars} bars; at most {MOST_BARS} are due")
    key = keys.key_of(source)
    moved, back = keys.to_common_tonic(source, key)
    style = composer.styles[composer.names.index(target)]
    tune, octaves = _in_range(melody(moved), style.lowest[0], style.highest[0])
    if not len(tune) or np.diff(tune.onset, prepend=0).max() > LONGEST:
        raise InputError("no melody, or a rest of over two bars in it")
    request = Request(
        style=composer.names.index(target),
        emotion=QUADRANTS.index(quadrant(not key.minor, _dense(source))),
        meter=composer.network.shape.meters.index(source.meter),
        bars=source.bars,
        seed=seed,
        melody=np.stack([tune.onset, tune.pitch, tune.duration], axis=1),
    )
    (rows,) = sample(composer.network, [request], [one.grammar for one in composer.styles], sampler or Sampler())
    return piece_from(rows, style.parts, source.meter, source.tempo_bpm).transposed(back - octaves)


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


def _dense(piece: Piece) -> bool:
    return density(piece) >= DENSE
