"""How large a cluster a night needs.

    python -m tests.benchmarks.sizing            the table of README, "On a cluster", from the costs below
    python -m tests.benchmarks.sizing measure    the costs, measured here: some minutes
    python -m tests.benchmarks.sizing paper      what 100 million listeners and as many tracks would take

A cost is processor time, or memory at the peak, for one more row: the difference of a large and a small run, so that
what every run pays (starting Python, compiling) is not in it. The table assumes listeners of a lognormal number of
tracks (sigma 1) and a popularity that falls with a track's rank to the 0.8; the configuration is conf/base.yaml.
Not in it: audit and the writing of lists, which Spark spreads over all executors, the part user_knn of the blend, the
evaluation, the jobs that hear, read and make music, and a GPU.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import threadpoolctl
from rich.console import Console

from musai import config as configuration
from musai import pipeline
from musai.factorization import als
from musai.matrix.reading import read_matrix
from musai.progress import Progress
from musai.ranking import blocks
from musai.similarity import neighbours
from tests.benchmarks import logs, ranking

# `sizing.py measure`, one core of a shared x86-64 machine.
READ_S, READ_BYTES = 1.0e-7, 20.0  # read_matrix: an entry
ALS_S, ALS_BYTES = 2.8e-9, 31.0  # an entry, sweep and factor; an entry at the peak, reading included
NEAR_S, NEAR_BYTES = 2.4e-8, 71.0  # a product of the sum over rows of |N|^2; an entry at the peak, likewise
NEAR_ROW_BYTES = 60.0  # a row and neighbour; see musai/similarity/neighbours.py
INGEST_S = 1.3e-5  # ingest_interactions and build_user_item, Parquet: a row of the log
RANK_S, RANK_TRACK_S = 1.0e-4, 3.4e-9  # a listener, two lists of 100 (ranking.py); a listener and track

FACTORS, SWEEPS, TOP_N, SCORING, PUBLISHED = 128, 15, 100, 300, 50  # conf/base.yaml
CORES, RANKED_WITHIN_H = 16, 0.25  # of an executor; the time in which all lists are to be made
GB = 1e9
JVM_GB, PYTHON_GB, BLOCK_GB = 8, 0.5, 0.27  # heap; a Python worker with its libraries, and its block of scores


@dataclasses.dataclass(frozen=True)
class Size:
    users: int
    tracks: int
    plays: int  # rows of the log

    @property
    def pairs(self) -> int:
        """Half of all plays are of a track that the listener has played before."""
        return self.plays // 2

    def products(self, of_tracks: bool) -> float:
        """Sum over users of |N_u|^2 (for neighbours of tracks), or over tracks of |N_i|^2 (of users)."""
        if of_tracks:
            return self.pairs**2 / self.users * math.e
        ranks = self.tracks
        share = (1 / 0.6 + 0.6) / ((ranks**0.2 - 1) / 0.2 + 0.6) ** 2  # sum of p^2, p falling with rank^-0.8
        return self.pairs**2 * min(1.0, share)


SIZES = (
    Size(100_000, 50_000, 10_000_000),
    Size(1_000_000, 100_000, 100_000_000),
    Size(3_000_000, 300_000, 300_000_000),
)


@dataclasses.dataclass(frozen=True)
class Need:
    executors: int
    ingest_h: float  # spread over the executors: reading the logs, building the matrix
    overhead_gb: int  # memory beside the heap: the training task's, or that of all workers that rank
    users_h: float  # in one task: neighbours of listeners
    alone_h: float  # in one task each: neighbours of tracks and ALS
    rank_h: float  # spread over the executors, likewise


def need(size: Size) -> Need:
    entries, rows = size.pairs, size.users + size.tracks
    near_s = NEAR_S * 2 * size.products(of_tracks=True)
    als_s = ALS_S * entries * SWEEPS * FACTORS
    als_gb = (ALS_BYTES * entries + 2 * 4 * FACTORS * rows) / GB
    widest = max(size.tracks * SCORING, size.users * PUBLISHED)
    near_gb = (NEAR_BYTES * entries + NEAR_ROW_BYTES * widest) / GB
    models_gb = size.tracks * (4 * FACTORS + 8 * SCORING) / GB  # mapped once a node
    rank_gb = models_gb + CORES * (PYTHON_GB + BLOCK_GB)
    rank_s = size.users * (RANK_S + RANK_TRACK_S * size.tracks)
    executors = max(1, math.ceil(rank_s / 3600 / CORES / RANKED_WITHIN_H))
    return Need(
        executors,
        INGEST_S * size.plays / 3600 / CORES / executors,
        math.ceil(PYTHON_GB + max(READ_BYTES * entries / GB, als_gb, near_gb, rank_gb)),
        NEAR_S * size.products(of_tracks=False) / CORES / 3600,
        (near_s + als_s + 4 * READ_S * entries) / CORES / 3600,
        rank_s / 3600 / CORES / executors,
    )


PAPER = """\
{users:,} listeners x {tracks:,} tracks, {plays:,} plays, {pairs:,} pairs; what breaks first comes first:

