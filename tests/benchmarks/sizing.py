"""How large a cluster a night needs.

    python tests/benchmarks/sizing.py            the table of README, "On a cluster", from the costs below
    python tests/benchmarks/sizing.py measure    the costs, measured here: a few minutes of processor time

A cost is processor time or memory a row, as the difference of a large and a small run, so that what every run pays
(starting Python, compiling) is not in it. Table rows assume listeners of a lognormal number of tracks (sigma 1) and a
track's popularity falling with its rank to the 0.8, as the measured data have it; the configuration is conf/base.yaml.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import threadpoolctl
from scipy.sparse import csr_matrix

from musai import config as configuration
from musai import pipeline
from musai.factorization import als
from musai.matrix.reading import read_matrix
from musai.progress import Progress
from musai.ranking import blocks
from musai.similarity import neighbours
from tests.benchmarks import ranking
from tests.benchmarks.peak import tree

# `sizing.py measure`, one core of a shared x86-64 machine.
READ_S, READ_BYTES = 0.0, 0.0  # read_matrix, an entry
ALS_S, ALS_BYTES = 0.0, 0.0  # an entry, sweep and factor; an entry, at the peak of the training
NEAR_S, NEAR_BYTES = 0.0, 0.0  # a product of the sum over rows of |N|^2; a row and neighbour, at the peak
RANK_S, RANK_TRACK_S = 0.0, 0.0  # a listener; a listener and track
INGEST_S, PAIR_S, LIST_S = 0.0, 0.0, 0.0  # Spark: a row of the log, a pair of the matrix, a row of a list

FACTORS, SWEEPS, TOP_N, LISTS, SCORING, PUBLISHED = 64, 15, 100, 2, 300, 50  # conf/base.yaml
CORES, SHARED_HOURS = 16, 1.0  # of an executor; in which what is spread over all executors is to be done
GB = 1e9
PYTHON_GB, JVM_GB, BLOCK_GB = (
    0.5,
    8.0,
    0.27,
)  # a worker with its libraries; the executor's heap; recommend.block_memory_mb


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


@dataclasses.dataclass(frozen=True)
class Need:
    executors: int
    overhead_gb: int  # memory beside the heap: the training task's, or that of all workers that rank
    alone_h: float  # what runs in one task: neighbours and ALS
    shared_h: float


def need(size: Size) -> Need:
    entries, rows = size.pairs, size.users + size.tracks
    near_s = NEAR_S * (2 * size.products(of_tracks=True) + size.products(of_tracks=False))
    als_s = ALS_S * entries * SWEEPS * FACTORS
    read_gb = READ_BYTES * entries / GB
    als_gb = (ALS_BYTES * entries + 4 * FACTORS * rows * 2) / GB
    near_gb = 24 * entries / GB + NEAR_BYTES * max(size.tracks * SCORING, size.users * PUBLISHED) / GB
    models_gb = size.tracks * (4 * FACTORS + 8 * 2 * SCORING) / GB
    rank_gb = models_gb + CORES * (PYTHON_GB + BLOCK_GB)
    lists = size.users * LISTS * TOP_N
    spread_s = INGEST_S * size.plays + PAIR_S * entries + LIST_S * lists
    spread_s += size.users * (RANK_S + RANK_TRACK_S * size.tracks)
    executors = max(1, math.ceil(spread_s / 3600 / CORES / SHARED_HOURS))
    return Need(
        executors,
        math.ceil(PYTHON_GB + max(read_gb, als_gb, near_gb, rank_gb)),
        (near_s + als_s + 4 * READ_S * entries) / CORES / 3600,
        spread_s / 3600 / CORES / executors,
    )


def table() -> None:
    print(f"| listeners x tracks | log | executors of {CORES} cores | heap + overhead | hours: one task + spread |")
    print("|---|---|---|---|---|")
    for size in SIZES:
        found = need(size)
        print(
            f"| {size.users:,} x {size.tracks:,} | {size.plays:,} | {found.executors} "
            f"| {JVM_GB} + {found.overhead_gb} GB | {found.alone_h:.2f} + {found.shared_h:.2f} |"
        )


SIZES = (
    Size(100_000, 50_000, 10_000_000),
    Size(1_000_000, 100_000, 100_000_000),
    Size(3_000_000, 300_000, 300_000_000),
)


def matrix_of(users: int, tracks: int, mean: int) -> csr_matrix:
    """Random weights [users, tracks]; popularity by rank^-0.8, about `mean` tracks a user, lognormal."""
    rng = np.random.default_rng(0)
    share = np.cumsum(1 / np.arange(1, tracks + 1) ** 0.8)
    sizes = np.minimum(rng.lognormal(math.log(mean) - 0.5, 1.0, users).astype(int) + 1, tracks)
    heard = [np.unique(np.searchsorted(share, rng.random(size) * share[-1])) for size in sizes]
    indptr = np.cumsum([0, *(len(row) for row in heard)])
    indices = np.concatenate(heard).astype(np.int32)
    return csr_matrix((np.ones(len(indices), np.float32), indices, indptr.astype(np.int32)), (users, tracks))


def read(folder: str, entries: int) -> None:
    rng, size = np.random.default_rng(0), math.isqrt(20 * entries)
    places = np.unique(rng.integers(0, size * size, entries))
    columns = {
        "user_index": pa.array((places // size).astype(np.int32)),
        "item_index": pa.array((places % size).astype(np.int32)),
        "weight": pa.array(rng.random(len(places), dtype=np.float32)),
    }
    pq.write_table(pa.table(columns), f"{folder}/part-{entries}.parquet")


def one(name: str, size: int, folder: str) -> dict[str, float]:
    """What one measurement costs in this process, which does nothing else."""
    amount, before = float(size), 0.0
    if name == "read":
        path, side = f"{folder}/part-{size}.parquet", math.isqrt(20 * size)
        before = time.process_time()
        amount = read_matrix(path, side, side).nnz
    elif name == "als":
        matrix, settings = (
            matrix_of(size, 20_000, 60),
            configuration.load([], ["factorization.device=cpu"]).factorization,
        )
        before = time.process_time()
        als.train(matrix, settings.model_copy(update={"iterations": 2}), 0, 1)
        amount = matrix.nnz
    elif name == "near":
        matrix, near = matrix_of(size, 20_000, 60), configuration.load().similarity
        before = time.process_time()
        neighbours.nearest(matrix, "cooccurrence", near, 1, PUBLISHED)
        amount = float((np.diff(matrix.indptr).astype(float) ** 2).sum())
    elif name == "rank":
        rng = np.random.default_rng(0)
        made, share = ranking.models_of(size, rng)
        part, room = ranking.block_of(blocks.MAX_BLOCK, share, rng), np.zeros((blocks.MAX_BLOCK, size), np.float32)
        lists = blocks.Lists(TOP_N, ("discover", "for_you"), {blocks.BINARY: 0.5, blocks.ALS: 0.5}, 0)
        return {"amount": size, "cpu_s": ranking.whole_cost([part], made, lists, room) / 1e3, "bytes": 0}
    spent = time.process_time() - before
    return {"amount": amount, "cpu_s": spent, "bytes": 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def cpu_s(process: int) -> float:
    """Processor time of a process and all below it, those that have ended included."""
    ticks = 0
    for member in tree(process):
        stat = pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += sum(int(field) for field in stat[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def spark_costs(folder: pathlib.Path, sizes: tuple[int, int]) -> dict[str, float]:
    """Processor time of Spark's jobs a row, by nights of two sizes in one session."""
    rng = np.random.default_rng(0)
    seen: list[dict[str, float]] = []
    for users in (sizes[0], *sizes):  # the first one warms up
        matrix = matrix_of(users, 2_000, 50).tocoo()
        twice = rng.permutation(np.repeat(np.arange(matrix.nnz), 2))
        log = folder / f"log{len(seen)}.csv"
        rows = (f"u{matrix.row[i]},t{matrix.col[i]},{i % 5 + 1},2025-01-{i % 28 + 1:02d}\n" for i in twice)
        log.write_text("user_id,track_id,plays,timestamp\n" + "".join(rows))
        settings = [
            "spark.master=local[1]", "spark.driver_memory=2g", f"warehouse={folder / str(len(seen))}",
            f"inputs.interactions={log}", "recommend.blend={cooccurrence: 1}", "similarity.user_methods=[]",
            "similarity.track_methods=[cooccurrence]",
        ]  # fmt: skip
        config, found = configuration.load([], settings), {"rows": 2.0 * matrix.nnz, "pairs": matrix.nnz}
        for job in ("ingest_interactions", "build_user_item", "compute_similarities", "recommend_tracks"):
            before = cpu_s(os.getpid())
            outcome = pipeline.nightly(config, pipeline.Request(run_id="r", only=(job,)), Progress())
            found[job] = cpu_s(os.getpid()) - before
        found["lists"] = float(outcome.run.rows("recommendations") or 0)
        seen.append(found)
    _, small, large = seen
    grown = {key: large[key] - small[key] for key in large}
    return {
        "INGEST_S": grown["ingest_interactions"] / grown["rows"],
        "PAIR_S": grown["build_user_item"] / grown["pairs"],
        "LIST_S": grown["recommend_tracks"] / grown["lists"],
    }


