"""The lists `mood:*`: python tests/benchmarks/moods.py [KEY=VALUE ...]

Last.fm (LightGCN++'s split; a fifth of each listener's artists in train.txt held out, test.txt is never read). An
artist's emotion is what the shipped model reads from the tags that two listeners or more gave it, so that moods and
what is held out have nothing to do with each other. Per mood:

    recall     of the held-out tracks of that mood in the listener's list of 20, mean over listeners who have one
    popular    the same of the mood's most heard tracks that the listener does not know
    jaccard    of two listeners' lists, mean over 20,000 pairs

Then the part `mood` of the blend, by its weight: recall@20 of all held-out tracks and of those that have an emotion,
and how near a list's mean valence and arousal are to the listener's own (mean distance).

At last `recommend.calibration` with `calibrate_by: mood`: NDCG@20, what it costs, and how far the lists' labels are
from the listener's (KL of Steck 2018, 0 = the same shares).

Wants $MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import sys
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
import threadpoolctl

from musai import config as configuration
from musai.emotion.fusion import fuse
from musai.emotion.models import Models as EmotionModels
from musai.emotion.weights import shipped
from musai.evaluation import calibration
from musai.ranking import categories, heldout, mood_taste, moods
from musai.ranking.blocks import Lists
from musai.ranking.models import Models
from musai.ranking.reranking import Reranking
from tests.benchmarks import beyond

K, PAIRS, GIVEN_BY = 20, 20_000, 2


def emotions() -> pa.Table:
    """`moods.COLUMNS` of the artists (track_id: their number in the split) whose tags have a mood word."""
    raw = beyond.SHARED / "hetrec_lastfm_2k"
    given = pd.read_csv(raw / "user_taggedartists.dat", sep="\t", encoding="latin-1")
    names = pd.read_csv(raw / "tags.dat", sep="\t", encoding="latin-1").set_index("tagID")["tagValue"]
    counts = given.groupby(["artistID", "tagID"])["userID"].nunique()
    agreed = counts[counts >= GIVEN_BY].reset_index()
    agreed["tag"] = agreed["tagID"].map(names).astype(str)
    of_artist = agreed.groupby("artistID")["tag"].agg(list)
    known = pd.read_csv(beyond.SHARED / "lightgcnpp_lastfm/item_map.tsv", sep="\t")
    models, rows = EmotionModels(shipped()), []
    for item, artist in zip(known["item_id"], known["hetrec_artist_id"], strict=True):
        reading = models.tags(of_artist.get(artist), None, None)
        found = fuse([reading]) if reading else None
        if found:
            row = {"track_id": str(item), "arousal": found.arousal, "label": found.label}
            likely = list(found.probabilities.items())
            rows.append({**row, "valence": found.valence, "confidence": found.confidence, "probabilities": likely})
    probabilities = pa.array([row.pop("probabilities") for row in rows], pa.map_(pa.string(), pa.float64()))
    return pa.Table.from_pylist(rows).append_column("probabilities", probabilities)


def blend_table(train: sp.csr_matrix, held: heldout.Held, made: Models, found: pa.Table, users: Users) -> None:
    taste = mood_taste.mood_taste(found, made.track_ids)
    made = dataclasses.replace(
        made,
        methods=(*made.methods, mood_taste.METHOD),
        predictors={**made.predictors, mood_taste.METHOD: taste},
        near_indptr=np.vstack([made.near_indptr, np.full(made.known + 1, made.near_indptr[-1, -1])]),
    )
    feeling = np.full((made.known, 2), np.nan)
    tracks = np.array(found["track_id"].to_pylist(), int)
    there = tracks < made.known
    feeling[tracks[there]] = np.stack([found["valence"].to_numpy(), found["arousal"].to_numpy()], axis=1)[there]
    told = ~np.isnan(feeling[:, 0])
    own = np.stack([np.nanmean(feeling[train[user].indices], axis=0) for user in held.users])
    print(f"{'weight of mood':<18}{'recall':>9}{'with mood':>11}{'distance':>10}")
    for weight in (0.0, 0.05, 0.1, 0.2, 0.4):
        blend = {**users.blend, mood_taste.METHOD: weight}
        lists = beyond.tops(users.rows, users.factors, made, Lists(K, ("for_you",), blend, 0))
        hits, of_mood = [], []
        for row, (start, end) in enumerate(itertools.pairwise(held.indptr)):
            target = held.indices[start:end]
            inside = np.isin(target, lists[row])
            hits.append(inside.sum() / min(K, len(target)))
            if told[target].any():
                of_mood.append(inside[told[target]].mean())
        of_lists = np.nanmean(np.where(lists[..., None] >= 0, feeling[lists], np.nan), axis=1)
        distance = np.nanmean(np.linalg.norm(of_lists - own, axis=1))
        print(f"{weight:<18}{np.mean(hits):>9.4f}{np.mean(of_mood):>11.4f}{distance:>10.4f}", flush=True)


def calibration_table(held: heldout.Held, made: Models, found: pa.Table, users: Users, candidates: int) -> None:
    labels = pa.array(found["label"].to_pylist(), pa.large_string())
    mood = categories.of_tracks(made.track_ids, pa.array(found["track_id"].to_pylist(), pa.large_string()), labels)
    assert made.extras is not None
    made = dataclasses.replace(made, extras=dataclasses.replace(made.extras, category=mood))
    taste, whole, without = calibration.shares(users.rows, mood), slice(0, len(held.users)), 0.0
    print(f"{'calibration':<18}{'ndcg':>9}{'cost':>9}{'miscal.':>9}")
    for value in (0.0, 0.05, 0.1, 0.2, 0.4):
        steered = Reranking(diversity=0.0, calibration=value, popularity_exponent=0.0, candidates=candidates)
        lists = beyond.tops(users.rows, users.factors, made, Lists(K, ("for_you",), users.blend, 0, steered))
        ndcg = float(heldout.ndcg(lists, held, whole, K).mean())
        without = without or ndcg
        far = np.nanmean(calibration.miscalibration(lists, mood, taste))
        print(f"{value:<18}{ndcg:>9.4f}{ndcg / without - 1:>+9.1%}{far:>9.3f}", flush=True)


@dataclasses.dataclass(frozen=True)
class Users:
    """Who has held-out tracks: their rows of the matrix, their factors, and the blend without `mood`."""

    rows: sp.csr_matrix
    factors: np.ndarray
    blend: dict[str, float]


def jaccard(lists: np.ndarray, rng: np.random.Generator) -> float:
    """Mean over pairs of rows of `lists` [listeners, K]."""
    pairs = rng.integers(0, len(lists), (PAIRS, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    shared = np.array([len(np.intersect1d(lists[a], lists[b])) for a, b in pairs])
    return float(np.mean(shared / (2 * lists.shape[1] - shared)))


def main() -> None:
    config, data = configuration.load([], sys.argv[1:]), beyond.lastfm()
    train, held = beyond.split(data.plays, config.seed)
    found = emotions()
    with threadpoolctl.threadpool_limits(1):
        made, vectors = beyond.fitted(train, data, config)
        with tempfile.TemporaryDirectory() as name:
            folder, items = pathlib.Path(name), train.shape[1]
            moods.save(found, made.track_ids, np.zeros(items, bool), config.emotion.min_confidence, folder)
            starts, tracks = np.load(folder / "mood_starts.npy"), np.load(folder / "mood_tracks.npy")
        made = dataclasses.replace(made, mood_starts=starts, mood_tracks=tracks)
        matrix = beyond.weighted(train, config, made.popularity.astype(np.int64))
        print(f"{train.shape[0]} listeners, {items} tracks, {found.num_rows} of them with an emotion")
        print(f"{'':<18}{'tracks':>8}{'recall':>9}{'popular':>9}{'ratio':>8}{'jaccard':>9}")
        wanted = [np.zeros(0, np.int64)] * train.shape[0]
        for place, user in enumerate(held.users):
            wanted[user] = held.indices[held.indptr[place] : held.indptr[place + 1]]
        for number, mood in enumerate(moods.NAMES):
            own = tracks[starts[number] : starts[number + 1]]
            asked = np.array([user for user, out in enumerate(wanted) if np.isin(out, own).any()])
            lists = beyond.tops(matrix[asked], vectors[asked], made, Lists(K, (mood,), config.recommend.blend, 0))
            by_place = own[np.argsort(made.place[own], kind="stable")]
            figures = np.zeros((len(asked), 2))
            for row, user in enumerate(asked):
                target = np.intersect1d(wanted[user], own)
                heard = train.indices[train.indptr[user] : train.indptr[user + 1]]
                popular = by_place[~np.isin(by_place, heard)][:K]
                for column, listed in enumerate((lists[row], popular)):
                    figures[row, column] = np.isin(target, listed).sum() / min(K, len(target))
            ours, theirs = figures.mean(0)
            same = jaccard(lists, np.random.default_rng(0))
            print(f"{mood:<18}{len(own):>8}{ours:>9.3f}{theirs:>9.3f}{ours / theirs:>8.2f}{same:>9.3f}", flush=True)
        users = Users(matrix[held.users], vectors[held.users], dict(config.recommend.blend))
        blend_table(train, held, made, found, users)
        calibration_table(held, made, found, users, config.recommend.candidates)


if __name__ == "__main__":
    main()
