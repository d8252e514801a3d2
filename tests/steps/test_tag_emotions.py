"""`tag_emotions` on a catalogue with words, notes, tags, silence and broken files, two nights in a row."""

from __future__ import annotations

import datetime as dt
import io
import os

import numpy as np
import pandas as pd
import pytest
import soundfile
import symusic
import torch
from rich.console import Console

from musai import show
from musai.embedding.network import MoodTheme
from musai.embedding.weights import save
from musai.emotion.fusion import DISAGREEING
from musai.errors import InputError
from musai.storage import at
from musai.warehouse import Warehouse
from tests import nights

SAD = "I miss you so, my heart is broken / I cry alone in the dark tonight / Sad and lonely, all is lost"
MOODY = "recommend.blend={als: 0.4, linear: 0.2, mood: 0.4}"
HAPPY = "What a wonderful happy day / I love you, we laugh and dance / Thank you for this great joy"
TRACKS = {
    "t00": {"lyrics": SAD, "language": "en"},
    "t01": {"lyrics": HAPPY, "language": "en"},
    "t02": {"lyrics": "我一个人哭泣 / 多么孤独，多么悲伤"},
    "t03": {"lyrics": "我们快乐地跳舞 / 阳光灿烂，一起欢呼"},
    "t04": {"midi_path": "sad.mid"},
    "t05": {"midi_path": "happy.mid"},
    "t06": {"lyrics": "[Instrumental]"},
    "t07": {"midi_path": "broken.mid", "tags": "happy|party"},
    "t08": {"midi_path": "missing.mid"},
    "t09": {"lyrics": SAD, "language": "en", "midi_path": "happy.mid"},
    "t10": {"midi_path": "pipe.mid"},
}


def midi(chord: tuple[int, int, int], beats: int, ticks: int, velocity: int, tempo: float) -> bytes:
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, qpm=tempo))
    track = symusic.Track("piano")
    for beat in range(beats):
        for pitch in (*chord, chord[beat % 3] + 12):
            track.notes.append(symusic.Note(beat * 480, ticks, pitch, velocity))
    score.tracks.append(track)
    return score.dumps_midi()


@pytest.fixture(scope="module")
def two_nights(spark, tmp_path_factory: pytest.TempPathFactory) -> tuple[nights.Made, nights.Made]:
    """The same catalogue on two dates; before the second, one track's words change."""
    folder = tmp_path_factory.mktemp("emotions")
    nights.write_inputs(folder / "logs")
    (folder / "logs" / "tracks.csv").unlink()
    (folder / "sad.mid").write_bytes(midi((45, 48, 52), 24, 460, 45, 52))
    (folder / "happy.mid").write_bytes(midi((60, 64, 67), 96, 200, 110, 168))
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    os.mkfifo(folder / "pipe.mid")  # whoever reads it waits for a writer
    settings = nights.settings_of(
        folder, "recommend.top_n=3", "emotion.min_confidence=0.2", "generation.tracks=0", MOODY
    )
    made = []
    for number, (words, only) in enumerate(((HAPPY, ()), (SAD, ("ingest_tracks", "embed_tracks", "tag_emotions")))):
        tracks = {**TRACKS, "t01": {**TRACKS["t01"], "lyrics": words}}
        rows = [{"track_id": track, "artist": track, **columns} for track, columns in tracks.items()]
        pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)
        made.append(nights.run(settings, run_date=dt.date(2025, 3, 1 + number), only=only))
    return made[0], made[1]


def emotions(made: nights.Made) -> pd.DataFrame:
    return made.table("track_emotions").set_index("track_id")


def test_words_and_notes_have_the_right_sign(two_nights) -> None:
    found = emotions(two_nights[0])
    assert (found.loc[["t00", "t02", "t04"], "valence"] < 0).all()
    assert (found.loc[["t01", "t03", "t05"], "valence"] > 0).all()
    assert found.loc["t04", "arousal"] < 0 < found.loc["t05", "arousal"]
    assert found.loc["t07", "label"] == "happy"
    assert found["valence"].abs().max() <= 1


def test_who_spoke_is_named_and_instrumental_says_nothing(two_nights) -> None:
    found = emotions(two_nights[0])
    assert {track: " ".join(sources) for track, sources in found["sources"].items()} == {
        **dict.fromkeys(("t00", "t01", "t02", "t03"), "lyrics"),
        **dict.fromkeys(("t04", "t05"), "midi"),
        "t07": "tags",
        "t09": "lyrics midi",
    }


def test_sad_words_on_a_happy_tune_are_less_sure(two_nights) -> None:
    found = emotions(two_nights[0])
    assert found.loc["t09", "confidence"] < found.loc["t05", "confidence"]
    shares: dict = dict(found.loc["t09", "probabilities"])
    assert sum(shares.values()) == pytest.approx(1)


def test_a_disagreement_is_kept_counted_and_shown(two_nights) -> None:
    for made in two_nights:  # the second night carries the row
        said = made.table("emotion_inputs").set_index("track_id")
        assert said.loc["t09", "disagreement"] > DISAGREEING
        valence: dict = dict(said.loc["t09", "valence_by_source"])
        assert valence["lyrics"] < 0 < valence["midi"]
        assert set(dict(said.loc["t09", "arousal_by_source"])) == {"lyrics", "midi"}
        assert set(dict(said.loc["t05", "valence_by_source"])) == {"midi"}
        assert said["disagreement"].notna().sum() == 1
        assert any("contradict each other: 1 " in note for note in made.outcome.notes["tag_emotions"])
    text = io.StringIO()
    config = two_nights[0].config
    for track in ("t05", "t09"):
        show.track(Warehouse(at(config.warehouse.path), config), track, Console(file=text, width=200))
    shown = text.getvalue()
    assert shown.count("by source") == shown.count("they disagree") == 1


