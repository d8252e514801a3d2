"""Emotify's 400 recordings, as the benchmarks read them: labels, given embeddings, embeddings by published weights.

Embeddings are kept in the scratch folder by the model's name, for they take minutes a network.
"""

from __future__ import annotations

import csv
import os
import pathlib

import numpy as np

from musai import config
from musai.embedding.tracks import Embedder, Heard, embedded, embedder_of
from musai.emotion.sound import EMOTIFY
from musai.scratch import scratch

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data"
FOLDER = SHARED / "music/emotify"
SOUND = FOLDER / "audio_30s_16k_ogg"
PUBLISHED = {  # folder of the weights, network, layers
    **{
        f"{network} of {data}": (f"sota_tagging/{data}/{network}", network, "last" if network == "musicnn" else "all")
        for data, networks in (("mtat", "musicnn fcn crnn"), ("msd", "fcn crnn"), ("jamendo", "musicnn fcn crnn"))
        for network in networks.split()
    },
    "moods and themes": ("mtg_jamendo_moodtheme", "moodtheme", "all"),
}
EXCERPTS = 10  # of a network that hears 3 s at once, that is all of a recording


def rows() -> list[dict[str, str]]:
    with (FOLDER / "labels_from_raw.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def labels() -> tuple[np.ndarray, np.ndarray]:
    """(genre [400], ratings of the nine emotions [400, 9])."""
    found = rows()
    ratings = [[float(row[emotion]) for emotion in EMOTIFY] for row in found]
    return np.array([row["genre"] for row in found]), np.array(ratings)


def votes() -> tuple[np.ndarray, np.ndarray]:
    """(number of the recording [ratings], which of the nine emotions a listener felt in it, int [ratings, 9])."""
    with (FOLDER / "data.csv").open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines, skipinitialspace=True))
    chosen = [[int(row[emotion]) for emotion in EMOTIFY] for row in found]
    return np.array([int(row["track id"]) for row in found]), np.array(chosen)


def given() -> list[np.ndarray]:
    """The embeddings [400, 200] that come with the recordings, by MusiCNN of MTAT and of Jamendo."""
    with np.load(FOLDER / "musicnn_embeddings.npz", allow_pickle=False) as stored:
        ids = stored["ids"].tolist()
        order = [ids.index(row["file"]) for row in rows()]
        return [stored[name][order] for name in ("emb_mtat", "emb_jamendo")]


def heard_by(folder: str, network: str, layers: str) -> tuple[np.ndarray, Embedder]:
    """Embeddings [400, E] by published weights, and the embedder."""
    weights = SHARED / "weights" / folder / "best_model.pth"
    overrides = [f"embedding.network={network}", f"embedding.weights={weights}", f"embedding.layers={layers}"]
    overrides.append(f"embedding.excerpts={EXCERPTS}")
    embedder = embedder_of(config.load([], overrides).embedding, [str(SOUND)])
    return heard(embedder), embedder


def heard(embedder: Embedder) -> np.ndarray:
    """Embeddings float32 [400, E]."""
    kept = pathlib.Path(scratch("emotify")) / f"{embedder.model}.npy"
    if not kept.is_file():
        tracks = [Heard(row["file"], f"{row['file']}.ogg", None) for row in rows()]
        by_id = {track.track_id: track for track in embedded(tracks, embedder, 1)}
        assert not [track.rejects for track in by_id.values() if track.embedding is None]
        np.save(kept, np.stack([by_id[track.track_id].embedding for track in tracks]))
    return np.load(kept, allow_pickle=False)
