"""Tiny nights on two cores, run by the real pipeline on files that are made here."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import soundfile
import symusic
from rich.console import Console

from musai import config as configuration
from musai import pipeline
from musai.config import Config
from musai.progress import Progress

USERS, TRACKS, TASTES = 40, 60, 3
SOUNDS = {  # track -> audio_path and midi_path, beside tracks.csv; what cannot be used is counted
    0: ("sounds/low.wav", ""),
    1: ("sounds/high.flac", ""),
    20: ("", "sounds/scale.mid"),
    40: ("sounds/silent.wav", "sounds/scale.mid"),
    41: ("sounds/missing.ogg", ""),
    62: ("sounds/low.wav", ""),
}


def write_inputs(folder: pathlib.Path, seed: int = 5) -> None:
    """Listeners of three tastes over 60 tracks, in two CSV files with a few bad rows; a catalogue of 64 tracks."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for part in range(2):
        with (folder / f"log{part}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["user_id", "track_id", "plays", "timestamp"])
            for user in range(USERS):
                taste = user % TASTES
                for _ in range(8):
                    track = (
                        taste * 20 + int(random.zipf(1.6)) % 20 if random.random() < 0.9 else random.integers(TRACKS)
                    )
                    rows.writerow(
                        [
                            f"u{user:02d}",
                            f"t{track:02d}",
                            random.integers(1, 9),
                            f"2025-0{part + 1}-{random.integers(1, 28):02d}",
                        ]
                    )
            file.write(f"u00,t00,many,2025-01-01\n,t01,1,2025-01-01\nu01,t02,nan,2025-01-0{part + 1}\n")
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["track_id", "title", "artist", "explicit", "tags", "audio_path", "midi_path"])
        for track in range(TRACKS + 4):
            tags = f"taste {track % TRACKS // 20}|{'odd' if track % 2 else 'even'}"
            explicit = "true" if track == 7 else "false"
            sound, notes = SOUNDS.get(track, ("", ""))
            rows.writerow([f"t{track:02d}", f"Title {track}", f"Artist {track // 4}", explicit, tags, sound, notes])
    write_sounds(folder.parent / "sounds")


def write_sounds(folder: pathlib.Path) -> None:
    """The files of SOUNDS that are there: two tones, silence, a scale."""
    folder.mkdir(exist_ok=True)
    seconds = np.arange(5 * 16_000) / 16_000
    for name, hz in (("low.wav", 110), ("high.flac", 1760), ("silent.wav", 0)):
        soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * hz * seconds), 16_000)
    score: Any = symusic.Score(480)
    track: Any = symusic.Track("", 0, False)
    track.notes.extend([symusic.Note(240 * place, 240, 60 + place, 90) for place in range(16)])
    score.tracks.append(track)
    (folder / "scale.mid").write_bytes(score.dumps_midi())


@dataclasses.dataclass
class Made:
    """A finished night: its configuration, its outcome, and its tables as pandas."""

    config: Config
    outcome: pipeline.Outcome
    printed: str

    def table(self, name: str) -> pd.DataFrame:
        return ds.dataset(self.outcome.run.uri(name), format="parquet", partitioning=None).to_table().to_pandas()


def overrides_of(folder: pathlib.Path) -> list[str]:
    """KEY=VALUE of a tiny night on the files in `folder`, as the command line takes them."""
    return [
        "spark.master=local[2]", "spark.shuffle_partitions=2", f"warehouse={folder / 'warehouse'}",
        f"inputs.interactions={folder / 'logs'}", f"inputs.tracks={folder / 'tracks.csv'}",
        "recommend.top_n=10", "factorization.factors=8", "factorization.iterations=5", "evaluation.ks=[5, 10]",
        "evaluation.resamples=50", "generation.tracks=8",
    ]  # fmt: skip


def settings_of(folder: pathlib.Path, *overrides: str) -> Config:
    return configuration.load([], [*overrides_of(folder), *overrides])


def run(config: Config, **request: object) -> Made:
    text = io.StringIO()
    outcome = pipeline.nightly(config, pipeline.Request(**request), Progress(Console(file=text, width=200)))
    return Made(config, outcome, text.getvalue())