def test_files_that_cannot_be_read_are_rejects(two_nights) -> None:
    rejected = two_nights[0].table("rejected_rows")
    ours = rejected[rejected["reason"].str.startswith("MIDI")].set_index("raw")["reason"]
    assert sorted(ours.index) == ["t07", "t08", "t10"]
    assert ours["t10"] == "MIDI: no regular file"
    assert ours["t08"] == "MIDI: No such file or directory"
    assert ours["t07"].startswith("MIDI: not MIDI")


def test_the_next_night_reads_only_what_changed(two_nights) -> None:
    first, second = two_nights
    before, after = emotions(first), emotions(second)
    pd.testing.assert_frame_equal(before.drop("t01").sort_index(), after.drop("t01").sort_index())
    assert before.loc["t01", "valence"] > 0 > after.loc["t01", "valence"]
    carried = len(second.table("tracks")) - 1
    assert f"{carried} as the night before" in second.outcome.notes["tag_emotions"][0]


def test_mood_lists_hold_tracks_of_the_mood(two_nights) -> None:
    made = two_nights[0]
    found, lists = emotions(made), made.table("recommendations")
    energetic = set(found.index[(found["arousal"] >= 0.3) & (found["confidence"] >= 0.2)])
    assert energetic
    for name in ("mood:calm", "mood:happy", "mood:sad", "mood:energetic"):
        label = name.removeprefix("mood:")
        sure = found["confidence"] >= 0.2
        allowed = energetic if label == "energetic" else set(found.index[(found["label"] == label) & sure])
        rows = lists[lists["list"] == name]
        assert set(rows["track_id"]) <= allowed
        assert len(rows) == 0 or allowed
    heard = made.table("interactions").groupby("user_id")["track_id"].agg(set)
    moody = lists[lists["list"].str.startswith("mood:")]
    assert len(moody) > 20
    assert not any(track in heard[user] for user, track in zip(moody["user_id"], moody["track_id"], strict=True))


@pytest.mark.slow
def test_the_tagger_of_moods_and_themes_speaks_where_no_head_was_trained(spark, tmp_path):
    """It is the second network, its last layer finds everything happy, and the only source is the sound."""
    nights.write_inputs(tmp_path / "logs")
    (tmp_path / "logs" / "tracks.csv").unlink()
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000)
    pd.DataFrame([{"track_id": "t00", "artist": "A", "audio_path": "a.wav"}]).to_csv(
        tmp_path / "tracks.csv", index=False
    )
    happy = MoodTheme(tags=56)
    torch.nn.init.zeros_(happy.dense.weight)
    happy.dense.bias.data = torch.where(torch.arange(56) == 26, 9.0, -99.0)

    def night(day: int, network: MoodTheme) -> nights.Made:
        save(network, tmp_path / f"{day}.safetensors")
        also = f"embedding.also=[{{network: moodtheme, weights: {tmp_path / f'{day}.safetensors'}}}]"
        settings = nights.settings_of(tmp_path, "embedding.excerpts=1", also)
        jobs = ("ingest_tracks", "embed_tracks", "tag_emotions")
        return nights.run(settings, only=jobs, run_date=dt.date(2025, 3, day))

    made = night(1, happy)
    heard = made.table("track_embeddings")
    assert list(heard["track_id"]) == ["t00", "t00"]
    assert {name.split("-")[0] for name in heard["model"]} == {"small", "moodtheme"}
    row = emotions(made).loc["t00"]
    assert list(row["sources"]) == ["audio"]
    assert row["label"] == "happy"
    assert (row["valence"], row["arousal"]) == pytest.approx((0.9, 0.4), abs=1e-4)
    with pytest.raises(InputError, match="50 tags, not the 56 of MTG-Jamendo"):
        night(2, MoodTheme(tags=50))


def test_a_listeners_moods_are_those_of_the_plays(two_nights) -> None:
    made = two_nights[0]
    felt = emotions(made)
    plays = made.table("interactions").query("track_id in @felt.index").set_index("track_id")
    user = plays["user_id"].value_counts().index[0]
    mine = plays[plays["user_id"] == user]["plays"]
    shares = mine.groupby(felt["label"].reindex(mine.index)).sum() / mine.sum()
    valence, arousal = (np.average(felt.loc[mine.index, axis], weights=mine) for axis in ("valence", "arousal"))
    text = io.StringIO()
    show.user(Warehouse(at(made.config.warehouse.path), made.config), user, Console(file=text, width=200))
    (line,) = [line for line in text.getvalue().splitlines() if line.startswith("moods, by plays")]
    heard = made.table("interactions")["user_id"].eq(user).sum()
    assert line.startswith(f"moods, by plays of {len(mine)} of {heard} tracks: ")
    assert line.endswith(f"; valence {valence:+.2f}, arousal {arousal:+.2f}")
    told = dict(part.rsplit(" ", 1) for part in line.split(": ", 1)[1].split(";")[0].split(", "))
    assert told == {label: f"{share:.0%}" for label, share in shares.items()}


def test_mood_is_a_part_of_the_blend(two_nights) -> None:
    made = two_nights[0]
    lists, felt = made.table("recommendations"), made.table("track_emotions")
    listed = lists[(lists["list"] == "for_you") & (lists["source"] == "mood")]
    assert len(listed)
    assert set(listed["track_id"]) <= set(felt["track_id"])
