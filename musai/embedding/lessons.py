"""What `train_embedder` learns from: the sound of heard tracks beside their ALS factors."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from musai.embedding.factors import HALF_TRUSTED, HELD_OUT
from musai.embedding.tracks import Embedder, Heard, decoded


@dataclasses.dataclass(frozen=True)
class Lessons:
    """n tracks. sound float16 [excerpts, samples], those of track i at starts[i] to starts[i + 1] (int [n + 1]);
    artist int [n], a number of its own where none is known; factors float32 [n, f], of mean square 1; weight
    float32 [n], 0..1: how much the factors are trusted; held bool [n]: of artists that are held out whole."""

    sound: np.ndarray
    starts: np.ndarray
    artist: np.ndarray
    factors: np.ndarray
    weight: np.ndarray
    held: np.ndarray

    def excerpts(self, track: int) -> np.ndarray:
        """float32 [its excerpts, samples]."""
        return self.sound[self.starts[track] : self.starts[track + 1]].astype(np.float32)

    def drawn(self, tracks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """float32 [tracks, samples]: an excerpt of each."""
        return self.sound[rng.integers(self.starts[tracks], self.starts[tracks + 1])].astype(np.float32)

    def partners(self, tracks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each of the tracks another one of its artist that is not held out; itself where there is none."""
        own: dict[int, list[int]] = collections.defaultdict(list)
        for track in np.flatnonzero(~self.held):
            own[int(self.artist[track])].append(int(track))
        found = []
        for track in tracks:
            others = [one for one in own[int(self.artist[track])] if one != track] or [int(track)]
            found.append(others[int(rng.integers(len(others)))])
        return np.array(found)


def lessons_of(
    tracks: Sequence[Heard],
    artists: Sequence[str | None],
    factors: np.ndarray,
    listeners: np.ndarray,
    embedder: Embedder,
    folder: pathlib.Path,
    seed: int,
) -> tuple[Lessons, dict[str, int]]:
    """The tracks whose sound or notes can be used, and the files that cannot, by reason.

    The excerpts lie in a file of `folder`, 2 bytes a sample: 0.8 MB a track by the shipped network's plan.
    """
    room = np.lib.format.open_memmap(
        folder / "sound.npy", "w+", np.float16, (max(1, len(tracks) * embedder.plan.count), embedder.plan.samples)
    )
    starts, kept = [0], []
    rejected: collections.Counter[str] = collections.Counter()
    for row, (found, excerpts) in enumerate(decoded(tracks, embedder)):
        rejected.update(reason for _, _, reason in found.rejects)
        if excerpts is not None:
            room[starts[-1] : starts[-1] + len(excerpts)] = excerpts
            starts.append(starts[-1] + len(excerpts))
            kept.append(row)
    names = [artists[row] or f"\0{tracks[row].track_id}" for row in kept]
    artist = np.unique(names, return_inverse=True)[1] if names else np.empty(0, int)
    groups = int(artist.max()) + 1 if names else 0
    chosen = np.random.default_rng(seed).permutation(groups)[: max(1, round(HELD_OUT * groups))]
    vectors = factors[kept].astype(np.float32)
    scale = np.sqrt(np.mean(np.square(vectors, dtype=np.float64))) if kept else 1.0
    lessons = Lessons(
        sound=room,
        starts=np.array(starts),
        artist=artist,
        factors=vectors / np.float32(max(scale, 1e-12)),
        weight=(listeners[kept] / (listeners[kept] + HALF_TRUSTED)).astype(np.float32),
        held=np.isin(artist, chosen),
    )
    return lessons, dict(rejected)
