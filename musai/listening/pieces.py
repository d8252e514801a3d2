"""What a listening test may play: the created tracks that are published, and real pieces of their styles."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import pyarrow.dataset as ds

from musai.config import Config
from musai.errors import InputError
from musai.inputs import media
from musai.music.midi import MidiFault, read_midi
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, sorted_piece
from musai.warehouse import Warehouse

REAL, SHUFFLED = "real", "shuffled"  # beside the methods of generated_tracks
VELOCITY = 80
PIANO = 0


@dataclasses.dataclass(frozen=True)
class Heard:
    """A piece and where it is from; `kind`: real, shuffled, or the method that made it."""

    kind: str
    style: str
    track_id: str
    piece: Piece


def published(warehouse: Warehouse, config: Config) -> list[Heard]:
    """Created tracks, then real pieces of their styles that can be read, in order of their ids.

    Raises InputError where nothing was created or the catalogue has no piece of any of their styles.
    """
    made = _rows(warehouse, "generated_tracks", ["generated_id", "method", "style", "target_style", "midi"])
    created = [
        Heard(row["method"], row["target_style"] or row["style"], row["generated_id"], read_midi(row["midi"]))
        for row in made
    ]
    roots = media.roots_of(config.inputs)
    style_of = {genre.lower(): style for style, genres in config.generation.styles.items() for genre in genres}
    wanted = {one.style for one in created}
    real = []
    for row in _rows(warehouse, "tracks", ["track_id", "genre", "midi_path"]):
        style = style_of.get((row["genre"] or "").lower())
        piece = _read(row["midi_path"], roots) if style in wanted and row["midi_path"] else None
        if style is not None and piece is not None:
            real.append(Heard(REAL, style, row["track_id"], piece))
    if not created or not real:
        lacking = "no created tracks" if not created else f"no real pieces of {', '.join(sorted(wanted))} as MIDI"
        raise InputError(f"the published run has {lacking} to compare (generation.tracks, generation.styles)")
    return [*created, *real]


def _rows(warehouse: Warehouse, table: str, columns: Sequence[str]) -> list[dict]:
    files = ds.dataset(warehouse.published_path(table), format="parquet", partitioning=None)
    rows: list[dict] = files.to_table(columns=list(columns)).sort_by(columns[0]).to_pylist()
    return rows


def _read(path: str, roots: Sequence[str]) -> Piece | None:
    """None for a file that is not there, not allowed or no MIDI: the night counted it among its rejects."""
    place = media.located(path, roots)
    if place is None or "://" in place:
        return None
    try:
        return read_midi(pathlib.Path(place))
    except (MidiFault, OSError):
        return None


def alike(piece: Piece, tempo_bpm: float, seconds: float) -> Piece | None:
    """Its first seconds from the first note on, at one tempo, loudness and instrument; None where it is shorter.

    What is left to hear is the notes alone. Drums stay drums.
    """
    steps = round(seconds * tempo_bpm / 60 * STEPS_PER_QUARTER)
    if not len(piece):
        return None
    onset = piece.onset - piece.onset.min()
    if (onset + piece.duration).max() < steps:
        return None
    early = dataclasses.replace(piece, onset=onset).where(onset < steps)
    return dataclasses.replace(
        early,
        duration=np.minimum(early.duration, steps - early.onset).astype(np.int32),
        velocity=np.full(len(early), VELOCITY, np.int32),
        tracks=tuple(Track(track.name, PIANO, track.drum) for track in piece.tracks),
        tempo_bpm=tempo_bpm,
    )


def shuffled(piece: Piece, seed: int) -> Piece:
    """The same rhythm with the pitches of each track dealt out anew: what a listener who attends hears at once."""
    random, pitch = np.random.default_rng(seed), piece.pitch.copy()
    for track in range(len(piece.tracks)):
        own = np.flatnonzero(piece.track == track)
        pitch[own] = pitch[random.permutation(own)]
    return sorted_piece(dataclasses.replace(piece, pitch=pitch))
