"""What the embeddings are good for, and what they cost: python tests/benchmarks/tracks.py [rate | emotify | new]...

    rate      seconds of sound a second of one core, decoding and network together, beside librosa + the same network
    emotify   mean r over the 9 emotions of Emotify (10 folds, pooled out-of-fold predictions, mean of 5 seeds) and
              genre accuracy (5 folds, mean of 5 seeds; the head's largest of four indicators), by the head of
              train_emotion, which chooses its settings within the training folds
    new       new_tracks.py: recall@20 among artists that were hidden whole

No part of an embedder has seen Emotify. Wants $MUSAI_SHARED/data (default ../shared).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold

from musai import config
from musai.embedding.log_mel import HOP, MELS, N_FFT
from musai.embedding.tracks import Embedder, Heard, embedded, embedder_of, opened
from musai.emotion import kernel
from musai.emotion.sound import EMOTIFY
from tests.benchmarks import emotify_data, new_tracks

SECONDS = 30.0
SEEDS = range(5)


def listener() -> Embedder:
    return embedder_of(config.load().embedding, [str(emotify_data.SOUND)])


def rate(tracks: int = 20) -> None:
    names = [f"{path.relative_to(emotify_data.SOUND)}" for path in sorted(emotify_data.SOUND.rglob("*.ogg"))[:tracks]]
    one, heard = listener(), [Heard(name, name, None) for name in names]
    list(embedded(heard[:1], one, threads=1))
    started = time.process_time()
    found = list(embedded(heard, one, threads=1))
    ours = time.process_time() - started
    seconds = sum(len(one.plan.starts(SECONDS)) * one.plan.seconds for _ in found)
    lengths = f"{seconds / ours:.0f} s of sound heard, {tracks * SECONDS / ours:.0f} s of tracks"
    print(f"rate, {one.model}: {lengths} a core-second (at least 60)")
    print(f"  librosa's loading and log-mel, the same network: {seconds / _librosa(names, one):.0f} s of sound heard")


def _librosa(names: list[str], embedder: Embedder) -> float:
    """Core-seconds that librosa and the network take for the same excerpts."""
    import librosa

    network: Any = opened(embedder).eval()
    network.log_mel = torch.nn.Identity()  # it is given what that would make of the sound
    shape = {"sr": 16_000, "n_fft": N_FFT, "hop_length": HOP, "n_mels": MELS, "htk": True, "norm": None}

    def embedding(name: str) -> torch.Tensor:
        found = []
        for start in embedder.plan.starts(SECONDS):
            part, _ = librosa.load(emotify_data.SOUND / name, sr=16_000, offset=start, duration=embedder.plan.seconds)
            mels = librosa.feature.melspectrogram(y=part, pad_mode="reflect", **shape)
            found.append(librosa.power_to_db(mels, top_db=None).astype(np.float32))
        return network(torch.from_numpy(np.stack(found)))[0].mean(0)

    with torch.inference_mode():
        first = embedding(names[0])  # compiles
        started = time.process_time()
        for name in names:
            embedding(name)
        took = time.process_time() - started
    ours = next(iter(embedded([Heard(names[0], names[0], None)], embedder, threads=1))).embedding
    assert ours is not None
    print(f"  (their embeddings differ by {float(np.abs(first.numpy() - ours).max()):.1e})")
    return took


def emotify() -> None:
    genres, ratings = emotify_data.labels()
    given = emotify_data.given()
    published = {name: emotify_data.heard_by(*place)[0] for name, place in emotify_data.PUBLISHED.items()}
    shipped = emotify_data.heard(listener())
    sets = {
        "genre alone": [(genres[:, None] == np.unique(genres)).astype(float)],
        "both given embeddings (MusiCNN of MTAT and of Jamendo)": given,
        "the network that ships": [shipped],
        "the published networks": list(published.values()),
        "the published networks and ours": [*published.values(), shipped],
    }
    print("Emotify: mean r, genre (kernel ridge .594, .822; at least .625, .86; raters' halves .81); r of each emotion")
    for name, parts in sets.items():
        each = _correlations(parts, ratings)
        accuracy = "" if name == "genre alone" else f"  genre {_genre_accuracy(parts, genres):.3f}"
        single = " ".join(f"{emotion[:5]} {value:.2f}" for emotion, value in zip(EMOTIFY, each, strict=True))
        print(f"  {name:<54} r {each.mean():.3f}{accuracy}\n      {single}", flush=True)


def _correlations(parts: list[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """r of each column of targets [tracks, emotions]; parts: embeddings [tracks, E], one a network."""
    found = []
    for seed in SEEDS:
        predicted = _held_out(parts, targets, KFold(10, shuffle=True, random_state=seed).split(targets))
        found.append([np.corrcoef(predicted[:, e], targets[:, e])[0, 1] for e in range(targets.shape[1])])
    return np.mean(found, axis=0)


def _genre_accuracy(parts: list[np.ndarray], genres: np.ndarray) -> float:
    names = np.unique(genres)
    indicators, right = (genres[:, None] == names).astype(float), []
    for seed in SEEDS:
        folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(genres, genres)
        right.append(names[_held_out(parts, indicators, folds).argmax(1)] == genres)
    return float(np.mean(right))


Folds = Iterable[tuple[np.ndarray, np.ndarray]]


def _held_out(parts: list[np.ndarray], targets: np.ndarray, folds: Folds) -> np.ndarray:
    known, sizes, found = np.hstack(parts), [part.shape[1] for part in parts], np.zeros(targets.shape)
    for train, test in folds:
        found[test] = kernel.fit(known[train], targets[train], sizes).read(known[test])
    return found


def main() -> None:
    torch.set_num_threads(1)
    for part in sys.argv[1:] or ("rate", "emotify", "new"):
        {"rate": rate, "emotify": emotify, "new": new_tracks.main}[part]()


if __name__ == "__main__":
    main()
