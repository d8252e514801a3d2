"""A published run of a few tunes: real ones on disk, created ones in their table."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai import config as configuration
from musai import storage
from musai.listening.pieces import Heard
from musai.music.midi import write_midi
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, piece_of
from musai.warehouse import Warehouse

STYLES = {"folk": "reel", "chorale": "chorale"}  # style -> a genre of the configuration that is it


def tune(seed: int, quarters: int = 64, tempo_bpm: float = 120.0) -> Piece:
    """A walk of quarter notes with a velocity and an instrument of its own."""
    random = np.random.default_rng(seed)
    pitches = 64 + np.clip(random.choice([-2, -1, 1, 2], quarters).cumsum(), -12, 12)
    loud, program = int(random.integers(40, 120)), int(random.integers(0, 80))
    q = STEPS_PER_QUARTER
    rows = [(int(pitch), (4 + place) * q, q, loud, 0) for place, pitch in enumerate(pitches)]
    return piece_of(rows, [Track("melody", program)], (4, 4), tempo_bpm)


@pytest.fixture
def heard() -> list[Heard]:
    """Six real and six created tunes of each style, and three transferred ones of folk."""
    found = []
    for style in STYLES:
        kinds = ["real"] * 6 + ["rnn"] * 6 + ["style_transfer"] * (3 if style == "folk" else 0)
        for number, kind in enumerate(kinds):
            piece = tune(number, tempo_bpm=80 + 10 * number)
            found.append(Heard(kind, style, f"{style}-{number}", piece))
    return found


@pytest.fixture
def published(heard: list[Heard], tmp_path: pathlib.Path) -> tuple[Warehouse, configuration.Config]:
    """The same in a warehouse and a catalogue with two files that cannot be used."""
    root, media = tmp_path / "warehouse", tmp_path / "media"
    media.mkdir()
    catalogue = [("broken", "reel", "broken.mid"), ("outside", "reel", "../../etc/passwd"), ("silent", "reel", None)]
    (media / "broken.mid").write_bytes(b"no MIDI")
    made = []
    for one in heard:
        if one.kind == "real":
            (media / f"{one.track_id}.mid").write_bytes(write_midi(one.piece))
            catalogue.append((one.track_id, STYLES[one.style], f"{one.track_id}.mid"))
        else:
            target = one.style if one.kind == "style_transfer" else None
            made.append((one.track_id, one.kind, "chorale" if target else one.style, target, write_midi(one.piece)))
    text = pa.string()
    for table, rows, columns in (
        ("tracks", catalogue, {"track_id": text, "genre": text, "midi_path": text}),
        (
            "generated_tracks", made,
            {"generated_id": text, "method": text, "style": text, "target_style": text, "midi": pa.binary()},
        ),
    ):  # fmt: skip
        arrays = [
            pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), columns.values(), strict=True)
        ]
        (root / table / "run_id=r1").mkdir(parents=True)
        pq.write_table(pa.table(dict(zip(columns, arrays, strict=True))), root / table / "run_id=r1/part-0.parquet")
    named = {table: {"run_id": "r1", "path": f"{table}/run_id=r1"} for table in ("tracks", "generated_tracks")}
    pointer = {"run_id": "r1", "run_date": "2026-01-01", "report": None, "tables": named}
    (root / "_published.json").write_text(json.dumps(pointer))
    config = configuration.load([], [f"warehouse={root}", f"inputs.tracks={media}", f"inputs.media_roots=[{media}]"])
    return Warehouse(storage.at(str(root)), config), config
