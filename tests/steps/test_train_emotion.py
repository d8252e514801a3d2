"""`train_emotion`: a head learns from files made here; thresholds by hand."""

import shutil
import time
import types
import zlib
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import symusic

from musai import config
from musai.emotion.models import Models
from musai.emotion.training import chinese, heads, measures
from musai.emotion.training.sentences import Plan
from musai.emotion.weights import Stored
from musai.errors import InputError
from musai.music.midi import read_midi
from musai.steps import train_emotion
from musai.storage import at
from tests import nights
from tests.emotion.test_encoder import WORDS, write_encoder
from tests.faults.night import Night


@pytest.mark.parametrize("linear", [False, True])
def test_a_head_learns_from_midi_files_that_fast_is_aroused(tmp_path, linear):
    rows = []
    for number in range(24):
        tempo, path = (60, 180)[number % 2], tmp_path / f"{number}.mid"
        score = symusic.Score(480)
        score.tempos.append(symusic.Tempo(0, qpm=tempo + number / 4))
        track = symusic.Track("tune")
        for note in range(32):
            track.notes.append(symusic.Note(note * 480, 400, 60 + (note * 5 + number) % 12, 80))
        score.tracks.append(track)
        path.write_bytes(score.dumps_midi())
        rows.append({"midi": path.name, "valence": (-1) ** (number // 2), "arousal": (-1, 1)[number % 2]})
    rows.append({"midi": "missing.mid", "valence": 1, "arousal": 1})
    pd.DataFrame(rows).to_csv(tmp_path / "pieces.csv", index=False)
    said: list[str] = []
    made = heads.train_notes(tmp_path / "pieces.csv", 1, said.append, linear)
    card = made.opened()[1]
    models = Models({"notes": made})
    slow, fast = (models.notes(read_midi(tmp_path / f"{number}.mid")) for number in (0, 1))
    assert slow.arousal < -0.3 < 0.3 < fast.arousal
    assert [line.split(" ")[0] for line in said] == ["missing.mid"]
    assert card.figures["held-out sign of arousal"] == 1
    assert card.arousal_error < 0.2 < card.valence_error


def test_a_head_learns_from_the_sound_that_two_networks_heard(tmp_path):
    """Valence is in the one's embeddings, arousal in the other's; the head wants both of a track."""
    rng = np.random.default_rng(0)
    tracks = [f"t{number}" for number in range(90)]
    first, second = ({track: rng.normal(size=size).astype(np.float32) for track in tracks} for size in (3, 5))
    rows = [{"track_id": t, "valence": first[t][0] / 2, "arousal": -second[t][4]} for t in tracks]
    pd.DataFrame([*rows, {"track_id": "unheard", "valence": 1, "arousal": 1}]).to_csv(tmp_path / "l.csv", index=False)
    heard = {"b-2": second, "a-1": {t: first[t] for t in tracks[:80]}}
    made = heads.train_sound(tmp_path / "l.csv", heard, seed=zlib.crc32(b"l"))
    card = made.opened()[1]
    assert (card.settings["models"], card.settings["sizes"]) == (["a-1", "b-2"], [3, 5])
    assert card.figures["held-out sign of valence"] > 0.8
    assert card.figures["held-out calibration error"] < 0.1
    models = Models({"sound": made})
    read = [models.sound({"b-2": second[t], "a-1": first[t]}) for t in tracks[80:]]
    assert np.corrcoef([one.valence for one in read], [first[t][0] for t in tracks[80:]])[0, 1] > 0.8
    assert np.corrcoef([one.arousal for one in read], [second[t][4] for t in tracks[80:]])[0, 1] < -0.8
    assert models.sound({"a-1": first["t0"]}) is None
    with pytest.raises(InputError, match="embeddings are there of 2 of its tracks"):
        heads.train_sound(tmp_path / "l.csv", {"a-1": {t: first[t] for t in tracks[:2]}}, seed=1)


def test_thresholds_and_f1_by_hand():
    likely = np.array([[0.9], [0.7], [0.4], [0.1]])
    labels = np.array([[True], [False], [True], [False]])
    thresholds = measures.best_thresholds(likely, labels)
    assert 0.1 < thresholds[0] < 0.4  # the first three: F1 = 4 / 5, against 2 / 3 for the first alone
    assert measures.macro_f1(likely >= thresholds, labels) == 4 / 5


def test_emotions_are_not_trained_from_under_valence_and_arousal():
    settings = config.load([], ["emotion.training={english_emotions: goemotions}"])
    night = types.SimpleNamespace(config=settings, latest=lambda table: None, progress=print)
    with pytest.raises(InputError, match="english_emotions needs english_affect"):
        train_emotion.run(night)


def test_an_encoder_learns_reviews_and_keeps_how_far_it_is_in_the_run(tmp_path, monkeypatch):
    (tmp_path / "reviews.csv").write_text("label,review\n", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    storage = types.SimpleNamespace(uri=lambda path: f"s3://bucket/{path}")
    given = [f"emotion.training={{chinese_reviews: {tmp_path}/reviews.csv, chinese_encoder: {tmp_path}}}", "seed=3"]
    places = []
    monkeypatch.setattr(chinese, "train_reviews", lambda *arguments: arguments)
    for minutes in (5, 7):
        settings = config.load([], [*given, f"emotion.encoder_minutes={minutes}"])
        run = types.SimpleNamespace(storage=storage)
        night = types.SimpleNamespace(config=settings, latest=lambda table: None, progress=print, run=run)
        name, arguments = next(train_emotion._trained(night))
        path, seed, _, folder, plan, checkpoints = cast(tuple[Any, ...], arguments)
        assert (name, path, seed, folder) == ("chinese", tmp_path / "reviews.csv", 3, tmp_path)
        assert plan == Plan(chinese.EPOCHS, minutes, 3)
        places += [checkpoints(number).place for number in range(3)]
    assert len(set(places)) == 6
    assert {place.rsplit("/", 1)[0] for place in places} == {f"s3://bucket/{train_emotion.CHECKPOINTS}"}


def test_what_one_part_learnt_is_kept_until_all_have(tmp_path, monkeypatch):
    storage = at(str(tmp_path))
    written: list[str] = []
    night = types.SimpleNamespace(
        run=types.SimpleNamespace(storage=storage),
        warehouse=types.SimpleNamespace(storage=storage),
        write_models=lambda rows, job: written.extend(name for name, *_ in rows),
        note=print,
    )
    kept = f"{train_emotion.CHECKPOINTS}/english.pt"
    storage.replace(kept, b"how far it is")

    def learning(stopped):
        yield "english_emotions", Stored(b"", "{}")
        if stopped:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_emotion, "_trained", lambda _: learning(stopped=True))
    with pytest.raises(KeyboardInterrupt):
        train_emotion.run(night)
    assert storage.read(kept) == b"how far it is"
    monkeypatch.setattr(train_emotion, "_trained", lambda _: learning(stopped=False))
    train_emotion.run(night)
    assert written == ["emotion/english_emotions"]
    assert storage.read(kept) is None


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_to_the_same_model(night, night_folder, tmp_path):
    """kill -9 of all its processes, after the first of its six trainings on reviews."""
    write_encoder(tmp_path)
    rng = np.random.default_rng(0)
    rows = [(number % 2, " ".join(rng.choice(WORDS[4 + number % 2 :], 20))) for number in range(4000)]
    pd.DataFrame(rows, columns=["label", "review"]).to_csv(tmp_path / "reviews.csv", index=False)
    given = f"emotion.training={{chinese_reviews: {tmp_path}/reviews.csv, chinese_encoder: {tmp_path}}}"

    def training(place: str) -> Night:
        overrides = [*nights.overrides_of(night_folder), f"warehouse={tmp_path / place}", given]
        return Night(overrides, command=("run", "train_emotion"))

    def made(place: str) -> list[str]:
        return sorted(path.name for path in (tmp_path / place / "_models/emotion/chinese").iterdir())

    for place in ("whole", "broken"):
        shutil.copytree(night.config.warehouse.path, tmp_path / place)
    assert training("whole").finish() == 0
    broken, kept = training("broken"), tmp_path / "broken" / train_emotion.CHECKPOINTS
    while not list(kept.glob("*.pt")) and not broken.over:
        time.sleep(0.01)
    assert broken.kill("machine")
    broken.end()
    assert 0 < len(list(kept.glob("*.pt"))) <= chinese.FOLDS
    assert not (tmp_path / "broken/_models/emotion/chinese").exists()
    assert training("broken").finish() == 0
    assert made("broken") == made("whole")
    assert not kept.exists()


def test_an_encoder_without_reviews_is_refused():
    settings = config.load([], ["emotion.training={chinese_encoder: folder}"])
    night = types.SimpleNamespace(config=settings, latest=lambda table: None, progress=print)
    with pytest.raises(InputError, match="chinese_encoder needs chinese_reviews"):
        train_emotion.run(night)
