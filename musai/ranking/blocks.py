"""Score one block of users with every part of the blend and take the best tracks of each list."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import threadpoolctl

from musai import columns
from musai.devices import Device, asks_for_gpu, choose
from musai.ranking import categories, kernels, moods, predicted, reranking
from musai.ranking.kernels import Heard, Near, Ranked
from musai.ranking.models import Models
from musai.ranking.reranking import Facts, Reranking
from musai.ranking.top import Tracks

if TYPE_CHECKING:
    from musai.ranking.torch_lists import Card

ALS = "als"
BINARY = ("cooccurrence", "linear")  # multiply their neighbours with whether a track was heard; others with its weight
MIN_BLOCK, MAX_BLOCK = 1, 512


@dataclasses.dataclass(frozen=True)
class Lists:
    """What is asked for: see `recommend` in conf/base.yaml. `blend` holds the parts with a weight above 0."""

    top_n: int
    names: tuple[str, ...]
    blend: Mapping[str, float]
    max_tracks_per_artist: int
    reranking: Reranking | None = None
    device: Device = "cpu"
    gpu_precision: str = "float32"


@dataclasses.dataclass
class Block:
    """Consecutive users. user_ids: texts [users]; heard_indptr int64 [users + 1] and heard_indices int32: all they
    have; values float32 beside them: their weight, 0 where there is none; factors float32 [users, f] or None, zeros for
    a user without weights in the matrix."""

    user_ids: pa.Array
    heard_indptr: np.ndarray
    heard_indices: np.ndarray
    values: np.ndarray
    factors: np.ndarray | None


def block_size(tracks: int, parts: int, memory_mb: int, predicted: int = 0) -> int:
    """Users scored side by side: fixed by the catalogue and the configuration, never by partitions or cores.

    `predicted` of the blend's `parts` hold a number for every user of the block and every track at once.
    """
    bytes_a_row = 4 * max(tracks, 1)
    rows_of_one_user = parts + 4  # see kernels.rank
    rows = memory_mb * 2**20 // bytes_a_row - rows_of_one_user
    return int(np.clip(rows // (1 + predicted), MIN_BLOCK, MAX_BLOCK))


def source_names(models: Models) -> list[str]:
    """What the numbers in `Ranked.source` mean."""
    return [ALS, *models.methods, columns.POPULARITY, columns.CATALOGUE]


def card_of(models: Models, lists: Lists) -> Card | None:
    """The models on the GPU that `lists.device` means in this process; None: the processor works. Raises InputError
    for `gpu` where there is none."""
    if not asks_for_gpu(lists.device):
        return None
    from musai.ranking import torch_lists

    weights = lists.blend.get(ALS, 0), *_weights(models, lists)
    return torch_lists.card(models, *weights, lists.device, lists.gpu_precision)


def check_device(lists: Lists) -> None:
    """Raises InputError for a GPU that is asked for and not there."""
    if lists.device == "gpu":
        from musai.ranking.torch_lists import DEVICE

        choose(lists.device, DEVICE)


def recommend(
    block: Block, models: Models, lists: Lists, room: np.ndarray | None = None, card: Card | None = None
) -> Ranked:
    """The lists of a block of users, in the order of `lists.names`.

    A user of whom no part of the blend says anything is served by popularity; a track that nobody has heard only
    fills a list that would stay short of it. `room`, float32 [users or more, known], is overwritten: who scores many
    blocks hands in the same memory each time. On a `card` scores may differ in their last bits.
    """
    every = len(models.track_ids)
    longest = min(lists.top_n, every)  # no list is longer than all tracks
    width = min(max(lists.reranking.candidates, longest), every) if lists.reranking else longest
    if card is None:
        ranked = _on_processor(block, models, lists, width, room)
    else:
        ranked = _on_card(block, models, lists, width, room, card)
    if not lists.reranking:
        return ranked
    heard, facts = _heard(block), _facts(models, lists.reranking)
    return reranking.reranked(ranked, heard, facts, lists.reranking, lists.max_tracks_per_artist, longest)


def _on_processor(block: Block, models: Models, lists: Lists, width: int, room: np.ndarray | None) -> Ranked:
    """The best `width` of each list."""
    heard, ranked = _heard(block), _empty(block, lists, width)
    with threadpoolctl.threadpool_limits(1, "blas"):  # the bits of a product depend on its threads
        kernels.rank(
            heard,
            _product(block, models, lists, room),
            np.float32(lists.blend.get(ALS, 0)),
            *_predictions(block, models, lists),
            _near(models, lists),
            _tracks(block, models),
            *_popularity(heard, models),
            _vectors(models),
            np.array([name == columns.DISCOVER for name in lists.names], bool),
            moods.of_lists(lists.names, models.mood_starts, models.mood_tracks, models.place, models.artist),
            lists.max_tracks_per_artist,
            ranked,
        )
    return ranked


def _on_card(block: Block, models: Models, lists: Lists, width: int, room: np.ndarray | None, card: Card) -> Ranked:
    """The same; the processor serves those whose lists the card's candidates do not fill beyond doubt."""
    heard, ranked, cap = _heard(block), _empty(block, lists, width), lists.max_tracks_per_artist
    factors = _folded_in(block, models) if lists.blend.get(ALS) else None
    tracks = _tracks(block, models)
    of_users = *_predictions(block, models, lists), *_popularity(heard, models)
    found = card.candidates(heard, factors, *of_users, tracks.lone, lists.names, width, cap > 0)
    with threadpoolctl.threadpool_limits(1, "blas"):
        left = np.flatnonzero(kernels.pick(heard, _near(models, lists), tracks, _vectors(models), *found, cap, ranked))
    if len(left):
        again = _on_processor(_some(block, left), models, lists, width, room)
        for whole, part in zip(ranked, again, strict=True):
            whole[left] = part
    return ranked


