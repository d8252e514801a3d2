"""What each setting beyond accuracy costs in NDCG and gains in its own metric, on a part of the training data.

    python tests/benchmarks/beyond.py lightgcnpp_lastfm [KEY=VALUE ...]
    python tests/benchmarks/beyond.py demo [KEY=VALUE ...]      simulated listeners; artists with several tracks

A fifth of each listener's tracks is held out of train.txt (test.txt is never read); the parts of the blend are fitted
on the rest, once, and `musai.ranking.blocks` makes the lists of every setting. Genres: of Last.fm the commonest of the
50 tags that were given most, where item_map.tsv knows the artist (the tracks there are artists, so nothing is
measured of `discover` and the artist cap); of the demo those of its catalogue.

    ndcg          of the held-out tracks, and how much less than without the setting
    diversity     1 - mean cosine of the ALS factors of a list's pairs
    miscal.       KL of the listener's genres from the list's (Steck 2018), 0 = the same shares
    head          share of the places that goes to the tenth of the tracks with most listeners
    coverage      share of the tracks that stand in somebody's list
    new, artists  share of the places of artists new to the listener; artists in a list

Then newcomers: listeners who are left out of the fit and come with 1, 3, 5 or 10 of their tracks. Wants
$MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import csv
import dataclasses
import os
import pathlib
import sys
import tempfile
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
import threadpoolctl

from musai import config as configuration
from musai.config import Config
from musai.evaluation import calibration, ranking_metrics
from musai.factorization import als, fold_in
from musai.factorization.fold_in import FoldIn
from musai.matrix import weighting
from musai.ranking import blocks, categories, heldout
from musai.ranking.blocks import Block, Lists
from musai.ranking.extras import Extras
from musai.ranking.models import Models
from musai.ranking.reranking import Reranking
from musai.similarity import linear
from musai.similarity.user_knn import user_knn

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/interactions"
K, HELD_OUT, NEWCOMERS, GENRES = 10, 0.2, 0.15, 50
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("the blend", {}),
    *((f"diversity={value}", {"diversity": value}) for value in (0.1, 0.2, 0.3, 0.5)),
    *((f"calibration={value}", {"calibration": value}) for value in (0.05, 0.1, 0.2, 0.4)),
    *((f"popularity_exponent={value}", {"popularity_exponent": value}) for value in (0.05, 0.1, 0.2, 0.4)),
    ("all three at .1", {"diversity": 0.1, "calibration": 0.1, "popularity_exponent": 0.1}),
    *((f"max_tracks_per_artist={value}", {"cap": value}) for value in (2, 1)),
    ("the list discover", {"name": "discover"}),
]


@dataclasses.dataclass
class Data:
    """plays csr [users, items]; genre, artist int32 [items], 0 and -1 = unknown."""

    plays: sp.csr_matrix
    genre: np.ndarray
    artist: np.ndarray


def lastfm() -> Data:
    folder, tags = SHARED / "lightgcnpp_lastfm", SHARED / "hetrec_lastfm_2k/user_taggedartists.dat"
    rows = [[int(word) for word in line.split()] for line in (folder / "train.txt").read_text().splitlines() if line]
    pairs = np.array([(user, item) for user, *items in rows for item in items])
    items = pairs[:, 1].max() + 1
    plays = sp.csr_matrix(
        (np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), shape=(pairs[:, 0].max() + 1, items)
    )
    given = pd.read_csv(tags, sep="\t", usecols=["artistID", "tagID"], encoding="latin-1")
    given = given[given["tagID"].isin(given["tagID"].value_counts().index[:GENRES])]
    genre_of = given.groupby("artistID")["tagID"].agg(lambda own: own.value_counts().sort_index(kind="stable").idxmax())
    known = pd.read_csv(folder / "item_map.tsv", sep="\t").query("item_id < @items")
    genre = np.zeros(items, np.int64)
    genre[known["item_id"]] = genre_of.reindex(known["hetrec_artist_id"]).fillna(0).astype(int)
    return Data(plays, np.unique(genre, return_inverse=True)[1].astype(np.int32), np.full(items, -1, np.int32))


def demo() -> Data:
    from musai.demo import write_demo

    with tempfile.TemporaryDirectory() as folder:
        files = write_demo(pathlib.Path(folder))
        log = pd.concat([read(file, csv.QUOTE_NONE) for file in sorted(files["interactions"].iterdir())])
        tracks = read(files["tracks"], csv.QUOTE_MINIMAL).drop_duplicates("track_id")
    log = log[["user_id", "track_id"]].dropna().drop_duplicates()
    log = log[log["track_id"].isin(tracks["track_id"])]
    ids, items = np.unique(log["track_id"], return_inverse=True)
    users = np.unique(log["user_id"], return_inverse=True)[1]
    texts = tracks.set_index("track_id").reindex(ids)
    track_ids = pa.array(ids.tolist(), pa.large_string())

    def coded(column: str) -> np.ndarray:
        values = pa.array(texts[column], pa.large_string(), from_pandas=True)
        return categories.of_tracks(track_ids, track_ids, values)

    plays = sp.csr_matrix((np.ones(len(log), np.float32), (users, items)))
    return Data(plays, coded("genre"), coded("artist") - 1)


def read(file: pathlib.Path, quoting: Literal[0, 3]) -> pd.DataFrame:
    """Without the rows that the demo spoils on purpose."""
    return pd.read_csv(file, dtype=str, on_bad_lines="skip", encoding_errors="replace", quoting=quoting)


def split(plays: sp.csr_matrix, seed: int) -> tuple[sp.csr_matrix, heldout.Held]:
    """A fifth of the tracks of every listener of at least 5, drawn by seed."""
    coo = plays.tocoo()
    order = np.lexsort((np.random.default_rng(seed).random(coo.nnz), coo.row))
    counts = np.bincount(coo.row, minlength=plays.shape[0])
    place = np.arange(coo.nnz) - np.repeat(np.cumsum(counts) - counts, counts)
    out = place < np.where(counts >= 5, np.maximum(1, counts * HELD_OUT), 0)[coo.row[order]]
    kept, left = order[~out], order[out]
    train = sp.csr_matrix((coo.data[kept], (coo.row[kept], coo.col[kept])), shape=plays.shape)
    return train, heldout.held(coo.row[left].astype(np.int64), coo.col[left].astype(np.int64))


def weighted(plays: sp.csr_matrix, config: Config, listeners: np.ndarray) -> sp.csr_matrix:
    """The matrix as the night would have it, of single plays."""
    found = plays.copy()
    of_user = np.repeat(np.asarray(plays.sum(axis=1)).ravel(), np.diff(plays.indptr))
    of_item = listeners[found.indices]
    given = (of_user, of_item, plays.shape[0], float(plays.sum() / plays.shape[0]))
    found.data = weighting.weights(found.data.astype(float), config.matrix, *given)
    return found


def fitted(train: sp.csr_matrix, data: Data, config: Config) -> tuple[Models, np.ndarray]:
    """The blend's models, and the listeners' factors."""
    items, listeners = train.shape[1], np.bincount(train.indices, minlength=train.shape[1])
    matrix = weighted(train, config, listeners)
    factors = als.train(matrix, config.factorization, config.seed, 1)
    near = linear.linear(matrix, config.similarity, 1).tocsr()
    scales = fold_in.scales_of(matrix, config.factorization)
    fold = FoldIn(factors.tracks, fold_in.prepared(factors.tracks), *scales, config.factorization)
    place = np.empty(items, np.int32)
    place[np.argsort(-listeners, kind="stable")] = np.arange(items, dtype=np.int32)
    arrays: dict[str, Any] = {
        "place": place,
        "popularity": listeners.astype(np.float32),
        "artist": data.artist,
        "by_artist": np.searchsorted(np.sort(data.artist), np.arange(-1, data.artist.max() + 2)).astype(np.int64),
        "of_artist": np.argsort(data.artist, kind="stable").astype(np.int32),
        "blocked": np.empty(0, np.int32),
        "fresh": np.empty(0, np.int32),
        "near_indptr": np.stack([near.indptr.astype(np.int64), np.full(items + 1, near.nnz)]),
        "near_indices": near.indices.astype(np.int32),
        "near_scores": near.data.astype(np.float32),
    }
    made = Models(
        track_ids=pa.array(map(str, range(items)), pa.large_string()), known=items, methods=("linear", "user_knn"),
        factors=factors.tracks, predictors={"user_knn": user_knn(matrix, config.similarity)},
        extras=Extras(category=data.genre, fold_in=fold), **arrays,
    )  # fmt: skip
    return made, factors.users


def tops(matrix: sp.csr_matrix, users: np.ndarray | None, made: Models, lists: Lists) -> np.ndarray:
    """int64 [rows of matrix, K] of one list; users: their factors, None where they are folded in."""
    found = []
    for start in range(0, matrix.shape[0], blocks.MAX_BLOCK):
        rows = matrix[start : start + blocks.MAX_BLOCK]
        block = Block(
            pa.array(map(str, range(rows.shape[0]))), rows.indptr.astype(np.int64), rows.indices.astype(np.int32),
            rows.data.astype(np.float32), None if users is None else users[start : start + blocks.MAX_BLOCK],
        )  # fmt: skip
        found.append(blocks.recommend(block, made, lists).items[:, 0, :])
    return np.concatenate(found).astype(np.int64)


def settings_table(data: Data, config: Config) -> None:
    train, held = split(data.plays, config.seed)
    made, vectors = fitted(train, data, config)
    listeners = made.popularity.astype(np.int64)
    matrix = weighted(train, config, listeners)[held.users]
    taste = calibration.shares(matrix, data.genre)
    length = np.linalg.norm(made.factors, axis=1, keepdims=True)
    units = made.factors / np.where(length > 0, length, 1)
    has_artists, whole, without = data.artist.max() >= 0, slice(0, len(held.users)), np.nan
    columns = ("ndcg", "cost", "diversity", "miscal.", "head", "coverage", *(("new", "artists") if has_artists else ()))
    print(f"{len(held.users)} listeners, {made.known} tracks, @{K}\n{'':<28}" + "".join(f"{c:>10}" for c in columns))
    for label, changes in SETTINGS:
        asked = dict(changes)
        name, cap = asked.pop("name", "for_you"), asked.pop("cap", 0)
        if (name == "discover" or cap) and not has_artists:
            continue
        off = {"diversity": 0.0, "calibration": 0.0, "popularity_exponent": 0.0}
        chosen = Reranking(**{**off, **asked}, candidates=config.recommend.candidates) if asked else None
        found = tops(matrix, vectors[held.users], made, Lists(K, (name,), config.recommend.blend, cap, chosen))
        ndcg = heldout.ndcg(found, held, whole, K).mean()
        without = ndcg if label == SETTINGS[0][0] else without
        figures = [
            f"{ndcg:.4f}",
            f"{ndcg / without - 1:+.1%}",
            f"{np.nanmean(ranking_metrics.intra_list_diversity(found, units)):.3f}",
            f"{np.nanmean(calibration.miscalibration(found, data.genre, taste)):.3f}",
            f"{np.nanmean(ranking_metrics.popularity_share(found, listeners)):.3f}",
            f"{ranking_metrics.coverage(ranking_metrics.exposure_of(found, made.known)):.3f}",
            *(artist_figures(found, matrix, data.artist) if has_artists else ()),
        ]
        print(f"{label:<28}" + "".join(f"{figure:>10}" for figure in figures), flush=True)


def artist_figures(found: np.ndarray, matrix: sp.csr_matrix, artist: np.ndarray) -> tuple[str, str]:
    """Share of the places of new artists, and artists a list."""
    new, several = [], []
    for row, mine in zip(found, np.split(artist[matrix.indices], matrix.indptr[1:-1]), strict=True):
        of_list = artist[row[row >= 0]]
        new.append(np.mean(~np.isin(of_list, mine)))
        several.append(len(np.unique(of_list)))
    return f"{np.nanmean(new):.3f}", f"{np.mean(several):.2f}"


def newcomers_table(data: Data, config: Config) -> None:
    """Listeners whom the fit did not have, by how many of their tracks they bring; the rest is what is to be found."""
    draw = np.random.default_rng(config.seed)
    counts = np.diff(data.plays.indptr)
    away = np.sort(draw.permutation(np.flatnonzero(counts >= 15))[: int(NEWCOMERS * len(counts))])
    train = sp.diags_array((~np.isin(np.arange(len(counts)), away)).astype(np.float32)).tocsr() @ data.plays
    train = sp.csr_matrix(train)
    train.eliminate_zeros()
    made, _ = fitted(train, data, config)
    segment, popular = categories.popularities(train, data.genre, made.popularity)
    by_genre = dataclasses.replace(made, extras=dataclasses.replace(made.extras, segment=segment, popular=popular))
    served = [(made, {}), (by_genre, {}), (made, config.recommend.blend), (made, {blocks.ALS: 1.0})]
    shuffled = [draw.permutation(data.plays[user].indices) for user in away]
    columns = "".join(f"{c:>10}" for c in ("popular", "by genre", "folded in", "ALS alone"))
    print(f"\n{len(away)} newcomers, NDCG@{K} of what they do not bring\n{'tracks brought':<28}{columns}")
    for brought in (1, 3, 5, 10):
        rows = np.repeat(np.arange(len(away)), brought)
        items = np.concatenate([own[:brought] for own in shuffled])
        known = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=(len(away), made.known))
        known.sort_indices()
        matrix = weighted(known, config, made.popularity)
        rest = [own[10:] for own in shuffled]  # the same for every row of the table
        held = heldout.held(np.repeat(np.arange(len(away)), [len(own) for own in rest]), np.concatenate(rest))
        figures = []
        for models, blend in served:
            found = tops(matrix, None, models, Lists(K, ("for_you",), blend, 0))
            figures.append(heldout.ndcg(found, held, slice(0, len(away)), K).mean())
        print(f"{brought:<28}" + "".join(f"{figure:>10.4f}" for figure in figures), flush=True)


def main() -> None:
    name, *settings = sys.argv[1:] or ["help"]
    makers = {"lightgcnpp_lastfm": lastfm, "demo": demo}
    if name not in makers:
        sys.exit(__doc__)
    config, data = configuration.load([], settings), makers[name]()
    with threadpoolctl.threadpool_limits(1):
        settings_table(data, config)
        newcomers_table(data, config)


if __name__ == "__main__":
    main()
