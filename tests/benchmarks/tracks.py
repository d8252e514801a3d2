"""What the embeddings are good for, and what they cost: python tests/benchmarks/tracks.py [rate | emotify | new]...

    rate      seconds of sound a second of one core, decoding and network together, beside librosa + the same network
    emotify   mean r over the 9 emotions of Emotify (kernel ridge, 10 folds, pooled out-of-fold predictions, mean of 5
              seeds) and genre accuracy (logistic regression, 5 folds): given embeddings, those of the shipped network
    new       new_tracks.py: recall@20 among artists that were hidden whole

No part of an embedder has seen Emotify. Wants $MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import os
import pathlib
import sys
import time

import numpy as np
import pandas as pd
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musai import config
from musai.embedding.tracks import Embedder, Heard, embedded, embedder_of
from tests.benchmarks import new_tracks

EMOTIFY = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/music/emotify"
SOUND = EMOTIFY / "audio_30s_16k_ogg"
EMOTIONS = [
    "amazement", "solemnity", "tenderness", "nostalgia", "calmness", "power", "joyful_activation", "tension", "sadness",
]  # fmt: skip
SECONDS = 30.0
RIDGE, SEEDS = 30.0, 5  # fixed beforehand: a kernel ridge on standardised columns


def listener() -> Embedder:
    return embedder_of(config.load().embedding, [str(SOUND)])


def rate(tracks: int = 20) -> None:
    names = [f"{path.relative_to(SOUND)}" for path in sorted(SOUND.rglob("*.ogg"))[:tracks]]
    one, heard = listener(), [Heard(name, name, None) for name in names]
    list(embedded(heard[:1], one, threads=1))
    started = time.process_time()
    found = list(embedded(heard, one, threads=1))
    ours = time.process_time() - started
    seconds = sum(len(one.plan.starts(SECONDS)) * one.plan.seconds for _ in found)
    lengths = f"{seconds / ours:.0f} s of sound heard, {tracks * SECONDS / ours:.0f} s of tracks"
    print(f"rate, {one.model}: {lengths} a core-second")
    print(f"  librosa's loading and log-mel alone: {tracks * SECONDS / _librosa(names):.0f} s of tracks a core-second")


def _librosa(names: list[str]) -> float:
    import librosa

    def log_mel(name: str) -> None:
        sound, _ = librosa.load(SOUND / name, sr=16_000)
        librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=512, hop_length=256, n_mels=96))

    log_mel(names[0])  # compiles
    started = time.process_time()
    for name in names:
        log_mel(name)
    return time.process_time() - started


def emotify() -> None:
    labels = pd.read_csv(EMOTIFY / "labels_from_raw.csv")
    given = np.load(EMOTIFY / "musicnn_embeddings.npz")
    order = [list(given["ids"]).index(file) for file in labels["file"]]
    both = np.concatenate([given["emb_mtat"], given["emb_jamendo"]], axis=1)[order]
    own = {
        row.track_id: row.embedding
        for row in embedded([Heard(f, f"{f}.ogg", None) for f in labels["file"]], listener(), 1)
    }
    ours = np.stack([own[file] for file in labels["file"]])
    genre = pd.get_dummies(labels["genre"]).to_numpy(float)
    sets = {
        "genre alone": genre,
        "given embeddings (published MusiCNN, MTAT + Jamendo)": both,
        "shipped network": ours,
        "given + shipped": np.concatenate([both, ours], axis=1),
    }
    print(
        "Emotify: mean r, r of each emotion, genre accuracy (reference .594, .822; goal .625, .86; raters' halves .81)"
    )
    for name, columns in sets.items():
        each = _correlations(columns, labels[EMOTIONS].to_numpy())
        accuracy = "" if name == "genre alone" else f"  genre {_genre_accuracy(columns, labels['genre']):.3f}"
        single = " ".join(f"{emotion[:5]} {value:.2f}" for emotion, value in zip(EMOTIONS, each, strict=True))
        print(f"  {name:<54} r {each.mean():.3f}{accuracy}\n      {single}")


def _correlations(columns: np.ndarray, targets: np.ndarray) -> np.ndarray:
    model = make_pipeline(StandardScaler(), KernelRidge(alpha=RIDGE / columns.shape[1], kernel="rbf"))
    found = []
    for seed in range(SEEDS):
        predicted = cross_val_predict(model, columns, targets, cv=KFold(10, shuffle=True, random_state=seed))
        found.append([np.corrcoef(predicted[:, e], targets[:, e])[0, 1] for e in range(targets.shape[1])])
    return np.mean(found, axis=0)


def _genre_accuracy(columns: np.ndarray, genre: pd.Series) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(np.mean(cross_val_predict(model, columns, genre, cv=folds) == genre))


def main() -> None:
    torch.set_num_threads(1)
    for part in sys.argv[1:] or ("rate", "emotify", "new"):
        {"rate": rate, "emotify": emotify, "new": new_tracks.main}[part]()


if __name__ == "__main__":
    main()