1. ALS in one process indexes 2^31 entries: here are {entries:.1f} times that. factorization.backend=spark has no such
   limit. The factors are {factors_gb:,.0f} GB over the executors; a sweep takes {sweep_h:,.1f} core hours at the cost
   of the solver in one process.
2. A score for every listener and track is {flop:.2g} flop: {scored_h:,.0f} core hours, or {gpu_h:,.0f} GPU hours at
   40 Tflop/s. The way out is two stages: the neighbours of what a listener has ({candidates:,} tracks at most), and
   the product with those alone: {staged_h:,.1f} core hours.
3. A node maps {mapped_gb:,.0f} GB of neighbours and factors; with similarity.scoring_neighbours=50 and factors of
   16 bits {lean_gb:,.0f} GB; beyond that, tracks in shards whose lists are merged.
4. Neighbours of tracks are {tracks_h:,.1f} core hours, in Spark, for one process would hold {near_gb:,.0f} GB.
   Those of listeners are {users_h:,.0f} core hours, and only looked at: similarity.user_methods=[].
5. The lists: {lists_gb:,.0f} GB a night before compression.
"""


def paper(size: Size) -> str:
    """PAPER with the figures of a size; ids of 15 bytes, half of a listener's plays of tracks that he has played."""
    scores, candidates = float(size.users) * size.tracks, size.pairs // size.users * SCORING
    hours = {
        "sweep_h": ALS_S * size.pairs * FACTORS,
        "scored_h": RANK_TRACK_S * scores,
        "gpu_h": 2 * scores * FACTORS / 4e13,
        "staged_h": RANK_TRACK_S * size.users * candidates,
        "tracks_h": NEAR_S * size.products(of_tracks=True),
        "users_h": NEAR_S * size.products(of_tracks=False),
    }
    memory = {
        "factors_gb": 4 * FACTORS * (size.users + size.tracks),
        "mapped_gb": size.tracks * (4 * FACTORS + 8 * SCORING),
        "lean_gb": size.tracks * (2 * FACTORS + 8 * 50),
        "near_gb": NEAR_BYTES * size.pairs,
        "lists_gb": size.users * TOP_N * 40,
    }
    return PAPER.format(
        **dataclasses.asdict(size), pairs=size.pairs, entries=size.pairs / 2**31,
        flop=2 * scores * FACTORS, candidates=candidates,
        **{name: value / 3600 for name, value in hours.items()}, **{name: value / GB for name, value in memory.items()},
    )  # fmt: skip


