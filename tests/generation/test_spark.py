"""What listeners want and what may be transferred, from tables; real Spark, known answers."""

import datetime as dt

import pytest

from musai import config as configuration
from musai.generation import spark as generation

TRACKS = [  # track_id, genre, licence, midi_path
    ("t1", "Reel", "CC0-1.0", "1.mid"),
    ("t2", "chorale", "CC-BY-4.0", "2.mid"),
    ("t3", "jig", "all rights reserved", "3.mid"),
    ("t4", "jig", None, "4.mid"),
    ("t5", "classical", " ", "5.mid"),
    ("t6", "classical", "CC0-1.0", None),
    ("t7", None, "public domain", "7.mid"),
]
SETTINGS = ["generation.styles={folk: [reel, jig], chorale: [chorale]}"]
DATE = dt.date(2026, 1, 2)


@pytest.fixture(scope="module")
def tracks(spark):
    return spark.createDataFrame(TRACKS, "track_id string, genre string, licence string, midi_path string")


def settings(*more):
    return configuration.load([], [*SETTINGS, *more]).generation


def test_demand_adds_plays_and_tracks_by_style_and_emotion(spark, tracks):
    plays = [("u1", "t1", 2.0), ("u2", "t1", 1.5), ("u1", "t2", 4.0), ("u1", "t6", 9.0), ("u2", "t3", -1.0)]
    interactions = spark.createDataFrame(plays, "user_id string, track_id string, plays double")
    felt = [("t1", "happy"), ("t2", "sad"), ("t3", "happy"), ("t4", "calm"), ("t6", "happy")]
    emotions = spark.createDataFrame(felt, "track_id string, label string")
    played, there = generation.demand(interactions, tracks, emotions, settings())
    assert played == {("folk", "happy"): 2.5, ("chorale", "sad"): 4.0, ("folk", "calm"): 0.0}
    assert there == {("folk", "happy"): 2, ("chorale", "sad"): 1, ("folk", "calm"): 1}


def test_only_a_licence_on_the_list_makes_a_source_and_the_others_are_counted(tracks):
    found, refused = generation.sources(tracks, settings(), 1, DATE)
    assert {one.track_id: (one.style, one.licence) for one in found} == {
        "t1": ("folk", "CC0-1.0"), "t2": ("chorale", "CC-BY-4.0"), "t7": (None, "public domain"),
    }  # fmt: skip
    assert refused == {generation.UNKNOWN_LICENCE: 2, generation.NO_DERIVATIVES: 1}
    assert found == generation.sources(tracks.repartition(3), settings(), 1, DATE)[0]


def test_what_has_the_only_target_already_is_no_source(tracks):
    found, _ = generation.sources(tracks, settings("generation.transfer_to=[chorale]"), 1, DATE)
    assert {one.track_id for one in found} == {"t1", "t7"}
    assert len(generation.sources(tracks, settings("generation.tracks=1"), 1, DATE)[0]) == 1
