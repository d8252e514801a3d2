"""What the catalogue's own readers say of generated tracks: how they sound and feel."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from musai.embedding.tracks import Embedder, Heard, embedded
from musai.emotion.models import Models
from musai.emotion.tagging import READ, Content, emotion
from musai.emotion.weights import Stored


def heard(
    rows: Iterable[tuple[str, bytes]], embedder: Embedder, stored: Mapping[str, Stored], threads: int
) -> Iterator[dict[str, Any]]:
    """generated_id, embedding float32 [E] (None where it cannot be rendered), valence, arousal of (id, MIDI bytes).

    The MIDI goes through the same functions as a file of the catalogue: `embed_tracks` and `tag_emotions` of the same
    bytes would say the same, but for a head on sound that wants networks of `embedding.also`, which hear none of these.
    """
    models, midi = Models(stored), dict(rows)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        files = {name: root / f"{number}.mid" for number, name in enumerate(midi)}
        for name, file in files.items():
            file.write_bytes(midi[name])
        tracks = [Heard(name, None, str(file)) for name, file in files.items()]
        for track in embedded(tracks, dataclasses.replace(embedder, roots=(str(root),)), threads):
            yield _row(track.track_id, midi[track.track_id], track.embedding, embedder.model, models)


def _row(name: str, midi: bytes, embedding: np.ndarray | None, model: str, models: Models) -> dict[str, Any]:
    known = {} if embedding is None else {model: embedding.tolist()}
    found, _ = emotion(Content(dict.fromkeys(READ), midi, known), models)
    return {
        "generated_id": name,
        "embedding": None if embedding is None else embedding.tolist(),
        "valence": found.valence if found else None,
        "arousal": found.arousal if found else None,
    }
