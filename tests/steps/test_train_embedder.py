"""`train_embedder`: a short real training on a catalogue with sound, and a night that embeds with what it made."""

import csv
import json

import numpy as np
import pytest
import soundfile

from musai.embedding.audio import SAMPLE_RATE
from tests import nights


@pytest.mark.slow
def test_what_was_trained_embeds_the_next_night(spark, night_folder, tmp_path):
    """Listeners of three tastes; what is of a taste sounds alike."""
    (tmp_path / "sound").mkdir()
    seconds, rng = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE, np.random.default_rng(3)
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["track_id", "artist", "audio_path"])
        for number in range(60):
            noise = (0, 0.1, 0.6)[number // 20] * rng.standard_normal(len(seconds))
            tone = 0.2 * np.sin(2 * np.pi * rng.uniform(150, 1500) * seconds)
            soundfile.write(tmp_path / f"sound/{number}.wav", np.clip(tone + noise, -1, 1), SAMPLE_RATE)
            rows.writerow([f"t{number:02d}", f"Artist {number // 2}", f"sound/{number}.wav"])
    (tmp_path / "sound/7.wav").write_bytes(b"")
    overrides = [
        f"inputs.tracks={tmp_path / 'tracks.csv'}", f"warehouse={tmp_path / 'warehouse'}", "generation.tracks=0",
        "embedding.train_epochs=6", "evaluation.min_tracks=1000",
    ]  # fmt: skip
    config = nights.settings_of(night_folder, *overrides)
    first = nights.run(config)
    shipped = set(first.table("track_embeddings")["model"])
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
