"""Synthetic listening logs in a real one's shape: `python tests/benchmarks/logs.py PLAYS FOLDER` writes Parquet.

A listener for every 50 plays and a track for every 200; listeners are lognormal in their plays (sigma 1), a track's
share falls with its rank to the 0.8 (Zipf), times are spread evenly over 30 days.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PLAYS_A_USER, PLAYS_A_TRACK, DAYS = 50, 200, 30
ROWS_A_FILE = 1_000_000
START = np.datetime64("2026-01-01", "us")


def write(folder: pathlib.Path, plays: int, seed: int = 0) -> None:
    """user_id, track_id and timestamp of so many plays, a million a file."""
    rng = np.random.default_rng(seed)
    users, tracks = max(1, plays // PLAYS_A_USER), max(1, plays // PLAYS_A_TRACK)
    activity = np.cumsum(rng.lognormal(0, 1, users))
    popularity = np.cumsum(rng.permutation(np.arange(1, tracks + 1) ** -0.8))
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, plays, ROWS_A_FILE)):
        rows = min(ROWS_A_FILE, plays - start)
        columns = {
            "user_id": _drawn("u", activity, rows, rng),
            "track_id": _drawn("t", popularity, rows, rng),
            "timestamp": pa.array(START + rng.integers(0, DAYS * 86_400_000_000, rows), pa.timestamp("us", "UTC")),
        }
        pq.write_table(pa.table(columns), folder / f"part-{number:05d}.parquet")


def _drawn(prefix: str, cumulated: np.ndarray, rows: int, rng: np.random.Generator) -> pa.Array:
    names = pa.array([f"{prefix}{number}" for number in range(len(cumulated))])
    return names.take(pa.array(np.searchsorted(cumulated, rng.random(rows) * cumulated[-1])))


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[2]), int(sys.argv[1]))
