"""New tracks: recall@20 among artists that were hidden whole, on Last.fm-2k with tags as content.

    python tests/benchmarks/new_tracks.py [test | valid] [SEED ...]

20% of the artists are hidden with all that was heard of them. The others are factorised by musai.factorization with
its defaults; musai.embedding.factors learns tags -> factors; every listener of a hidden artist ranks the hidden ones.
recall = hidden artists that he heard among his first 20 / all that he heard, the mean over listeners. `valid` hides
20% of what `test` leaves and is what settings were chosen on. Wants $MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import os
import pathlib
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp

from musai import config
from musai.embedding import factors
from musai.embedding.content import Content
from musai.factorization import als

DATA = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/interactions/hetrec_lastfm_2k"
HIDDEN, K, NEIGHBOURS = 0.2, 20, 50


def read() -> tuple[sp.csr_matrix, list[list[str]]]:
    """Plays [listeners, artists], and what each artist was tagged with, a term a tagging."""
    plays = pd.read_csv(DATA / "user_artists.dat", sep="\t")
    taggings = pd.read_csv(DATA / "user_taggedartists.dat", sep="\t", usecols=["artistID", "tagID"])
    artists, artist = np.unique(plays["artistID"], return_inverse=True)
    user = np.unique(plays["userID"], return_inverse=True)[1]
    known = taggings[taggings["artistID"].isin(artists)]
    terms: list[list[str]] = [[] for _ in artists]
    for place, tag in zip(np.searchsorted(artists, known["artistID"]), known["tagID"], strict=True):
        terms[place].append(f"tag {tag}")
    return sp.csr_matrix((plays["weight"].astype(float), (user, artist))), terms


def content_of(terms: list[list[str]]) -> Content:
    nothing = np.empty((len(terms), 0), np.float32)
    return Content([str(n) for n in range(len(terms))], [None] * len(terms), terms, nothing, nothing)


def split(artists: int, part: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(known, hidden) artists."""
    order = np.random.default_rng(seed).permutation(artists)
    hidden, rest = np.split(order, [round(HIDDEN * artists)])
    if part == "valid":
        hidden, rest = np.split(rest, [round(HIDDEN * len(rest))])
    return np.sort(rest), np.sort(hidden)


def recall(scores: np.ndarray, wanted: sp.csr_matrix) -> float:
    """scores [listeners, hidden]; wanted: what each listener heard of them."""
    found = []
    for row, mine in zip(scores, np.split(wanted.indices, wanted.indptr[1:-1]), strict=True):
        if len(mine):
            best = np.argpartition(-row, K)[:K]
            found.append(len(np.intersect1d(best, mine)) / len(mine))
    return float(np.mean(found))


def measure(part: str, seed: int) -> dict[str, float]:
    plays, terms = read()
    known, hidden = split(plays.shape[1], part, seed)
    settings = config.load().factorization
    weights = sp.csr_matrix(plays[:, known]).astype(np.float32)
    weights.data = np.log1p(weights.data)
    trained = als.train(weights, settings, seed, threads=1)
    listeners = np.asarray((weights > 0).sum(axis=0)).ravel()
    heard, new = content_of([terms[n] for n in known]), content_of([terms[n] for n in hidden])
    learnt = np.flatnonzero(heard.has("words") & (listeners > 0))
    predictor = factors.fit(
        content_of([heard.terms[n] for n in learnt]), trained.tracks[learnt], listeners[learnt], seed
    )
    nobody = np.full((len(new), settings.factors), np.nan)
    wanted = sp.csr_matrix(plays[:, hidden] > 0)
    print(f"  {part}, seed {seed}: ridge {predictor.ridge}, {predictor.explained:.3f} of held-out factors explained")

    words = predictor.vocabulary._words
    from_heard, from_new = words(heard.terms)[:, :-1], words(new.terms)[:, :-1]  # rows of length 1
    alike = (from_new @ from_heard.T).toarray().astype(np.float32)
    nearest = np.where(alike >= np.partition(alike, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS, None], alike, 0)
    shared = sp.csr_matrix((weights > 0).astype(np.float32) @ from_heard)  # terms of what a listener has
    return {
        "MusAI: factors predicted from the tags": recall(trained.users @ predictor.predict(new, nobody).T, wanted),
        "nearest by content to what the listener has": recall(weights @ alike.T, wanted),
        f"... its {NEIGHBOURS} nearest only": recall(weights @ nearest.T, wanted),
        "tags of what the listener has": recall((shared @ from_new.T).toarray(), wanted),
        "popularity of its tags": recall(
            np.tile(from_new @ (from_heard.T @ listeners), (len(plays.indptr) - 1, 1)), wanted
        ),
        "number of its tags": recall(np.tile([len(own) for own in new.terms], (len(plays.indptr) - 1, 1)), wanted),
        "mean of the factors' neighbours": recall(trained.users @ (nearest @ trained.tracks).T, wanted),
        "random": recall(np.random.default_rng(seed).random((plays.shape[0], len(hidden))), wanted),
    }


def main(part: str = "test", *seeds: str) -> None:
    rows = pd.DataFrame([measure(part, int(seed)) for seed in seeds or ("0", "1", "2")])
    means = rows.mean()
    best = means.iloc[1:].max()
    print(f"recall@{K} among hidden artists, Last.fm-2k, mean of {len(rows)} splits; goal: 1.15 x the best baseline")
    for name, value in means.items():
        print(f"  {name:<46} {value:.4f}  {value / best:.2f} x the best baseline")


if __name__ == "__main__":
    main(*sys.argv[1:])
