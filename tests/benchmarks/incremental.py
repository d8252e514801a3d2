"""What a night saves that goes on from the one before: python tests/benchmarks/incremental.py WHAT ...

    ingest PLAYS [csv | parquet]    ingest_interactions of the last of 30 days, one file of PLAYS / 30 rows each, with
                                    29 days kept, against all 30 read anew; whether the tables have the same digests
    warm [SPLIT ...]                ALS from the factors of the night before (29 of 30 pairs) against a fit of its own
                                    on the same pairs: seconds, and NDCG@20 on held-out pairs of the training file

Goals: an incremental ingest in 0.3 of the whole, a warm start in a third of the fit within 0.5% of its NDCG. Times are
medians of three pairs in turns, in one process; NDCG differs by 1% from seed to seed, so it is a mean. `warm` reads
$MUSAI_SHARED/data/interactions (default ../shared), and splits the training file alone; a split that is not there is
left out.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import scipy.sparse as sp

from musai import config as configuration
from musai.evaluation import ranking_metrics
from musai.factorization import als
from tests import nights
from tests.benchmarks import logs, splits

PAIRS = 3
LAST = dt.date(2026, 1, logs.DAYS)
TABLES = ("interactions", "rejected_rows")
WARM = (3, 4, 5)  # sweeps
K, SEEDS = 20, 3


def told(what: str, ours: float, theirs: float, goal: str) -> None:
    print(f"{what:44} {ours:8.2f} s  whole {theirs:8.2f} s  ratio {ours / theirs:.3f}  (goal {goal})", flush=True)


# -- ingest ---------------------------------------------------------------------------------------------------------


def daily(folder: pathlib.Path, plays: int, kind: str) -> list[pathlib.Path]:
    """The synthetic log with a file a day."""
    logs.write(folder / "all", plays)
    table = ds.dataset(folder / "all").to_table()
    day = table["timestamp"].to_numpy().astype("datetime64[D]")
    (folder / "days").mkdir()
    found = []
    for date in np.unique(day):
        path, rows = folder / "days" / f"{date}.{kind}", table.filter(pa.array(day == date))
        if kind == "csv":
            pyarrow.csv.write_csv(rows, path)
        else:
            pq.write_table(rows, path)
        found.append(path)
    return found


def night(folder: pathlib.Path, warehouse: str, date: dt.date, incremental: bool) -> tuple[float, dict[str, str]]:
    """Seconds of ingest_interactions, and the digests of what it wrote."""
    settings = [f"inputs.interactions={folder / 'days'}", f"warehouse={folder / warehouse}", "ingest.window_days=30"]
    settings += [f"ingest.incremental={incremental}"]
    made = nights.run(configuration.load([], settings), run_date=date, only=("ingest_interactions",), run_id=unique())
    manifests = {table: made.outcome.run.manifest(table, "ingest_interactions") for table in TABLES}
    digests = {table: manifest["digest"] for table, manifest in manifests.items() if manifest}
    return made.outcome.seconds["ingest_interactions"], digests


def unique() -> str:
    return f"night-{time.monotonic_ns()}"


def ingest(plays: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        *_, last = daily(folder, plays, kind)
        away = last.rename(folder / last.name)
        first = night(folder, "kept", LAST - dt.timedelta(days=1), True)[0]
        away.rename(last)
        night(folder, "whole", LAST, False)  # both ways are compiled now
        pairs = []
        for _ in range(PAIRS):
            for manifest in (folder / "kept/_days").glob("*/_manifest.json"):
                if last.name in manifest.read_text():  # of the pair before
                    shutil.rmtree(manifest.parent)
            ours, theirs = night(folder, "kept", LAST, True), night(folder, "whole", LAST, False)
            assert ours[1] == theirs[1], "the digests differ"
            pairs.append((ours[0], theirs[0]))
            print(f"  {ours[0]:.2f} s, whole {theirs[0]:.2f} s", flush=True)
    found = sorted(pairs, key=lambda pair: pair[0] / pair[1])[PAIRS // 2]
    print(f"{plays:,} plays as {kind}, {logs.DAYS} days; the first night, which keeps 29 of them: {first:.2f} s")
    told("ingest of one day onto 29 kept", *found, "<= 0.3")
    print(f"the same digests of {' and '.join(TABLES)}")


# -- warm start -----------------------------------------------------------------------------------------------------


def matrices(path: pathlib.Path, seed: int = 0) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
    """Held-out pairs (a fifth of the training file's), the others, and 29 in 30 of those."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    users = np.concatenate([np.full(len(row) - 1, int(row[0])) for row in rows])
    items = np.concatenate([np.array(row[1:], np.int64) for row in rows])
    draw = np.random.default_rng(seed).random(len(users))
    shape = (int(users.max()) + 1, int(items.max()) + 1)

    def matrix(chosen: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((np.ones(chosen.sum(), np.float32), (users[chosen], items[chosen])), shape=shape)

    return matrix(draw < 0.2), matrix(draw >= 0.2), matrix(draw >= 0.2 + 0.8 / 30)


class Fit(NamedTuple):
    seconds: float
    ndcg: float
    factors: als.Factors


def ndcg(factors: als.Factors, known: sp.csr_matrix, held_out: sp.csr_matrix) -> float:
    """Mean NDCG@K over listeners with held-out pairs."""
    found = []
    for start in range(0, known.shape[0], 1024):
        scores = factors.users[start : start + 1024] @ factors.tracks.T
        scores[known[start : start + 1024].nonzero()] = -np.inf
        top = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        due = held_out[start : start + 1024].toarray() > 0
        hits, sizes = np.take_along_axis(due, top, axis=1), due.sum(axis=1)
        measured = ranking_metrics.accuracy(hits[sizes > 0], sizes[sizes > 0], [K])
        found.append(measured["ndcg", K])
    return float(np.mean(np.concatenate(found)))


def warm(split: str) -> None:
    if not (path := splits.SHARED / "data/interactions" / split / "train.txt").exists():
        print(f"{path} is not there")
        return
    held_out, today, yesterday = matrices(path)
    settings = configuration.load([], ["factorization.device=cpu"]).factorization

    def fitted(matrix: sp.csr_matrix, seed: int, sweeps: int | None = None, start: als.Factors | None = None) -> Fit:
        begun = time.perf_counter()
        factors = als.train(matrix, settings.model_copy(update={"warm_iterations": sweeps}), seed, 1, start=start)
        return Fit(time.perf_counter() - begun, ndcg(factors, today, held_out), factors)

    print(
        f"{split}: {today.nnz:,} pairs, {settings.factors} factors, {settings.iterations} sweeps, mean of {SEEDS} seeds"
    )
    fits = [(fitted(today, seed), fitted(yesterday, seed)) for seed in range(SEEDS)]
    whole = [today_s for today_s, _ in fits]
    goal = statistics.mean(fit.ndcg for fit in whole)
    shown = ", ".join(f"{fit.ndcg:.4f}" for fit in whole)
    print(f"  NDCG@{K} of a fit of its own {goal:.4f} ({shown})", flush=True)
    for sweeps in WARM:
        ours = [fitted(today, seed, sweeps, before.factors) for seed, (_, before) in enumerate(fits)]
        seconds = (statistics.median(fit.seconds for fit in side) for side in (ours, whole))
        told(f"  {sweeps} sweeps from the night before", *seconds, "<= 0.33")
        value = statistics.mean(fit.ndcg for fit in ours)
        shown = ", ".join(f"{fit.ndcg:.4f}" for fit in ours)
        print(f"    NDCG@{K} {value:.4f} ({shown}): {value / goal - 1:+.2%} (goal >= -0.5%)", flush=True)
    stale = statistics.mean(before.ndcg for _, before in fits)
    print(f"  NDCG@{K} of the factors of the night before as they are {stale:.4f}", flush=True)


def main(words: list[str]) -> None:
    if words[:1] == ["ingest"] and len(words) > 1:
        for kind in words[2:] or ("csv", "parquet"):
            ingest(int(words[1]), kind)
    elif words[:1] == ["warm"]:
        for split in words[1:] or ("lightgcnpp_lastfm", "gowalla_m1"):
            warm(split)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
