"""`evaluate_music` on the tiny night: each figure with its reference rows."""

import datetime as dt
import json
import shutil

import numpy as np
import pyarrow.dataset as ds
import pytest

from musai.steps import Night, evaluate_music
from musai.storage import at
from musai.warehouse import Run, Warehouse


def test_every_style_has_its_figures_beside_real_music(night):
    rows = night.table("generation_metrics")
    tracks = night.table("generated_tracks")
    alone = rows["metric"].isin(["share_refused", "emotion_heard", "ends_home", "frechet_distance"])
    for (method, style), count in tracks.groupby(["method", "style"]).size().items():
        if count < 2:
            continue
        own = rows[(rows["method"] == method) & (rows["style"] == style) & ~alone].set_index("metric")
        assert {"pitches", "repeated_bars", "transitions", "structure"} <= set(own.index)
        assert own[["generated", "real", "other_style"]].stack().between(0, 1 + 1e-9).all()
        assert own.loc["transitions", "real"] > 0.5


def test_how_new_tracks_sound_stands_beside_the_catalogues_own(night):
    """A style of the tiny catalogue has few tracks: where both halves have two, there is a row."""
    rows = night.table("generation_metrics").query("metric == 'frechet_distance'")
    tracks, heard = night.table("tracks"), night.table("track_embeddings")
    styles = night.config.generation.styles
    known = tracks[tracks["track_id"].isin(heard["track_id"])]["genre"].str.lower()
    due = {style for style, genres in styles.items() if known.isin(genres).sum() >= 4}
    made = night.table("generated_tracks").dropna(subset=["embedding"]).groupby(["method", "style"]).size()
    assert set(zip(rows["method"], rows["style"], strict=True)) == {
        key for key, count in made.items() if count >= 2 and key[1] in due
    }
    assert (rows[["generated", "real"]] > 0).all(axis=None)


def test_a_distance_stands_beside_those_of_real_tracks():
    rng = np.random.default_rng(0)
    sounds = {
        style: rng.normal(place, 1, (60, 3)).astype(np.float32) for style, place in (("a", 0), ("b", 5), ("c", 9))
    }
    sounds["few"] = sounds["c"][:3]
    made = [
        {"method": "rnn", "style": style, "embedding": rng.normal(1, 1, 3).tolist()}
        for style in ("a", "few", "unknown") for _ in range(30)
    ]  # fmt: skip
    made.append({"method": "gan", "style": "a", "embedding": None})
    ((method, style, metric, ours, real, other),) = evaluate_music._distances(made, sounds)
    assert (method, style, metric) == ("rnn", "a", "frechet_distance")
    assert real < ours < other
    assert (ours, other) == (pytest.approx(3, abs=1.5), pytest.approx(75, rel=0.2))  # about those of the means, squared


def test_the_share_of_tracks_that_end_at_home_is_that_of_their_measures(night):
    rows = night.table("generation_metrics").query("metric == 'ends_home'").set_index(["method", "style"])
    tracks = night.table("generated_tracks")
    for key, made in tracks.groupby(["method", "style"]):
        if key in rows.index:
            own = [dict(metrics)["ends_home"] for metrics in made["metrics"]]
            assert rows.loc[key, "generated"] == sum(own) / len(own)
    assert len(rows)


def test_the_share_of_refused_pieces_adds_up(night):
    shares = night.table("generation_metrics").query("metric == 'share_refused' and style == 'all'")
    looked = night.table("refused_tracks").query("reason == 'sampled'").groupby("method")["pieces"].sum()
    made = night.table("generated_tracks").groupby("method").size().reindex(looked.index, fill_value=0)
    assert shares.set_index("method")["generated"].to_dict() == (1 - made / looked).to_dict()


def test_the_emotion_that_was_asked_for_is_held_against_what_is_heard(night):
    found = night.table("generation_metrics").query("metric == 'emotion_heard' and style == 'all'").set_index("method")
    for method, tracks in night.table("generated_tracks").groupby("method"):
        heard = tracks.dropna(subset=["valence"])
        pleasant, aroused = heard["valence"] > 0, heard["arousal"] > 0
        names = {(True, True): "happy", (True, False): "calm", (False, False): "sad", (False, True): "tense"}
        same = [names[a, b] == asked for a, b, asked in zip(pleasant, aroused, heard["emotion"], strict=True)]
        assert found.loc[method, "generated"] == sum(same) / len(same)


def test_what_listeners_chose_stands_beside_the_measures(night, spark, tmp_path):
    before = night.outcome.run
    for table in ("generated_tracks", "refused_tracks"):
        shutil.copytree(before.uri(table), tmp_path / before.folder(table))
    chosen = {"method": "rnn", "style": "all", "answers": 240, "share": 0.42, "low": 0.36, "high": 0.47}
    for date, share, verdict in (("2026-01-01", 0.1, True), ("2026-01-02", 0.42, True), ("2026-01-03", 0.9, False)):
        results = {
            "test": f"{date}-1", "run_date": date, "raters": 24, "agreement": 0.2, "verdict": verdict,
            "chosen_over_real": [{**chosen, "share": share}],
        }  # fmt: skip
        folder = tmp_path / "_listening" / f"{date}-1"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(results))
    storage = at(str(tmp_path), spark)
    run = Run(storage, before.record)
    again = Night(spark, night.config, Warehouse(storage, night.config), run, dt.datetime.now(dt.UTC))
    evaluate_music.run(again)
    rows = ds.dataset(run.uri("generation_metrics"), format="parquet", partitioning=None).to_table().to_pandas()
    found = rows[rows["style"] == "all"].set_index("metric")["generated"]
    assert found["chosen_over_real"] == 0.42  # of the newest test that has a verdict
    assert (found["chosen_over_real_low"], found["chosen_over_real_high"]) == (0.36, 0.47)
    assert (found["raters"], found["rater_agreement"]) == (24, 0.2)
    assert not rows.duplicated(["method", "style", "metric"]).any()
    assert any("24 listeners compared them with real music in test 2026-01-02-1" in note for note in again.notes)
