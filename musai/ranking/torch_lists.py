"""The best tracks of a block of users on a GPU: the blend's scores, and from them the first of each list, best first.

What `kernels.rank` does row by row is done here for the whole block: parts are added at their lengths, heard and
blocked tracks left out, and the largest of each list handed back, more of them than the list has room for. The rest,
the artist cap and the explanation, is the processor's (`kernels.pick`). Sums run in the card's own order, so scores
may differ from the processor's in their last bits.

Memory of the card: the models, (parts + 6) x users x tracks x 4 bytes of a block (`blocks.block_size` counts the parts
where there is a card), and what cuSPARSE needs for BLOCK_PRODUCTS multiplications, by each task.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional

from musai import columns
from musai.devices import Device, choose
from musai.ranking import kernels
from musai.ranking.kernels import Heard
from musai.ranking.models import Models
from musai.ranking.moods import NAMES
from musai.ranking.top import NEVER
from musai.similarity.neighbours import row_chunks
from musai.similarity.torch_knn import sparse

log = logging.getLogger(__name__)

DEVICE = "recommend.device"
BLOCK_PRODUCTS = 1 << 25  # multiplications of a part that are made at once
SLACK = 16  # candidates beyond a list's length, so that the last of it is not level with what was cut off
OF_A_CAP = 4  # times its length, where artists are capped


class Candidates(NamedTuple):
    """whole bool [lists]: they are all that the list may have of the heard tracks; items int32 and scores float32
    [users, lists, count], best first, ties by popularity, NEVER where there is no more; source uint8, as in
    `kernels.Ranked`; scales float32 [users, 1 + methods], as in `kernels.rank`."""

    whole: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    source: np.ndarray
    scales: np.ndarray


class Card:
    """The models on a device. als: weight of the product of factors, 0 = not asked for; `weights` and `binary` of the
    methods as in `kernels.Near`; `precision` of the product: float32, tf32 or bfloat16."""

    def __init__(
        self,
        models: Models,
        als: float,
        weights: np.ndarray,
        binary: np.ndarray,
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        self._device, self._weights, self._binary = device, [als, *weights.tolist()], binary
        self._tf32 = precision == "tf32"
        self._kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._known = models.known
        self._tracks = self._on(np.empty((0, 0)) if models.factors is None else models.factors).to(self._kind).T
        self._near = {
            m: self._square(models, m)
            for m, method in enumerate(models.methods)
            if weights[m] and method not in models.predictors
        }
        self._place = self._on(models.place).long()
        self._artist = self._on(models.artist[: models.known]).long() + 1
        self._artists = int(models.artist.max(initial=-1)) + 2
        self._blocked = self._on(models.blocked).long()
        self._of_mood = {name: self._tracks_of(models, mood) for mood, name in enumerate(NAMES)}

    def candidates(
        self,
        heard: Heard,
        factors: np.ndarray | None,
        predicted: np.ndarray,
        predictions: np.ndarray,
        popular: np.ndarray,
        segment: np.ndarray,
        lone: np.ndarray,
        names: Sequence[str],
        top_n: int,
        capped: bool,
    ) -> Candidates:
        """What lists of `top_n` are picked from; factors float32 [users, f], `lone` as in `top.Tracks`, the
        others as in `kernels.rank`."""
        parts, scales = [], []
        total = torch.zeros((len(segment), self._known), device=self._device)
        for number, weight in enumerate(self._weights):
            part = self._part(number, heard, factors, predicted, predictions) if weight else None
            scale = torch.zeros(len(segment), device=self._device)
            if part is not None:
                scale = _scale(part, weight)
                if number == 0:
                    scale[self._on(kernels.of_lone_tracks(heard, lone))] = 0
                part = torch.where(scale[:, None] > 0, part * scale[:, None], 0)
                total += part
            parts.append(part)
            scales.append(scale)
        unheard_of = torch.stack(scales).eq(0).all(0)
        total = torch.where(unheard_of[:, None], self._on(popular)[self._on(segment)], total)
        user = self._on(np.repeat(np.arange(len(segment)), np.diff(heard.indptr)))
        item = self._on(heard.indices).long()
        total[user, item] = total[:, self._blocked] = -torch.inf
        size = min(OF_A_CAP * top_n if capped else top_n + SLACK, self._known)
        best, whole = [], np.zeros(len(names), bool)
        for n, name in enumerate(names):
            of_list, chosen = total, self._of_mood.get(name)
            if name == columns.DISCOVER:
                of_list = self._without_met(total, user, item)
            elif chosen is not None:
                of_list = total[:, chosen]
            best.append(self._best(of_list, chosen, size))
            whole[n] = size >= of_list.shape[1]
        items, scores = (torch.stack(parts_of, 1) for parts_of in zip(*best, strict=True))
        found = (items.int(), scores, _sources(parts, items), torch.stack(scales, 1))
        return Candidates(whole, *(array.cpu().numpy() for array in found))

    def _best(self, total: Tensor, chosen: Tensor | None, size: int) -> tuple[Tensor, Tensor]:
        """Items and scores [users, size] of the largest of each row, ties by popularity; `chosen`: what the columns
        are, None: all. Where there are fewer, item 0 at -inf follows."""
        values, items = torch.topk(total, min(size, total.shape[1]))
        items = items if chosen is None else chosen[items]
        by_place = self._place[items].argsort(-1)
        values, by_score = values.gather(-1, by_place).sort(stable=True, dim=-1, descending=True)
        room = (0, size - values.shape[1])
        items = items.gather(-1, by_place).gather(-1, by_score)
        return functional.pad(items, room), functional.pad(values, room, value=-torch.inf)

    def _part(
        self,
        number: int,
        heard: Heard,
        factors: np.ndarray | None,
        predicted: np.ndarray,
        predictions: np.ndarray,
    ) -> Tensor | None:
        """Scores of a part float32 [users, known]: 0 is the product of factors, the methods follow."""
        if number == 0:
            return None if factors is None else self._product(factors)
        if predicted[number - 1] >= 0:
            return self._on(predictions[predicted[number - 1]])
        values = np.maximum(heard.values, 0)
        values = (values > 0).astype(np.float32) if self._binary[number - 1] else values
        shape = len(heard.indptr) - 1, self._known
        rows = sp.csr_matrix((values, heard.indices, heard.indptr), shape=shape, copy=True)
        rows.sort_indices()
        near, entries = self._near[number - 1]
        chunks = row_chunks(rows, entries, BLOCK_PRODUCTS) or [(0, 0)]
        products = (torch.mm(sparse(rows[start:end], self._device), near) for start, end in chunks)
        return torch.cat([product.to_dense() for product in products])

    def _product(self, factors: np.ndarray) -> Tensor:
        products = torch.backends.cuda.matmul
        before, products.fp32_precision = products.fp32_precision, "tf32" if self._tf32 else "ieee"
        try:
            return torch.mm(self._on(factors).to(self._kind), self._tracks).float()
        finally:
            products.fp32_precision = before

    def _without_met(self, total: Tensor, user: Tensor, item: Tensor) -> Tensor:
        """-inf for tracks of artists of whom the user has something, and for those of an unknown one."""
        met = torch.zeros((len(total), self._artists), dtype=torch.bool, device=self._device)
        met[user, self._artist[item]] = True
        met[:, 0] = True
        return total.masked_fill(met[:, self._artist], -torch.inf)

    def _square(self, models: Models, m: int) -> tuple[Tensor, np.ndarray]:
        """The neighbours by a method [known, known], and how many each track has."""
        first, last = models.near_indptr[m, 0], models.near_indptr[m, -1]
        near = models.near_scores[first:last], models.near_indices[first:last], models.near_indptr[m] - first
        square = sp.csr_matrix(near, shape=(self._known, self._known), copy=True)
        square.sort_indices()
        return sparse(square, self._device), np.diff(square.indptr)

    def _tracks_of(self, models: Models, mood: int) -> Tensor:
        """The heard tracks of a mood."""
        chosen = models.mood_tracks[models.mood_starts[mood] : models.mood_starts[mood + 1]]
        return self._on(chosen[chosen < models.known]).long()

    def _on(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self._device)  # a copy: mapped arrays are read-only


def card(
    models: Models, als: float, weights: np.ndarray, binary: np.ndarray, asked: Device, precision: str
) -> Card | None:
    """A `Card` on the GPU that `asked` means in this process, None where it means the processor. Raises InputError for
    `gpu` where there is none."""
    device = choose(asked, DEVICE)
    log.info("%s: %s", DEVICE, device)
    return None if device.type == "cpu" else Card(models, als, weights, binary, device, precision)


def _scale(part: Tensor, weight: float) -> Tensor:
    """As `kernels.add_scaled`: weight over the length of each row, 0 where that says nothing."""
    length = torch.linalg.vector_norm(part, dim=1, dtype=torch.float64)
    scale = (weight / length).float()
    return torch.where((length > 0) & length.isfinite() & scale.isfinite(), scale, 0)


def _sources(parts: list[Tensor | None], items: Tensor) -> Tensor:
    """uint8: the part with the largest share of each item, the first of several; their number where none has any."""
    shape = items.shape
    most = torch.full(shape, float(NEVER), device=items.device)
    source = torch.full(shape, len(parts), dtype=torch.uint8, device=items.device)
    for number, part in enumerate(parts):
        if part is not None:
            share = part.gather(1, items.flatten(1)).reshape(shape)
            more = (share != 0) & (share > most)
            most, source = torch.where(more, share, most), torch.where(more, number, source)
    return source.to(torch.uint8)