def measure() -> None:
    def costs(name: str, *sizes: int) -> tuple[float, float]:
        """Processor seconds and bytes for one more of what the size stands for."""
        with tempfile.TemporaryDirectory() as folder:
            found: list[dict[str, Any]] = []
            for size in sizes:
                if name == "read":
                    read(folder, size)
                command = [sys.executable, "-m", "tests.benchmarks.sizing", "one", name, str(size), folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found.append(json.loads(done.stdout.splitlines()[-1]))
        small, large = found
        grown = large["amount"] - small["amount"]
        return (large["cpu_s"] - small["cpu_s"]) / grown, (large["bytes"] - small["bytes"]) / grown

    print("READ_S, READ_BYTES = {:.2e}, {:.1f}".format(*costs("read", 2_000_000, 6_000_000)))
    als_s, als_bytes = costs("als", 10_000, 40_000)
    print(f"ALS_S, ALS_BYTES = {als_s / 2 / FACTORS:.2e}, {als_bytes:.1f}")
    print("NEAR_S = {:.2e}".format(costs("near", 5_000, 20_000)[0]))
    rank_s = costs("rank", 10_000, 50_000)[0]
    print(f"RANK_TRACK_S = {rank_s:.2e}")
    with tempfile.TemporaryDirectory() as folder:
        for name, cost in spark_costs(pathlib.Path(folder), (1_000, 5_000)).items():
            print(f"{name} = {cost:.2e}")


if __name__ == "__main__":
    with threadpoolctl.threadpool_limits(1):
        if sys.argv[1:2] == ["one"]:
            print(json.dumps(one(sys.argv[2], int(sys.argv[3]), sys.argv[4])))
        elif sys.argv[1:] == ["measure"]:
            measure()
        else:
            table()
