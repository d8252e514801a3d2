"""Score one block of users with every part of the blend and take the best tracks of each list."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import threadpoolctl

from musai import columns
from musai.ranking import kernels
from musai.ranking.models import Models

MIN_BLOCK, MAX_BLOCK = 1, 512


@dataclasses.dataclass(frozen=True)
class Lists:
    """What is asked for: see `recommend` in conf/base.yaml. `blend` holds the parts with a weight above 0."""

    top_n: int
    names: tuple[str, ...]
    blend: Mapping[str, float]
    max_tracks_per_artist: int


@dataclasses.dataclass
class Block:
    """Consecutive users. user_ids [users]; heard_indptr int64 [users + 1] and heard_indices int32: all they have;
    values float32 beside them: their weight in the matrix, 0 where there is none; factors float32 [users, f]."""

    user_ids: Sequence[str]
    heard_indptr: np.ndarray
    heard_indices: np.ndarray
    values: np.ndarray
    factors: np.ndarray | None


@dataclasses.dataclass
class Ranked:
    """One list of a block: items int32 [users, top_n] (-1 = none), scores float32, source uint8 (index into
    `sources`) and because int32 (-1 = none) of the same shape."""

    name: str
    items: np.ndarray
    scores: np.ndarray
    source: np.ndarray
    because: np.ndarray


def block_size(tracks: int, parts: int, memory_mb: int) -> int:
    """Users scored side by side: fixed by the catalogue and the configuration, never by partitions or cores."""
    bytes_a_user = tracks * (4 * (1 + parts) + 8)
    return int(np.clip(memory_mb * 2**20 // max(bytes_a_user, 1), MIN_BLOCK, MAX_BLOCK))


def source_names(blend: Mapping[str, float]) -> list[str]:
    return [*blend, columns.POPULARITY, columns.CATALOGUE]


def recommend(block: Block, models: Models, lists: Lists) -> list[Ranked]:
    """The lists of a block of users.

    A user without weights is served by popularity; a track that nobody has heard only fills a list that would stay
    short of it.
    """
    users, tracks, known = len(block.user_ids), len(models.place), models.known
    total = np.zeros((users, tracks), np.float32)
    parts = {name: _part(name, block, models) for name in lists.blend}
    for name, (scores, _, _) in parts.items():
        kernels.blend_into(total[:, :known], scores, np.float32(lists.blend[name]))
    weighted = np.add.reduceat(np.append(block.values, 0), block.heard_indptr[:-1]) > 0
    cold = ~weighted | (np.diff(block.heard_indptr) == 0)
    total[cold] = models.listeners.astype(np.float32)
    total[:, known:] = np.finfo(np.float32).min / 4
    return [_ranked(name, total, parts, cold, block, models, lists) for name in lists.names]


def _part(name: str, block: Block, models: Models) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Scores float32 [users, known]; for neighbours also the largest summand and the track that gives it."""
    shape = (len(block.user_ids), models.known)
    if name == "als":
        assert block.factors is not None and models.factors is not None
        with threadpoolctl.threadpool_limits(1, "blas"):  # its bits depend on the threads of a product
            return block.factors @ np.asarray(models.factors).T, None, None
    scores, best, because = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int32)
    kernels.neighbour_scores(
        block.heard_indptr, block.heard_indices, _inputs(name, block.values), *models.neighbours[name],
        scores, best, because,
    )  # fmt: skip
    return scores, best, because


def _inputs(method: str, values: np.ndarray) -> np.ndarray:
    """What a method multiplies its neighbours with: co-occurrence knows only whether, the others how much."""
    return np.sign(values) if method == "cooccurrence" else values


def _ranked(
    name: str,
    total: np.ndarray,
    parts: Mapping[str, tuple[np.ndarray, np.ndarray | None, np.ndarray | None]],
    cold: np.ndarray,
    block: Block,
    models: Models,
    lists: Lists,
) -> Ranked:
    shape = (len(block.user_ids), lists.top_n)
    items, scores = np.empty(shape, np.int32), np.empty(shape, np.float32)
    kernels.select(
        total, models.offered, block.heard_indptr, block.heard_indices, models.place, models.artist, models.artists,
        name == columns.DISCOVER, lists.max_tracks_per_artist, lists.top_n, items, scores,
    )  # fmt: skip
    chosen = np.clip(items, 0, models.known - 1)
    shares = np.stack([np.take_along_axis(part, chosen, 1) for part, _, _ in parts.values()])
    source = shares.argmax(0).astype(np.uint8)
    source[cold] = len(parts)
    fresh = items >= models.known
    source[fresh] = len(parts) + 1
    scores[fresh] = 0
    because, most = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    for _, best, heard in parts.values():
        if best is not None and heard is not None:
            value = np.take_along_axis(best, chosen, 1)
            stronger = (value > 0) & (most == 0)
            because[stronger] = np.take_along_axis(heard, chosen, 1)[stronger]
            most[stronger] = value[stronger]
    because[fresh | cold[:, None]] = -1
    return Ranked(name, items, scores, source, because)
