"""`embed_tracks` on the tiny night: sound, notes in place of missing sound, and what could not be used."""

import hashlib

import numpy as np


def test_every_track_with_a_usable_file_has_an_embedding(night, night_folder):
    rows = night.table("track_embeddings").set_index("track_id")
    assert sorted(rows.index) == ["t00", "t01", "t20", "t40", "t62"]
    assert rows["model"].nunique() == 1
    assert rows["model"].iloc[0].startswith("small-")
    vectors = {track_id: np.array(vector) for track_id, vector in rows["embedding"].items()}
    assert {len(vector) for vector in vectors.values()} == {128}
    np.testing.assert_array_equal(vectors["t00"], vectors["t62"])  # one file
    np.testing.assert_array_equal(vectors["t20"], vectors["t40"])  # the notes, for its sound is silent
    assert np.abs(vectors["t00"] - vectors["t01"]).max() > 0.1
    digest = hashlib.sha256((night_folder / "sounds/high.flac").read_bytes()).hexdigest()
    assert rows.loc["t01", "content_hash"] == digest


def test_files_that_cannot_be_used_are_rejects(night):
    rows = night.table("rejected_rows").query("source in ('audio', 'midi')")
    found = {(row.raw, row.source, row.place, row.reason) for row in rows.itertuples()}
    assert found == {
        ("t40", "audio", "sounds/silent.wav", "silent"),
        ("t41", "audio", "sounds/missing.ogg", "cannot be read: No such file or directory"),
    }
    assert "5 tracks by small-" in night.printed