def table() -> None:
    print(f"| listeners x tracks | rows of the log | executors of {CORES} cores | heap + overhead", end=" ")
    print("| h: ingest, matrix | h: neighbours of listeners | h: of tracks, ALS | h: ranking |")
    print("|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        found = need(size)
        hours = (found.ingest_h, found.users_h, found.alone_h, found.rank_h)
        print(f"| {size.users:,} x {size.tracks:,} | {size.plays:,} | {found.executors}", end=" ")
        print(f"| {JVM_GB} + {found.overhead_gb} GB |", " | ".join(f"{one:.2f}" for one in hours), "|")


def write_entries(folder: pathlib.Path, entries: int) -> tuple[str, int]:
    """A matrix in Parquet, uniformly filled; its path, and its number of rows and of columns."""
    rng, side = np.random.default_rng(0), math.isqrt(400 * entries)
    places = np.unique(rng.integers(0, side * side, entries))
    columns = {
        "user_index": pa.array((places // side).astype(np.int32)),
        "item_index": pa.array((places % side).astype(np.int32)),
        "weight": pa.array(1 - rng.random(len(places), dtype=np.float32)),  # above 0
    }
    pq.write_table(pa.table(columns), folder / "part.parquet")
    return str(folder / "part.parquet"), side


def one(name: str, path: str, size: int) -> dict[str, float]:
    """What one task costs in this process, which does nothing else: {amount, cpu_s, bytes}."""
    if name == "rank":
        rng = np.random.default_rng(0)
        made, share = ranking.models_of(size, rng)
        part, room = ranking.block_of(blocks.MAX_BLOCK, share, rng), np.zeros((blocks.MAX_BLOCK, size), np.float32)
        lists = blocks.Lists(TOP_N, ("discover", "for_you"), {"cooccurrence": 0.5, blocks.ALS: 0.5}, 0)
        return {"amount": size, "cpu_s": ranking.whole_cost([part], made, lists, room) / 1e3, "bytes": 0}
    if name == "ingest":
        return ingest(pathlib.Path(path), size)
    before = time.process_time()
    matrix = read_matrix(path, size, size)
    amount = float(matrix.nnz)
    if name != "read":
        before = time.process_time()
    if name == "als":
        settings = configuration.load([], ["factorization.device=cpu", "factorization.iterations=2"])
        als.train(matrix, settings.factorization, 0, 1)
    elif name == "near":
        neighbours.nearest(matrix, "cooccurrence", configuration.load().similarity, 1, PUBLISHED)
        amount = float((np.diff(matrix.indptr).astype(float) ** 2).sum())
    spent = time.process_time() - before
    status = pathlib.Path("/proc/self/status").read_text()  # getrusage would count what the parent had before the fork
    peak = 1024.0 * int(status.split("VmHWM:")[1].split()[0])
    return {"amount": amount, "entries": float(matrix.nnz), "cpu_s": spent, "bytes": peak}


def ingest(folder: pathlib.Path, plays: int) -> dict[str, float]:
    """Seconds of the two jobs on one core, driver, Spark and Python workers together."""
    logs.write(folder / "logs", plays)
    settings = [f"inputs.interactions={folder / 'logs'}", f"warehouse={folder / 'warehouse'}", "spark.master=local[1]"]
    request = pipeline.Request(only=("ingest_interactions", "build_user_item"))
    quiet = Progress(Console(file=io.StringIO()))
    seconds = pipeline.nightly(configuration.load([], settings), request, quiet).seconds
    return {"amount": plays, "cpu_s": sum(seconds.values()), "bytes": 0}


def marginal(name: str, small: int, large: int) -> tuple[float, float]:
    """Processor seconds for one more of what a task's time grows with, and bytes at its peak for one more entry."""
    found: list[dict[str, float]] = []
    for size in (small, large):
        with tempfile.TemporaryDirectory() as folder:
            path, side = (folder, size) if name in ("rank", "ingest") else write_entries(pathlib.Path(folder), size)
            command = [sys.executable, "-m", "tests.benchmarks.sizing", "one", name, path, str(side)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    few, many = found
    entries = many.get("entries", 1.0) - few.get("entries", 0.0)
    return (many["cpu_s"] - few["cpu_s"]) / (many["amount"] - few["amount"]), (many["bytes"] - few["bytes"]) / entries


def measure() -> None:
    seconds, size = marginal("read", 1_000_000, 4_000_000)
    print(f"READ_S, READ_BYTES = {seconds:.1e}, {size:.0f}")
    seconds, size = marginal("als", 500_000, 1_500_000)
    print(f"ALS_S, ALS_BYTES = {seconds / 2 / FACTORS:.1e}, {size:.0f}")
    seconds, size = marginal("near", 500_000, 1_500_000)
    print(f"NEAR_S, NEAR_BYTES = {seconds:.1e}, {size:.0f}")
    print(f"INGEST_S = {marginal('ingest', 1_000_000, 4_000_000)[0]:.1e}")
    print(f"RANK_TRACK_S = {marginal('rank', 10_000, 50_000)[0]:.1e}")


if __name__ == "__main__":
    with threadpoolctl.threadpool_limits(1):
        if sys.argv[1:2] == ["one"]:
            print(json.dumps(one(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        elif sys.argv[1:] == ["measure"]:
            measure()
        elif sys.argv[1:] == ["paper"]:
            print(paper(Size(100_000_000, 100_000_000, 10_000_000_000)))
        else:
            table()
