"""The yardstick of a whole night: what a plain script of pandas and `implicit` takes for the same work.

    python tests/benchmarks/plain.py LOGS OUTPUT

Counts the plays, weighs them by log(1 + n), finds the 50 nearest tracks (cosine), fits ALS (64 factors, 15 sweeps) and
writes the 100 best tracks of each listener to Parquet. No checks, no audit, no publication.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender

NEIGHBOURS, FACTORS, SWEEPS, TOP_N, BATCH = 50, 64, 15, 100, 4096


def main(logs: str, output: str) -> None:
    clock = time.perf_counter()

    def told(what: str) -> None:
        nonlocal clock
        print(f"{what:14} {time.perf_counter() - clock:7.1f} s", flush=True)
        clock = time.perf_counter()

    plays = pd.read_parquet(logs, columns=["user_id", "track_id"])
    user, users = pd.factorize(plays["user_id"], sort=True)
    track, tracks = pd.factorize(plays["track_id"], sort=True)
    counts = sp.coo_matrix((np.ones(len(plays), np.float32), (user, track)), shape=(len(users), len(tracks))).tocsr()
    counts.data = np.log1p(counts.data)
    told("matrix")
    near = CosineRecommender(K=NEIGHBOURS + 1)
    near.fit(counts, show_progress=False)
    similar = near.similarity.tocoo()
    pq.write_table(pa.table({"track": similar.row, "similar": similar.col, "score": similar.data}), f"{output}.similar")
    told("similarities")
    with threadpoolctl.threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=FACTORS, iterations=SWEEPS, regularization=0.01, random_state=1)
        model.fit(counts, show_progress=False)
    told("ALS")
    schema = pa.schema(
        [("user_id", pa.string()), ("rank", pa.int32()), ("track_id", pa.string()), ("score", pa.float32())]
    )
    ids, names = pa.array(users, pa.string()), pa.array(tracks, pa.string())
    with pq.ParquetWriter(f"{output}.lists", schema) as writer:
        for start in range(0, len(users), BATCH):
            rows = np.arange(start, min(start + BATCH, len(users)))
            found, scores = model.recommend(rows, counts[rows], N=TOP_N)
            rank = np.tile(np.arange(1, found.shape[1] + 1, dtype=np.int32), len(rows))
            columns = [ids.take(pa.array(rows.repeat(found.shape[1]))), rank, names.take(pa.array(found.ravel()))]
            writer.write_table(pa.table([*columns, pa.array(scores.ravel())], schema=schema))
    told("lists")


if __name__ == "__main__":
    main(*sys.argv[1:])