def _some(block: Block, users: np.ndarray) -> Block:
    """The users at these places."""
    sizes = np.diff(block.heard_indptr)[users]
    indptr = np.append(0, np.cumsum(sizes))
    at = np.arange(indptr[-1]) + np.repeat(block.heard_indptr[users] - indptr[:-1], sizes)
    factors = None if block.factors is None else block.factors[users]
    return Block(block.user_ids.take(pa.array(users)), indptr, block.heard_indices[at], block.values[at], factors)


def _heard(block: Block) -> Heard:
    return Heard(block.heard_indptr, block.heard_indices, block.values)


def _empty(block: Block, lists: Lists, width: int) -> Ranked:
    shape = (len(block.user_ids), len(lists.names), width)
    return Ranked(*(np.empty(shape, kind) for kind in (np.int32, np.float32, np.uint8, np.int32)))


def _near(models: Models, lists: Lists) -> Near:
    return Near(models.near_indptr, models.near_indices, models.near_scores, *_weights(models, lists))


def _tracks(block: Block, models: Models) -> Tracks:
    lone = models.popularity <= (0 if block.factors is None else 1)  # a newcomer is not counted among the listeners
    return Tracks(models.place, models.artist, models.by_artist, models.of_artist, models.blocked, models.fresh, lone)


def _vectors(models: Models) -> np.ndarray:
    """Tracks' factors, [known, 0] where there are none."""
    if models.factors is not None:
        return models.factors
    none = np.empty((models.known, 0), np.float32)
    none.setflags(write=False)  # as the mapped ones: numba would compile for both
    return none


def _weights(models: Models, lists: Lists) -> tuple[np.ndarray, np.ndarray]:
    """`weights` and `binary` of kernels.Near."""
    weights = np.array([lists.blend.get(method, 0) for method in models.methods], np.float32)
    return weights, np.array([method in BINARY for method in models.methods], bool)


def _popularity(heard: Heard, models: Models) -> tuple[np.ndarray, np.ndarray]:
    """`popular` and `segment` of kernels.rank."""
    popular, segment = models.extras.popular, models.extras.segment
    if popular is None or segment is None:
        return models.popularity[None], np.zeros(len(heard.indptr) - 1, np.int64)
    return popular, categories.of_listeners(heard.indptr, heard.indices, segment)


def _facts(models: Models, settings: Reranking) -> Facts:
    vectors = models.factors if settings.diversity else None
    category = models.extras.category if settings.calibration else None
    return Facts(
        np.zeros((models.known, 0), np.float32) if vectors is None else vectors,
        np.zeros(len(models.track_ids), np.int32) if category is None else category,
        1 if category is None else int(category.max(initial=0)) + 1,
        models.popularity,
        models.artist,
    )


def _predictions(block: Block, models: Models, lists: Lists) -> tuple[np.ndarray, np.ndarray]:
    """`predicted` and `predictions` of kernels.rank."""
    places = np.full(len(models.methods), -1, np.int64)
    found: list[np.ndarray] = []
    for m, method in enumerate(models.methods):
        if method in models.predictors and lists.blend.get(method):
            places[m] = len(found)
            rows = (block.heard_indptr, block.heard_indices, block.values)
            found.append(predicted.scores(models.predictors[method], *rows, models.known))
    return places, np.stack(found) if found else np.empty((0, 0, models.known), np.float32)


def _product(block: Block, models: Models, lists: Lists, room: np.ndarray | None) -> np.ndarray:
    """Users' factors times tracks' factors: float32 [users, known], [0, known] where ALS has no part in it."""
    factors = _folded_in(block, models) if lists.blend.get(ALS) else None
    if factors is None or models.factors is None:
        return np.empty((0, models.known), np.float32)
    out = None if room is None else room[: len(factors)]
    return np.matmul(factors, models.factors.T, out=out)


def _folded_in(block: Block, models: Models) -> np.ndarray | None:
    """The users' factors, folded in where the training did not have a user who has weights."""
    fold = models.extras.fold_in
    if fold is None:
        return block.factors
    shape = (len(block.user_ids), models.known)
    rows = sp.csr_matrix((block.values, block.heard_indices, block.heard_indptr), shape=shape, copy=True)
    rows.eliminate_zeros()
    factors = np.zeros((shape[0], len(fold.square)), np.float32) if block.factors is None else block.factors
    lacking = np.flatnonzero((np.diff(rows.indptr) > 0) & ~factors.any(axis=1))
    if len(lacking):
        factors = factors.copy()
        factors[lacking] = fold.vectors(rows[lacking])
    return factors
