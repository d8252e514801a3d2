"""What every peer's runner does alike: reading, the held-out part, the search, the lists.

    python -m tests.benchmarks.peer_runners.PEER tune TRAIN.csv FOLDER k=10 threads=2 minutes=15
    python -m tests.benchmarks.peer_runners.PEER fit TRAIN.csv FOLDER k=10 threads=2

`tune` writes FOLDER/trials.jsonl, a line a trial; `fit` fits the trial in FOLDER/best.json on all of train and writes
FOLDER/lists.parquet. It runs in the peer's environment, which has NumPy, SciPy, pyarrow and Optuna, and no MusAI.

Held out of train is what `tune_recommender` holds out by default: a fifth of the tracks of each listener with five or
more, drawn by seed; trials are measured on at most 4,000 of those listeners.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import scipy.sparse as sp

TRIALS, BEST, LISTS = "trials.jsonl", "best.json", "lists.parquet"
SEED = 20261
HELD_SHARE, MIN_TRACKS, USERS = 0.2, 5, 4000
DENSE_ITEMS = 12_000  # a model that inverts an items x items matrix is left out beyond it (3.8 GiB at 6,760 items)

Settings = Mapping[str, Any]
# (default, low, high), or the choices with the default first; drawn on a log scale, from 0 on a linear one
Ranges = Mapping[str, tuple[int, int, int] | tuple[float, float, float] | list[Any]]
Top = tuple[np.ndarray, np.ndarray]  # items int [users, k], best first, -1 where there are fewer; their scores


OF_IMPLICIT: dict[str, Ranges] = {  # models of `implicit`, which RecTools runs too: (default, least, most)
    "als": {
        "factors": (100, 16, 512),
        "regularization": (0.01, 1e-3, 100.0),
        "alpha": (1.0, 0.1, 100.0),
        "iterations": (15, 5, 40),
    },
    "bpr": {
        "factors": (100, 16, 512),
        "learning_rate": (0.01, 1e-3, 0.2),
        "regularization": (0.01, 1e-4, 0.1),
        "iterations": (100, 20, 400),
    },
}


@dataclasses.dataclass(frozen=True)
class Peer:
    """`top(model, settings, matrix, users, k, threads)` fits on a binary float32 matrix [users, items]."""

    models: Mapping[str, Ranges]
    top: Callable[[str, Settings, sp.csr_matrix, np.ndarray, int, int], Top]
    dense: frozenset[str] = frozenset()

    def models_for(self, items: int) -> list[str]:
        return [model for model in self.models if items <= DENSE_ITEMS or model not in self.dense]


def read(train: pathlib.Path) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """(binary matrix [users, items], user ids, track ids) of user_id,track_id rows."""
    text = pa.csv.ConvertOptions(column_types={"user_id": pa.string(), "track_id": pa.string()})
    table = pa.csv.read_csv(train, convert_options=text)
    users, rows = np.unique(table["user_id"].to_numpy(), return_inverse=True)
    items, columns = np.unique(table["track_id"].to_numpy(), return_inverse=True)
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(users), len(items)))
    matrix.data[:] = 1  # a pair that stands there twice was added up
    return matrix, users, items


def hold_out(matrix: sp.csr_matrix, seed: int = SEED) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(the training part, the held-out part)."""
    pairs = matrix.tocoo()
    drawn = np.lexsort((np.random.default_rng(seed).random(matrix.nnz), pairs.row))
    tracks = np.diff(matrix.indptr)
    place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], tracks)
    count = np.where(tracks >= MIN_TRACKS, np.maximum(1, (tracks * HELD_SHARE).astype(int)), 0)
    out = place < np.repeat(count, tracks)

    def part(chosen: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix((pairs.data[chosen], (pairs.row[chosen], pairs.col[chosen])), shape=matrix.shape)

    return part(drawn[~out]), part(drawn[out])


def ndcg(items: np.ndarray, held: sp.csr_matrix) -> float:
    """Mean NDCG of lists [users, k] against held-out items [users, items]: binary, ideal cut at min(k, held-out)."""
    k = items.shape[1]
    rows = np.arange(len(items))[:, None]
    found = sp.csr_matrix(held[np.broadcast_to(rows, items.shape), np.maximum(items, 0)])
    hits = found.toarray() * (items >= 0)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(np.diff(held.indptr), k) - 1]
    return float(np.mean(hits @ discount / ideal))


