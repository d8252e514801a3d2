"""MIDI files in and out, by symusic (0.6 ms a pop song; pretty_midi takes 89)."""

from __future__ import annotations

import collections
import math
import pathlib
import stat
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import symusic

from musai.errors import InputError
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, bar_steps, sorted_piece

TICKS_PER_STEP = 40  # on writing: 480 ticks a quarter note
LONGEST_PIECE = 3_000  # bars; a file beyond it holds a wrong time, not music
LARGEST_FILE = 1 << 26  # bytes; a whole opera has a hundredth of it
TEXT_MARK = "musai "  # opens the marker that holds what we say of a file


class MidiFault(InputError):
    """A MIDI file that cannot be used; the text is the reason, without the file's name."""


def read_midi(source: bytes | str | pathlib.Path) -> Piece:
    """The notes of a file, each onset and end at the nearest step (so off by 1/24 quarter note at most).

    Meter and tempo are those that hold for most of the piece. Raises MidiFault with the reason, and OSError where
    there is no such file.
    """
    score = score_of(source if isinstance(source, bytes) else content_of(pathlib.Path(source)))
    if score.tpq <= 0:
        raise MidiFault("no ticks a quarter note")
    sounding = [track for track in score.tracks if track.notes]
    if not sounding:
        raise MidiFault("no notes")
    tracks = [Track(track.name, int(track.program), bool(track.is_drum)) for track in sounding]
    columns = [track.notes.numpy() for track in sounding]
    time, duration, pitch, velocity = (
        np.concatenate([found[name] for found in columns]) for name in ("time", "duration", "pitch", "velocity")
    )
    sizes = [len(found["time"]) for found in columns]
    start, stop = _steps(time, score.tpq), _steps(time + duration, score.tpq)
    if start.min() < 0 or pitch.min() < 0:
        raise MidiFault("a note or a time below 0")
    arrays = {
        "pitch": pitch.astype(np.int32),
        "onset": start.astype(np.int32),
        "duration": np.maximum(stop - start, 1).astype(np.int32),
        "velocity": np.maximum(velocity, 1).astype(np.int32),
        "track": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
    }
    end = max(int(start.max()) + 1, int(stop.max()))
    meter = _meter(score, end)
    if -(-end // bar_steps(meter)) > LONGEST_PIECE:
        raise MidiFault(f"longer than {LONGEST_PIECE} bars")
    return sorted_piece(Piece(**arrays, tracks=tuple(tracks), meter=meter, tempo_bpm=_tempo(score, end)))


def content_of(path: pathlib.Path) -> bytes:
    """A file's bytes. Raises OSError where there is no such file, and MidiFault for what is none: a pipe or a device,
    whose end a night would wait for, and what is larger than any piece."""
    about = path.stat()
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        raise MidiFault("no regular file")
    if about.st_size > LARGEST_FILE:
        raise MidiFault(f"larger than {LARGEST_FILE >> 20} MiB")
    return path.read_bytes()


def score_of(data: bytes, unit: Literal["tick", "quarter", "second"] = "tick") -> Any:
    """symusic's score, with times in `unit`. Raises MidiFault with the reason where there is none to be had."""
    _check_whole(data)
    try:
        return symusic.Score.from_midi(data, unit)
    except (RuntimeError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise MidiFault(f"not MIDI: {str(error).splitlines()[0][:100]}") from error


def _check_whole(data: bytes) -> None:
    """Raises MidiFault where the chunks that the header counts are not all there: symusic reads on past the end."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise MidiFault("not MIDI: no header")
    place, left = 8 + int.from_bytes(data[4:8]), int.from_bytes(data[10:12])
    while left:
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8])
        if len(data) < place + 8 or len(data) < end:
            raise MidiFault("not MIDI: cut off")
        left -= data[place : place + 4] == b"MTrk"  # other chunks may stand between
        place = end


def read_all(paths: Iterable[pathlib.Path]) -> tuple[dict[pathlib.Path, Piece], dict[pathlib.Path, str]]:
    """(pieces, reasons of the others) by path; every path is in one of them."""
    pieces: dict[pathlib.Path, Piece] = {}
    rejected: dict[pathlib.Path, str] = {}
    for path in paths:
        try:
            pieces[path] = read_midi(path)
        except MidiFault as fault:
            rejected[path] = fault.faults[0]
        except OSError as error:
            rejected[path] = error.strerror or "cannot be read"
    return pieces, rejected


def write_midi(piece: Piece, texts: Sequence[str] = ()) -> bytes:
    """The bytes of a MIDI file, which hold no time and no path; `texts` become markers at its start."""
    score: Any = symusic.Score(STEPS_PER_QUARTER * TICKS_PER_STEP)
    score.tempos.append(symusic.Tempo(0, qpm=piece.tempo_bpm))
    score.time_signatures.append(symusic.TimeSignature(0, *piece.meter))
    for text in texts:
        score.markers.append(symusic.TextMeta(0, TEXT_MARK + text))
    for number, about in enumerate(piece.tracks):
        track: Any = symusic.Track(about.name, about.program, about.drum)
        part = piece.of_track(number)
        for pitch, onset, duration, velocity in zip(
            part.pitch.tolist(), part.onset.tolist(), part.duration.tolist(), part.velocity.tolist(), strict=True
        ):
            track.notes.append(symusic.Note(onset * TICKS_PER_STEP, duration * TICKS_PER_STEP, pitch, velocity))
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def texts_of(data: bytes) -> list[str]:
    """What `write_midi` was given as `texts`."""
    markers = [marker.text for marker in score_of(data).markers]
    return [text.removeprefix(TEXT_MARK) for text in markers if text.startswith(TEXT_MARK)]


def reasons(rejected: Iterable[str]) -> dict[str, int]:
    """Reason -> files, the commonest first."""
    return dict(collections.Counter(rejected).most_common())


def _steps(ticks: np.ndarray, ticks_per_quarter: int) -> np.ndarray:
    doubled = 2 * STEPS_PER_QUARTER * ticks.astype(np.int64) + ticks_per_quarter
    return np.floor_divide(doubled, 2 * ticks_per_quarter)


def _meter(score: Any, end: int) -> tuple[int, int]:
    """The meter that holds longest; 4/4 where none is stated. Raises MidiFault where its bar is not whole steps."""
    held: collections.Counter[tuple[int, int]] = collections.Counter()
    stated = [(_at(mark.time, score.tpq), (mark.numerator, mark.denominator)) for mark in score.time_signatures]
    for (_, meter), steps in zip(stated, _held([start for start, _ in stated], end), strict=True):
        held[meter] += steps
    meter = held.most_common(1)[0][0] if held else (4, 4)
    if meter[0] < 1 or meter[1] not in (1, 2, 4, 8, 16):
        raise MidiFault(f"the meter {meter[0]}/{meter[1]}")
    return meter


def _tempo(score: Any, end: int) -> float:
    """The mean tempo over the piece, weighted by steps; 120 where none is stated."""
    stated = [(_at(mark.time, score.tpq), float(mark.qpm)) for mark in score.tempos]
    if not stated:
        return 120.0
    lengths = _held([start for start, _ in stated], end)
    tempos = [tempo for _, tempo in stated]
    if not all(map(math.isfinite, tempos)) or min(tempos) <= 0:
        raise MidiFault("a tempo that is none")
    held = sum(lengths)
    return sum(tempo * steps for tempo, steps in zip(tempos, lengths, strict=True)) / held if held else tempos[0]


def _held(starts: list[int], end: int) -> list[int]:
    """Steps from each start to the next one, or to the end."""
    stops = [*starts[1:], end] if starts else []
    return [max(stop - start, 0) for start, stop in zip(starts, stops, strict=True)]


def _at(tick: int, ticks_per_quarter: int) -> int:
    return tick * STEPS_PER_QUARTER // ticks_per_quarter
