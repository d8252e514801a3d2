"""`recommend_tracks` on the tiny night: full lists of unheard tracks with their reasons."""

import csv

import numpy as np
import pytest

from musai import config as configuration
from tests import nights


def test_everyone_has_a_full_list_of_what_he_has_not_heard(night):
    lists = night.table("recommendations").query("list == 'for_you'")
    heard = night.table("interactions").groupby("user_id")["track_id"].agg(set)
    catalogue = set(night.table("tracks")["track_id"]) | set(night.table("items")["track_id"])
    for user, rows in lists.groupby("user_id"):
        assert rows.sort_values("rank")["rank"].tolist() == list(range(1, len(rows) + 1))
        assert not set(rows["track_id"]) & heard[user]
        assert len(rows) == min(10, len(catalogue - heard[user]))
    assert set(lists["user_id"]) == set(heard.index)


def test_because_names_a_track_that_the_listener_has(night):
    heard = night.table("interactions").groupby("user_id")["track_id"].agg(set)
    rows = night.table("recommendations").dropna(subset=["because_track_id"])
    assert len(rows) > 100
    assert all(because in heard[user] for user, because in zip(rows["user_id"], rows["because_track_id"], strict=True))


def test_discover_keeps_to_artists_that_are_new(night):
    artist = night.table("tracks").set_index("track_id")["artist"]
    heard = night.table("interactions").assign(artist=lambda rows: rows["track_id"].map(artist))
    known = heard.groupby("user_id")["artist"].agg(set)
    rows = night.table("recommendations").query("list == 'discover'")
    assert len(rows) > 0
    assert not any(artist[track] in known[user] for user, track in zip(rows["user_id"], rows["track_id"], strict=True))


@pytest.mark.slow
def test_a_catalogue_of_heard_tracks_alone_has_no_new_releases(spark, night, night_folder, tmp_path):
    heard = set(night.table("items")["track_id"])
    with (night_folder / "tracks.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["track_id"] in heard]
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["track_id", "title", "artist"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    config = nights.settings_of(
        night_folder, f"inputs.tracks={tmp_path / 'tracks.csv'}", f"warehouse={tmp_path / 'warehouse'}"
    )
    jobs = ["ingest_interactions", "build_user_item", "ingest_tracks", "compute_similarities", "train_als"]
    made = nights.run(config, only=(*jobs, "predict_factors", "recommend_tracks"))
    assert "new_releases was left out" in made.printed
    assert set(made.table("recommendations")["list"]) == {"for_you", "discover"}


@pytest.mark.slow
def test_a_night_that_looks_beyond_accuracy_and_folds_light_listeners_in(spark, night, night_folder, tmp_path):
    """Half of the listeners are below the filter; genres are the three tastes, and nobody's list stays short."""
    with (night_folder / "tracks.csv").open(newline="") as file:
        rows = [{"genre": f"Taste {int(row['track_id'][1:]) % 60 // 20}", **row} for row in csv.DictReader(file)]
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["track_id", "title", "artist", "genre"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    sizes = night.table("users").set_index("user_id")["interactions"]
    least = int(sizes.median()) + 1
    config = nights.settings_of(
        night_folder, f"inputs.tracks={tmp_path / 'tracks.csv'}", f"warehouse={tmp_path / 'warehouse'}",
        f"matrix.min_tracks_per_user={least}", "recommend.diversity=0.2", "recommend.calibration=0.5",
        "recommend.popularity_exponent=0.1", "recommend.max_tracks_per_artist=2", "recommend.popularity_by=genre",
        "recommend.candidates=40", "recommend.lists=[for_you, discover]",
    )  # fmt: skip
    jobs = ["ingest_interactions", "build_user_item", "ingest_tracks", "compute_similarities", "train_als"]
    made = nights.run(config, only=(*jobs, "recommend_tracks"))
    lists, light = made.table("recommendations"), set(sizes.index[sizes < least])
    assert 10 < len(light) < 40
    assert not set(made.table("user_item")["user_index"]) & set(
        made.table("users").query("interactions < @least")["user_index"]
    )
    best = lists[lists["list"] == "for_you"]
    assert best.groupby("user_id").size().tolist() == [10] * 40
    assert {"als", "user_knn"} <= set(best[best["user_id"].isin(light)]["source"])
    assert "popularity" not in set(best[best["rank"] == 1]["source"])
    artist, genre = (made.table("tracks").set_index("track_id")[name] for name in ("artist", "genre"))
    assert best.assign(artist=best["track_id"].map(artist)).groupby(["user_id", "artist"]).size().max() <= 2
    heard = made.table("interactions").assign(genre=lambda rows: rows["track_id"].map(genre))
    taste = heard.groupby("user_id")["genre"].agg(lambda own: own.value_counts().idxmax())
    listed = best.assign(genre=best["track_id"].map(genre)).groupby("user_id")["genre"]
    agree = listed.agg(lambda own: own.value_counts().idxmax()) == taste
    assert agree.mean() > 0.8


@pytest.mark.slow
def test_a_night_that_nobody_has_tuned_learns_its_blend(spark, tmp_path):
    """Of enough listeners, where the configuration's is worse: ALS of one number knows nothing of six tastes."""
    draw = np.random.default_rng(0)
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "track_id"])
        for user in range(1400):  # of 8 tracks each, a fifth held out: some have none
            writer.writerows((f"u{user}", f"t{track + 20 * (user % 6)}") for track in draw.choice(20, 8, replace=False))
    small = ("factorization.factors=1", "factorization.iterations=1", "recommend.lists=[for_you]", "recommend.top_n=5")
    at = (f"inputs.interactions={tmp_path / 'log.csv'}", f"warehouse={tmp_path / 'warehouse'}", "spark.master=local[2]")
    jobs = ("ingest_interactions", "build_user_item", "compute_similarities", "train_als", "recommend_tracks")
    made = nights.run(configuration.load([], [*small, *at]), only=jobs)
    assert "the blend, learned: als" in made.printed
    weights = {row["part"]: row["weight"] for row in made.outcome.run.read(spark, "blend_weights").collect()}
    assert weights.keys() == {"als", "user_knn", "linear"}
    assert weights["als"] < 0.5
    assert set(made.table("recommendations")["source"]) <= {part for part in weights if weights[part]} | {"popularity"}