def tune(peer: Peer, train: pathlib.Path, folder: pathlib.Path, k: int, threads: int, minutes: float) -> None:
    """Every model's defaults, then Optuna's TPE over models and settings, until the minutes are spent."""
    end = time.monotonic() + 60 * minutes
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    matrix, held = hold_out(read(train)[0])
    users = np.flatnonzero(np.diff(held.indptr))
    users = np.sort(np.random.default_rng(SEED).choice(users, min(USERS, len(users)), replace=False))
    models = peer.models_for(matrix.shape[1])
    sampler = optuna.samplers.TPESampler(seed=SEED, multivariate=True, group=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for model in models:
        defaults = {f"{model}.{name}": values[0] for name, values in peer.models[model].items()}
        study.enqueue_trial({"model": model, **defaults})
    with (folder / TRIALS).open("w") as file:
        while time.monotonic() < end:
            trial, started = study.ask(), time.monotonic()
            model = trial.suggest_categorical("model", models)
            settings = {name: suggested(trial, f"{model}.{name}", r) for name, r in peer.models[model].items()}
            try:
                tops, _ = peer.top(model, settings, matrix, users, k, threads)
            except (ArithmeticError, ValueError) as fault:  # some settings diverge
                print(model, settings, fault, file=sys.stderr)
                tops = np.full((len(users), k), -1)
            reached, seconds = ndcg(tops, held[users]), round(time.monotonic() - started, 2)
            study.tell(trial, reached)
            row = {"model": model, "settings": settings, "ndcg": reached, "seconds": seconds}
            file.write(json.dumps(row) + "\n")
            file.flush()


def suggested(trial: optuna.Trial, name: str, values: tuple[Any, ...] | list[Any]) -> Any:
    if isinstance(values, list):
        return trial.suggest_categorical(name, values)
    _, low, high = values
    if isinstance(low, int):
        return trial.suggest_int(name, low, high, log=low > 0)
    return trial.suggest_float(name, low, high, log=low > 0)


def trials(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Those that were written whole."""
    file = folder / TRIALS
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def fit(peer: Peer, train: pathlib.Path, folder: pathlib.Path, k: int, threads: int) -> None:
    """A trial's model and settings on all of train, and everybody's list."""
    best = json.loads((folder / BEST).read_text())
    matrix, users, items = read(train)
    tops, scores = peer.top(best["model"], best["settings"], matrix, np.arange(len(users)), k, threads)
    row, place = np.nonzero(tops >= 0)
    columns = {
        "user_id": users[row],
        "track_id": items[tops[row, place]],
        "rank": place + 1,
        "score": scores[row, place],
    }
    table = pa.table(columns).append_column("list", pa.repeat("for_you", len(row)))
    pq.write_table(table, folder / LISTS)


def best_of(scores: np.ndarray, k: int) -> Top:
    """The k best of scores [users, items]; what scores -inf is in no list."""
    k = min(k, scores.shape[1])
    found = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    values = np.take_along_axis(scores, found, axis=1)
    return np.where(np.isfinite(values), found, -1), values


def from_rows(rows: np.ndarray, users: np.ndarray, items: np.ndarray, scores: np.ndarray, k: int) -> Top:
    """Lists of `rows` (ascending) from pairs of a user, an item and its score in any order."""
    order = np.lexsort((-scores, users))
    users, items, scores = users[order], items[order], scores[order]
    place = np.arange(len(users)) - np.searchsorted(users, users)
    kept = place < k
    at = np.searchsorted(rows, users[kept]), place[kept]
    tops, values = np.full((len(rows), k), -1), np.full((len(rows), k), -np.inf)
    tops[at], values[at] = items[kept], scores[kept]
    return tops, values


def main(peer: Peer) -> None:
    words = [word for word in sys.argv[1:] if "=" not in word]
    given = {name: float(value) for name, value in (word.split("=") for word in sys.argv[1:] if "=" in word)}
    command, train, folder = words[0], pathlib.Path(words[1]), pathlib.Path(words[2])
    if command == "tune":
        tune(peer, train, folder, int(given["k"]), int(given["threads"]), given["minutes"])
    else:
        fit(peer, train, folder, int(given["k"]), int(given["threads"]))
