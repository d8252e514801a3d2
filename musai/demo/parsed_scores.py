"""Scores of music21's corpus as pieces: repeats written out, ties joined, grace notes left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from musai.errors import InputError
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, piece_of

VELOCITY = 80
VOICES = ("soprano", "alto", "tenor", "bass")
PROGRAMS = {1: (73,), 4: (52, 52, 52, 52)}  # by number of parts: a flute, a choir


def piece_of_score(score: str | Path) -> Piece:
    """The piece of an ABC text or a MusicXML file. Raises InputError where music21 cannot make notes of it.

    0.1 s a tune, 0.2 s a chorale. A short first bar becomes a pickup. Only scores of one meter are taken.
    """
    from music21 import converter

    try:
        parsed = converter.parse(score, format="abc" if isinstance(score, str) else "musicxml")
        parts = list(parsed.parts) if hasattr(parsed, "parts") else [parsed]
        parts = [_played(part) for part in _voices(parts)]
    except Exception as error:  # whatever a score makes music21 raise, it is of no use
        raise InputError(f"{type(error).__name__}: {str(error)[:100]}") from error
    meters = {(mark.numerator, mark.denominator) for part in parts for mark in part.flatten().getTimeSignatures()}
    if len(meters) != 1:
        raise InputError(f"{len(meters)} meters")
    meter = meters.pop()
    bar = meter[0] * 4 / meter[1]
    rows: list[tuple[int, int, int, int, int]] = []
    for track, part in enumerate(parts):
        first = part.recurse().getElementsByClass("Measure").first()
        missing = bar - float(first.duration.quarterLength) if first is not None else 0.0
        rows += _rows(part.stripTies().flatten(), max(missing, 0.0), track)
    if not rows:
        raise InputError("no notes")
    programs = PROGRAMS.get(len(parts), (0,) * len(parts))
    names = ("melody",) if len(parts) == 1 else [f"voice {number + 1}" for number in range(len(parts))]
    return piece_of(rows, [Track(*about) for about in zip(names, programs, strict=True)], meter)


def _voices(parts: list[Any]) -> list[Any]:
    """Soprano, alto, tenor and bass where a score has one of each (instruments double them), else all its parts."""
    called = [str(part.partName or "").lower() for part in parts]
    voices = [[part for part, name in zip(parts, called, strict=True) if name.startswith(voice)] for voice in VOICES]
    return [found[0] for found in voices] if all(len(found) == 1 for found in voices) else parts


def _played(part: Any) -> Any:
    """The part as it is played, repeats and endings written out; as it stands where the repeats do not add up."""
    from music21.exceptions21 import Music21Exception
    from music21.repeat import ExpanderException

    try:
        return part.expandRepeats()
    except (ExpanderException, Music21Exception, IndexError, AttributeError):
        return part


def _rows(notes: Any, shift: float, track: int) -> list[tuple[int, int, int, int, int]]:
    rows = []
    for note in notes.notes:
        length, start = float(note.duration.quarterLength), float(note.offset) + shift
        if length <= 0 or note.__class__.__name__ in ("ChordSymbol", "NoChord"):
            continue
        onset, stop = (round(place * STEPS_PER_QUARTER) for place in (start, start + length))
        rows += [(pitch.midi, onset, max(stop - onset, 1), VELOCITY, track) for pitch in note.pitches]
    return rows
