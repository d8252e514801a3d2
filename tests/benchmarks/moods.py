"""The lists `mood:*`: python tests/benchmarks/moods.py [KEY=VALUE ...]

Last.fm (LightGCN++'s split; a fifth of each listener's artists in train.txt held out, test.txt is never read). An
artist's emotion is what the shipped model reads from the tags that two listeners or more gave it, so that moods and
what is held out have nothing to do with each other. Per mood:

    recall     of the held-out tracks of that mood in the listener's list of 20, mean over listeners who have one
    popular    the same of the mood's most heard tracks that the listener does not know
    jaccard    of two listeners' lists, mean over 20,000 pairs

Wants $MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import threadpoolctl

from musai import config as configuration
from musai.emotion.fusion import fuse
from musai.emotion.models import Models as EmotionModels
from musai.emotion.weights import shipped
from musai.ranking import moods
from musai.ranking.blocks import Lists
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
            rows.append({**row, "confidence": found.confidence})
    return pa.Table.from_pylist(rows)


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


if __name__ == "__main__":
    main()
