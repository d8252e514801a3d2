"""Tiny nights on two cores, run by the real pipeline on files that are made here."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from rich.console import Console

from musai import config as configuration
from musai import pipeline
from musai.config import Config
from musai.progress import Progress

USERS, TRACKS, TASTES = 40, 60, 3


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
        rows.writerow(["track_id", "title", "artist", "explicit"])
        for track in range(TRACKS + 4):
            rows.writerow(
                [f"t{track:02d}", f"Title {track}", f"Artist {track // 4}", "true" if track == 7 else "false"]
            )


@dataclasses.dataclass
class Made:
    """A finished night: its configuration, its outcome, and its tables as pandas."""

    config: Config
    outcome: pipeline.Outcome
    printed: str

    def table(self, name: str) -> pd.DataFrame:
        return ds.dataset(self.outcome.run.uri(name), format="parquet", partitioning=None).to_table().to_pandas()


def overrides_of(folder: pathlib.Path) -> list[str]:
    """The KEY=VALUE of a tiny night on the inputs in a folder."""
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
