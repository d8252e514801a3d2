"""`train_embedder`: a short real training on a catalogue with sound, a night that embeds with what it made, and a
training that is killed on its way."""

import csv
import json
import pathlib
import shutil
import time

import numpy as np
import pytest
import soundfile

from musai.embedding.audio import SAMPLE_RATE
from musai.embedding.checkpoints import unpacked
from tests import nights
from tests.faults.night import Night

EPOCHS = 6


@pytest.fixture(scope="module")
def service(spark, night_folder, tmp_path_factory) -> tuple[list[str], nights.Made]:
    """(what a night of it is given, its first night). Listeners of three tastes; what is of a taste sounds alike."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "sound").mkdir()
    seconds, rng = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE, np.random.default_rng(3)
    with (folder / "tracks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["track_id", "artist", "audio_path"])
        for number in range(60):
            noise = (0, 0.1, 0.6)[number // 20] * rng.standard_normal(len(seconds))
            tone = 0.2 * np.sin(2 * np.pi * rng.uniform(150, 1500) * seconds)
            soundfile.write(folder / f"sound/{number}.wav", np.clip(tone + noise, -1, 1), SAMPLE_RATE)
            rows.writerow([f"t{number:02d}", f"Artist {number // 2}", f"sound/{number}.wav"])
    (folder / "sound/7.wav").write_bytes(b"")
    overrides = [
        *nights.overrides_of(night_folder), f"inputs.tracks={folder / 'tracks.csv'}", "generation.tracks=0",
        f"embedding.train_epochs={EPOCHS}", "evaluation.min_tracks=1000", f"warehouse={folder / 'warehouse'}",
    ]  # fmt: skip
    return overrides, nights.run(nights.settings_of(night_folder, *overrides))


def copied(service: tuple[list[str], nights.Made], place: pathlib.Path) -> list[str]:
    """What a night is given that goes on from a copy of the first one."""
    overrides, first = service
    shutil.copytree(first.config.warehouse.path, place)
    return [*overrides, f"warehouse={place}"]


@pytest.mark.slow
def test_what_was_trained_embeds_the_next_night(service, night_folder, tmp_path):
    config = nights.settings_of(night_folder, *copied(service, tmp_path / "warehouse"))
    shipped = set(service[1].table("track_embeddings")["model"])
    trained = nights.run(config, only=("train_embedder",))
    assert "1 files: empty file" in trained.printed
    (row,) = trained.table("models").to_dict("records")
    figures = json.loads(row["card"])["figures"]
    assert row["name"] == "embedding/small"
    assert figures["after"] > figures["before"]
    assert not (tmp_path / "warehouse/_models/embedding/.training").exists()
    second = nights.run(config, only=("ingest_tracks", "embed_tracks"))
    made = second.table("track_embeddings")
    assert len(made) == 59
    assert not set(made["model"]) & shipped


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_to_the_same_weights(service, night_folder, tmp_path):
    """kill -9 of all its processes, after an epoch."""
    whole = nights.run(nights.settings_of(night_folder, *copied(service, tmp_path / "whole")), only=("train_embedder",))
    broken = copied(service, tmp_path / "broken")
    training = Night(broken, command=("run", "train_embedder"))
    kept = tmp_path / "broken/_models/embedding/.training"
    while not (found := list(kept.glob("*.pt"))) and not training.over:
        time.sleep(0.01)
    assert training.kill("machine")
    training.end()
    assert 0 < unpacked(found[0].read_bytes())["at"]["epoch"] < EPOCHS
    resumed = nights.run(nights.settings_of(night_folder, *broken), only=("train_embedder",))
    assert list(resumed.table("models")["digest"]) == list(whole.table("models")["digest"])
    assert not kept.exists()
