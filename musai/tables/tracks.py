"""The tables of how tracks sound, and of the factors that follow from what is known of them."""

from __future__ import annotations

from musai.tables.declaration import Table, columns

DECLARED = (
    Table(
        "track_embeddings",
        "nightly",
        ("track_id", "model"),
        ("embed_tracks",),
        ("predict_factors", "tag_emotions", "train_emotion", "evaluate_music", "audit_run", "build_report"),
        columns("""
            track_id string | the track
            model string | network and digest of its weights and of how it listens
            embedding array<float> | mean over the excerpts of a track
            content_hash string | sha256 of the sound or MIDI file
        """),
        "How tracks sound to a convolutional network; a track without a usable file has no row.",
        optional=True,
    ),
    Table(
        "predicted_track_factors",
        "nightly",
        ("track_id",),
        ("predict_factors",),
        ("recommend_tracks", "audit_run"),
        columns("""
            track_id string | the track
            factors array<float> | as in track_factors, on their scale
            sources array<string> | what it was predicted from: sound, words, emotion, artist
        """),
        "ALS factors, by what is known of them, of the catalogue's tracks that nobody has heard.",
        optional=True,
    ),
)
