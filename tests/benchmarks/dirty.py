"""What dirt costs at ingest: python tests/benchmarks/dirty.py [ROWS [SHARE [REPEATS]]]

Writes a log of ROWS good rows (300,000 by default), and the same log with SHARE (0.01) of them more that cannot be
used, of every kind the demo has and, rarer, rows of up to 10 kB, mixed in evenly. Reads each REPEATS (3) times by the
job `ingest_interactions`, in turns, and prints the shortest times (what disturbs a machine only adds) beside what
became of the rows: every bad row has to be in `rejected_rows`, and every good one in `interactions`. Exit status 1
where one is lost, or where the dirt costs more than a tenth.
"""

from __future__ import annotations

import argparse
import io
import pathlib
import sys
import tempfile

import numpy as np
from rich.console import Console

from musai import config as configuration
from musai import pipeline
from musai.demo.dirt import KINDS
from musai.progress import Progress

FILES, BLOCK = 16, 50_000
MOST = 0.10
WORSE = (
    b"{u}," + b"x" * 10_000 + b",play,-1,{d}", b"{u},{t},play,1," + b"9" * 5_000, b"\x00,\x00,play,nan,{d}",
    b'"{u}""' * 200 + b",{t},play,1,{d}", b"," * 300, b"{u},{t},stolen,1,{d}",
)  # fmt: skip
TEMPLATES = [*(row for rows in KINDS.values() for row in rows)] * 10 + [*WORSE]  # rarer, or their bytes are the cost


def write_logs(folder: pathlib.Path, rows: int, share: float, seed: int = 1) -> int:
    """`clean` and `dirty` under the folder; the number of bad rows in the latter."""
    drawn, bad = np.random.default_rng(seed), 0
    for name in ("clean", "dirty"):
        (folder / name).mkdir()
    streams = [
        ((folder / "clean" / f"{n}.csv").open("wb"), (folder / "dirty" / f"{n}.csv").open("wb")) for n in range(FILES)
    ]
    for clean, dirty in streams:
        clean.write(b"user_id,track_id,event,plays,timestamp\n")
        dirty.write(b"user_id,track_id,event,plays,timestamp\n")
    for number, start in enumerate(range(0, rows, BLOCK)):
        clean, dirty = streams[number % FILES]
        lines = good_rows(drawn, min(BLOCK, rows - start))
        clean.write(b"\n".join(lines) + b"\n")
        mixed: list[bytes] = []
        step = max(1, round(1 / share))
        for place in range(0, len(lines), step):
            mixed += [bad_row(bad), *lines[place : place + step]]
            bad += 1
        dirty.write(b"\n".join(mixed) + b"\n")
    for clean, dirty in streams:
        clean.close()
        dirty.close()
    return bad


def good_rows(drawn: np.random.Generator, count: int) -> list[bytes]:
    users, tracks = drawn.integers(50_000, size=count), drawn.zipf(1.5, count) % 20_000
    plays, days = drawn.integers(1, 20, count), drawn.integers(1, 28, count)
    columns = zip(users.tolist(), tracks.tolist(), plays.tolist(), days.tolist(), strict=True)
    return [f"user-{u},track-{t},play,{p},2025-03-{d:02d}T10:00:00Z".encode() for u, t, p, d in columns]


def bad_row(number: int) -> bytes:
    row = TEMPLATES[number % len(TEMPLATES)]
    return row.replace(b"{u}", b"user-%d" % number).replace(b"{t}", b"track-1").replace(b"{d}", b"2025-03-01T10:00:00Z")


def ingested(folder: pathlib.Path, name: str) -> tuple[float, dict[str, int]]:
    """Seconds of the job, and what became of the rows."""
    warehouse = tempfile.mkdtemp(dir=folder)  # its own: a run that was begun would be gone on with
    settings = ["spark.master=local[2]", "ingest.max_rejected_share=1", f"warehouse={warehouse}"]
    config = configuration.load([], [*settings, f"inputs.interactions={folder / name}"])
    job = "ingest_interactions"
    outcome = pipeline.nightly(config, pipeline.Request(only=(job,)), Progress(Console(file=io.StringIO())))
    manifest = outcome.run.manifest("rejected_rows", job)
    assert manifest is not None
    assert manifest["rows"] == manifest["counts"]["rejected"]
    return outcome.seconds[job], manifest["counts"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=int, default=300_000)
    parser.add_argument("share", nargs="?", type=float, default=0.01)
    parser.add_argument("repeats", nargs="?", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bad = write_logs(folder, options.rows, options.share)
        seconds: dict[str, list[float]] = {"clean": [], "dirty": []}
        counts: dict[str, dict[str, int]] = {}
        for log in ("clean", "dirty"):  # which compiles
            ingested(folder, log)
        for _ in range(options.repeats):
            for log, found in seconds.items():
                took, counts[log] = ingested(folder, log)
                found.append(took)
    return report({log: min(found) for log, found in seconds.items()}, counts, options.rows, bad)


def report(seconds: dict[str, float], counts: dict[str, dict[str, int]], rows: int, bad: int) -> int:
    whole = True
    for log, due in (("clean", 0), ("dirty", bad)):
        print(f"{log}: {seconds[log]:.1f} s, {counts[log]} ({rows:,} good and {due:,} bad rows were written)")
        whole &= counts[log]["used"] == rows and counts[log]["rejected"] == due
    cost = seconds["dirty"] / seconds["clean"] - 1
    print(f"cost of {bad / rows:.1%} dirt: {cost:+.1%} (bound: {MOST:.0%}); {'none' if whole else 'SOME ROWS'} lost")
    return 0 if whole and cost < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
