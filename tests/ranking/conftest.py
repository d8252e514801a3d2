"""Small random worlds, and what their lists should be: dense, in float64, from the definitions and nothing of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from musai.ranking.blocks import Block, Lists
from musai.ranking.models import Models


@dataclasses.dataclass
class World:
    """heard bool [users, known]; values, its weights; near: method -> [known, known]; artist [known + fresh]."""

    heard: np.ndarray
    values: np.ndarray
    near: dict[str, np.ndarray]
    users: np.ndarray
    tracks: np.ndarray
    artist: np.ndarray
    blocked: np.ndarray

    @property
    def known(self) -> int:
        return self.heard.shape[1]

    @property
    def listeners(self) -> np.ndarray:
        return self.heard.sum(axis=0)

    @property
    def place(self) -> np.ndarray:
        """0 for the most popular; ties by index."""
        order = sorted(range(self.known), key=lambda j: (-self.listeners[j], j))
        return np.argsort(order)

    def models(self) -> Models:
        rows = [near[i].nonzero()[0] for near in self.near.values() for i in range(self.known)]
        scores = [near[i][near[i] != 0] for near in self.near.values() for i in range(self.known)]
        ends = np.cumsum([0, *(len(row) for row in rows)])
        indptr = [ends[m * self.known : (m + 1) * self.known + 1] for m in range(len(self.near))]
        withheld = self.blocked
        arrays: dict[str, Any] = {
            "place": self.place.astype(np.int32),
            "popularity": self.listeners.astype(np.float32),
            "artist": self.artist.astype(np.int32),
            "by_artist": np.searchsorted(np.sort(self.artist[: self.known]), np.arange(-1, self.artist.max() + 2)),
            "of_artist": np.argsort(self.artist[: self.known], kind="stable").astype(np.int32),
            "blocked": withheld[: self.known].nonzero()[0].astype(np.int32),
            "fresh": (self.known + (~withheld[self.known :]).nonzero()[0]).astype(np.int32),
            "near_indptr": np.array(indptr, np.int64).reshape(len(self.near), self.known + 1),
            "near_indices": np.concatenate([*rows, []]).astype(np.int32),
            "near_scores": np.concatenate([*scores, []]).astype(np.float32),
            "factors": self.tracks.astype(np.float32),
        }
        for array in arrays.values():
            array.setflags(write=False)  # as the mapped ones: numba would compile for both
        ids = pa.array([f"t{j}" for j in range(len(self.artist))], pa.large_string())
        return Models(track_ids=ids, known=self.known, methods=tuple(self.near), **arrays)

    def block(self) -> Block:
        user, item = self.heard.nonzero()
        return Block(
            user_ids=pa.array([f"u{u}" for u in range(len(self.heard))]),
            heard_indptr=np.searchsorted(user, np.arange(len(self.heard) + 1)).astype(np.int64),
            heard_indices=item.astype(np.int32),
            values=self.values[user, item].astype(np.float32),
            factors=self.users.astype(np.float32),
        )

    def shares(self, u: int, blend: Mapping[str, float]) -> dict[str, np.ndarray]:
        """Each part's share of the total, float64 [known], of the parts that say something."""
        found = {}
        for name, weight in blend.items():
            if name == "als":
                part = self.tracks @ self.users[u] * (self.listeners[self.heard[u]] > 1).any()
            else:
                counts = (self.values[u] > 0) * 1.0 if name == "cooccurrence" else self.values[u]
                part = counts @ self.near[name]
            length = np.sqrt((part**2).sum())
            if 0 < length < np.inf:
                found[name] = weight * part / length
        return found

    def total(self, u: int, blend: Mapping[str, float]) -> np.ndarray:
        shares = list(self.shares(u, blend).values())
        return np.sum(shares, axis=0) if shares else self.listeners.astype(float)

    def nearest_tie(self, blend: Mapping[str, float]) -> float:
        """The smallest difference above 0 between two totals of one user: float32 could turn them round."""
        gaps = [np.diff(np.sort(self.total(u, blend))) for u in range(len(self.heard))]
        return min(gap[gap > 0].min(initial=np.inf) for gap in gaps)

    def offered(self, u: int, new_artists: bool = False) -> list[int]:
        """What a list may hold at all."""
        mine = set(self.artist[: self.known][self.heard[u]]) | {-1}
        free = [j for j in range(len(self.artist)) if not self.blocked[j] and not (j < self.known and self.heard[u, j])]
        return [j for j in free if not new_artists or self.artist[j] not in mine]

    def expected(self, u: int, lists: Lists, name: str) -> list[int]:
        total, place = self.total(u, lists.blend), self.place
        known = [j for j in self.offered(u, name == "discover") if j < self.known]
        order = sorted(known, key=lambda j: (-total[j], place[j]))
        order += [j for j in self.offered(u, name == "discover") if j >= self.known]
        taken: list[int] = []
        for j in order:
            of_artist = sum(self.artist[other] == self.artist[j] for other in taken)
            if not lists.max_tracks_per_artist or self.artist[j] < 0 or of_artist < lists.max_tracks_per_artist:
                taken.append(j)
        taken = taken[: lists.top_n]
        return (taken + [j for j in order if j not in taken])[: lists.top_n]


def random_world(seed: int, users: int = 12, known: int = 40, fresh: int = 5, artists: int = 9) -> World:
    """Users 0 to 3: nothing but skipped tracks, everything, all tracks but one, one track."""
    rng = np.random.default_rng(seed)
    heard = rng.random((users, known)) < 0.15
    heard[:4] = False
    heard[0, : known // 3] = heard[1] = heard[2] = heard[3, 0] = True
    heard[2, -1] = False
    values = heard * rng.random((users, known)) * (rng.random((users, known)) < 0.8)
    values[0] = 0
    return World(
        heard=heard,
        values=values.astype(np.float32).astype(float),
        near={
            name: (rng.random((known, known)) * (rng.random((known, known)) < 0.2)).astype(np.float32).astype(float)
            for name in ("cooccurrence", "cosine")
        },
        users=rng.normal(size=(users, 4)).astype(np.float32).astype(float) * (values.sum(axis=1, keepdims=True) > 0),
        tracks=rng.normal(size=(known, 4)).astype(np.float32).astype(float),
        artist=rng.integers(-1, artists, known + fresh),
        blocked=rng.random(known + fresh) < 0.1,
    )


@pytest.fixture(scope="session")
def world():
    """random_world(seed, ...)"""
    return random_world


@pytest.fixture
def seed() -> int:
    """Drawn fresh; pytest shows the captured line where a test fails."""
    drawn = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {drawn}")
    return drawn
