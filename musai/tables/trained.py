"""The tables of the weekly jobs: what the nights use until a newer one is there."""

from __future__ import annotations

from musai.tables.declaration import Table, columns

DECLARED = (
    Table(
        "models",
        "weekly",
        ("name",),
        ("train_embedder", "train_emotion", "train_generators"),
        ("embed_tracks", "tag_emotions", "generate_tracks", "audit_run"),
        columns("""
            name string | what it is for: embedding/small, emotion/notes, ...
            digest string | sha256 of the model
            path string | folder under the warehouse: _models/<name>/<digest>
            card string | JSON: data with licences, figures on held-out data, command
        """),
        "Models that were trained here, in place of those that ship; a job replaces its own and carries the others.",
        optional=True,
    ),
)
