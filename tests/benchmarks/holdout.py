"""Where defaults come from: parts and blend on held-out pairs of training data. No published test file is opened.

    python tests/benchmarks/holdout.py [SOURCE ...] [tracks=N] [KEY=VALUE ...]

A fifth of the pairs of listeners with five or more is held out by seed; printed is the mean NDCG over at most 1,500 of
those listeners, at the cut of the split, of each part of `recommend.blend` and of the blend. Sources: the training
files of `splits.py`, and `plays` and `bits`: Last.fm-2k (hetrec) with its counts of plays (up to 352,698) and without
them, which one setting has to serve alike; tracks=N keeps the N most heard (dense, and few enough for what is dear,
such as `similarity.linear_exact_tracks=N`: EASE itself). They lie under $MUSAI_SHARED/data/interactions (default
../shared).
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
import scipy.sparse as sp

from musai import config as configuration
from musai.config import Config
from musai.matrix import weighting
from musai.ranking import blending, heldout, parts
from musai.ranking.heldout import Held, Scores
from tests.benchmarks.splits import PUBLISHED, SHARED

LASTFM_2K, LASTFM_2K_K = "hetrec_lastfm_2k/user_artists.dat", 20
HELD_OUT, LEAST, LISTENERS, SEED = 0.2, 5, 1500, 0
TRACKS = "tracks="
SOURCES = (*PUBLISHED, "plays", "bits")


def read(source: str) -> tuple[sp.csr_matrix, int]:
    """Plays float32 [users, items] that may be learnt from, and the cut of the figures."""
    folder = SHARED / "data/interactions"
    if source not in PUBLISHED:
        table = pd.read_csv(folder / LASTFM_2K, sep="\t")
        users, items = (table[name].astype("category").cat.codes.to_numpy() for name in ("userID", "artistID"))
        plays = table["weight"].to_numpy(np.float32) if source == "plays" else np.ones(len(table), np.float32)
        return sp.csr_matrix((plays, (users, items))), LASTFM_2K_K
    lines = (folder / source / "train.txt").read_text(encoding="utf-8").splitlines()
    rows = [[int(word) for word in line.split()] for line in lines if line.strip()]
    users = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    items = np.concatenate([np.array(row[1:], np.int64) for row in rows])
    return sp.csr_matrix((np.ones(len(users), np.float32), (users, items))), PUBLISHED[source][0]


def most_heard(plays: sp.csr_matrix, tracks: int) -> sp.csr_matrix:
    heard = np.bincount(plays.indices, minlength=plays.shape[1])
    return plays[:, np.sort(np.argsort(-heard, kind="stable")[:tracks])]


def held_out_of(plays: sp.csr_matrix) -> tuple[sp.csr_matrix, Held]:
    """What is left of the plays, and what was held out of it and is known from somebody else."""
    draw = np.random.default_rng(SEED)
    users, items = np.repeat(np.arange(plays.shape[0]), np.diff(plays.indptr)), plays.indices
    out = (draw.random(plays.nnz) < HELD_OUT) & (np.diff(plays.indptr)[users] >= LEAST)
    left = sp.csr_matrix((plays.data[~out], (users[~out], items[~out])), shape=plays.shape)
    out &= np.bincount(left.indices, minlength=plays.shape[1])[items] > 0
    there = np.unique(users[out])
    chosen = draw.choice(there, min(LISTENERS, len(there)), replace=False)
    out &= np.isin(users, chosen)
    return left, heldout.held(users[out], items[out])


def ndcg(tops: np.ndarray, held_out: Held, k: int) -> float:
    return float(heldout.ndcg(tops, held_out, slice(0, len(tops)), k).mean())


def tops_of(scores: Scores, matrix: sp.csr_matrix, held_out: Held, k: int) -> np.ndarray:
    users = [held_out.users[block] for block in held_out.blocks()]
    return np.concatenate([heldout.best(heldout.masked(scores(some), matrix, some), k) for some in users])


def blended(fits: list[Scores], weights: list[float], matrix: sp.csr_matrix, held_out: Held, k: int) -> np.ndarray:
    items, features = blending.candidates(fits, matrix, held_out)
    order = heldout.best(np.where(items >= 0, features @ np.array(weights, np.float32), -np.inf), k)
    return np.where(order >= 0, np.take_along_axis(items, np.maximum(order, 0), axis=1), -1)


def shown(source: str, config: Config, tracks: int) -> None:
    plays, k = read(source)
    plays = most_heard(plays, tracks or plays.shape[1])
    left, held_out = held_out_of(plays)
    weights = weighting.weights(left.data.astype(np.float64), config.matrix, 0.0, np.empty(0), 0, 0.0)
    matrix = sp.csr_matrix((weights, left.indices, left.indptr), shape=left.shape)
    print(f"{source}: {matrix.nnz:,} pairs, weights {weights.min():.2f} to {weights.max():.2f}; NDCG@{k}", flush=True)
    fits: list[Scores] = []
    for part in config.recommend.blend:
        began = time.perf_counter()
        fits.append(parts.fitted(part, matrix, config, 1))
        took = time.perf_counter() - began
        print(
            f"  {part:10} {ndcg(tops_of(fits[-1], matrix, held_out, k), held_out, k):.4f}  fit {took:.1f} s", flush=True
        )
    tops = blended(fits, list(config.recommend.blend.values()), matrix, held_out, k)
    print(f"  {'the blend':10} {ndcg(tops, held_out, k):.4f}", flush=True)


def main(words: list[str]) -> None:
    tracks = [int(word.removeprefix(TRACKS)) for word in words if word.startswith(TRACKS)]
    config = configuration.load([], [word for word in words if "=" in word and not word.startswith(TRACKS)])
    sources = [word for word in words if "=" not in word] or SOURCES
    if unknown := set(sources) - set(SOURCES):
        sys.exit(f"no such source: {', '.join(sorted(unknown))}\n{__doc__}")
    for source in sources:
        shown(source, config, tracks[-1] if tracks else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
