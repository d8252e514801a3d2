"""What listeners want and what may be transferred, from tables; real Spark, known answers."""

import datetime as dt
import json

import pytest
import torch

from musai import config as configuration
from musai.errors import InputError
from musai.generation import making, plan
from musai.generation import spark as generation
from musai.generation.makers import Files
from musai.generation.plan import Order, SourceTrack
from musai.music.midi import read_midi, write_midi
from musai.music.notes import Track, piece_of

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


def test_sounds_are_those_of_the_catalogues_tracks_of_each_style(spark, tracks):
    vectors = [(f"t{number}", [float(number), 1.0]) for number in range(1, 6)]
    embeddings = spark.createDataFrame(vectors, "track_id string, embedding array<float>")
    found = generation.sounds_by_style(tracks, embeddings, settings("generation.styles.pop=[pop]"))
    assert {style: sorted(rows[:, 0].tolist()) for style, rows in found.items()} == {"folk": [1, 3, 4], "chorale": [2]}


def order(method, style, number, source=None):
    name = f"{method}-{style}-{number}"
    return Order(name, method, style, None if source else "happy", plan.seed_of(name, 1), 8, source)


def source(name, path):
    return SourceTrack(name, "folk", path, "CC-BY-4.0")


def made(spark, orders, folder):
    frame = generation.make(spark, orders, Files(), settings(), [str(folder)])
    rows = frame.collect()
    frame.unpersist()
    refused = {tuple(key): count for row in rows if row["refused"] for *key, count in json.loads(row["refused"])}
    return {row["generated_id"]: row for row in rows if row["generated_id"]}, refused


def test_each_method_makes_its_tracks_in_its_own_task_with_the_same_bytes_in_any(spark, tmp_path):
    scale = [(67 + step, 12 * place, 12, 80, 0) for place, step in enumerate([0, 2, 4, 5, 7, 5, 4, 2] * 4)]
    varied = [(p + (2 if o % 96 == 36 else 0), o, d, v, t) for p, o, d, v, t in scale]
    (tmp_path / "tune.mid").write_bytes(write_midi(piece_of(varied, [Track("tune", 73)], (4, 4), 90)))
    tune, gone, outside = source("a", "tune.mid"), source("b", "gone.mid"), source("c", "../tune.mid")
    orders = [order("rnn", "folk", 0)]
    orders += [order("style_transfer", "chorale", number, one) for number, one in enumerate((tune, gone, outside))]
    rows, refused = made(spark, orders, tmp_path)
    reason = "a source that cannot be read: "
    assert refused["style_transfer", "chorale", f"{reason}No such file or directory"] == 1
    assert refused["style_transfer", "chorale", f"{reason}outside inputs.media_roots"] == 1
    row = rows["style_transfer-chorale-0"]
    assert (row["source_track_id"], row["target_style"], row["licence"]) == ("a", "chorale", "CC-BY-4.0")
    assert json.loads(row["provenance"])["source_track"] == "a"
    assert read_midi(bytes(row["midi"])).tempo_bpm == pytest.approx(90, abs=1e-3)
    looked = sum(count for (*_, why), count in refused.items() if why == making.SAMPLED)
    assert looked >= len(rows) >= 2
    alone, _ = made(spark, orders[1:2], tmp_path)
    assert bytes(alone["style_transfer-chorale-0"]["midi"]) == bytes(row["midi"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_the_task_lacks_is_an_error(spark, tmp_path):
    with pytest.raises(InputError, match=r"generation.device: gpu cannot be used here"):
        generation.train_in_one_task(spark, [], [], settings("generation.device=gpu"), 1, str(tmp_path))
