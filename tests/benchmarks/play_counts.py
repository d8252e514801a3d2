"""Whether settings serve counts of plays as they serve bits: python tests/benchmarks/play_counts.py [KEY=VALUE ...]

Last.fm-2k (hetrec, $MUSAI_SHARED/data/interactions, default ../shared), a fifth of each listener's artists held out by
seed. NDCG@20 of ALS and of each part of the blend by the settings of conf/base.yaml, once on the plays (up to 352,698)
and once on the same pairs without their counts. No setting was picked on these held-out pairs but as this prints them.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp

from musai import config as configuration
from musai.matrix import weighting
from musai.ranking import blending, heldout, parts
from musai.ranking.heldout import Held, Scores
from tests.benchmarks.splits import SHARED

K, HELD_OUT, SEED = 20, 0.2, 0


def read() -> tuple[sp.csr_matrix, Held]:
    """Plays float32 [users, artists] that are known, and what is held out."""
    table = pd.read_csv(SHARED / "data/interactions/hetrec_lastfm_2k/user_artists.dat", sep="\t")
    users, artists = (table[name].astype("category").cat.codes.to_numpy() for name in ("userID", "artistID"))
    out = np.random.default_rng(SEED).random(len(table)) < HELD_OUT
    shape = int(users.max()) + 1, int(artists.max()) + 1
    plays = table["weight"].to_numpy(np.float32)
    known = sp.csr_matrix((plays[~out], (users[~out], artists[~out])), shape=shape)
    out &= np.bincount(known.indices, minlength=shape[1])[artists] > 0
    return known, heldout.held(users[out], artists[out])


def ndcg(scores: Scores, matrix: sp.csr_matrix, held_out: Held) -> float:
    found = []
    for block in held_out.blocks():
        users = held_out.users[block]
        tops = heldout.best(heldout.masked(scores(users), matrix, users), K)
        found.append(heldout.ndcg(tops, held_out, block, K))
    return float(np.concatenate(found).mean())


def main(settings: list[str]) -> None:
    config, (plays, held_out) = configuration.load([], settings), read()
    for name, counts in (("plays", plays.data), ("the same pairs, one play each", np.ones_like(plays.data))):
        weights = weighting.weights(counts.astype(np.float64), config.matrix, np.empty(0), 0, 0.0)
        matrix = sp.csr_matrix((weights, plays.indices, plays.indptr), shape=plays.shape)
        print(f"{name}: weights {weights.min():.2f} to {weights.max():.2f}")
        fits = {part: parts.fitted(part, matrix, config, 1) for part in config.recommend.blend}
        for part, scores in fits.items():
            print(f"  {part:10} NDCG@{K} {ndcg(scores, matrix, held_out):.4f}", flush=True)
        shares = np.array(list(config.recommend.blend.values()))
        items, features = blending.candidates(list(fits.values()), matrix, held_out)
        order = heldout.best(np.where(items >= 0, features @ shares.astype(np.float32), -np.inf), K)
        tops = np.where(order >= 0, np.take_along_axis(items, np.maximum(order, 0), axis=1), -1)
        value = heldout.ndcg(tops, held_out, slice(0, len(tops)), K).mean()
        print(f"  {'the blend':10} NDCG@{K} {value:.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
