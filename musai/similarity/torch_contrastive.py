"""A graph network that learns to tell what a listener has from tracks that were drawn, in torch.

    A = D_U^-1/2 R D_I^-1/2            R: the pattern of the matrix [users, items]; D_U, D_I: entries of rows, columns
    S = W + P W + ... + P^layers W     P = A^T A: what the listeners of a track have beside it
    T = V + P V + ... + P^layers V     W and V [items, f] are learnt
    s_uj = cos(A_u S, T_j)

    loss = mean over pairs (u, i) of R of  -log (e^(s_ui/t) / (e^(s_ui/t) + sum over drawn tracks j of e^(s_uj/t)))

The propagation without weights or activations is LightGCN's (He et al. 2020, "LightGCN: simplifying and powering graph
convolution network for recommendation"), the loss the softmax over drawn tracks, of which contrastive losses are forms
(Wu et al. 2024, "On the effectiveness of sampled softmax loss for item recommendation"). A listener has no vector that
is learnt but is what the own tracks say, as in autoencoders, so that newcomers get theirs without training; the pair
(u, i) is told without i among the tracks of u. Weights play no part.

Cost: a step makes 4 layers + 1 products of A with f numbers a track and as many for the gradient, and batch x NEGATIVES
x f operations for the loss, three times; about STEPS of them an epoch. Memory: 60 bytes an entry, 40 f bytes a track
and 30 x batch x NEGATIVES. The time grows with the pairs: where the epochs do not fit into `contrastive_minutes` there
are fewer, and the learning rate falls as much sooner.

The same bits for one matrix, seed, number of threads and type of CPU where the epochs fitted; on a GPU sums may differ
in the last bits from run to run.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional as F

from musai.config import Similarity
from musai.devices import choose
from musai.similarity.projection import Projection

STEPS, LEAST_BATCH, MOST_BATCH = 50, 1024, 16384  # of an epoch, where its batches are neither too small nor too large
NEGATIVES, RATE, START = 512, 0.01, 0.1
WARM_UP = 0.05  # share of the training in which the rate grows
PACE = 10  # steps after which it is known how many fit into the minutes
PROGRESS_S = 10.0  # between two lines of a long training


class Rows(NamedTuple):
    """A sparse matrix [rows, columns]: where rows begin int64 [rows + 1]; columns int64, values float32 [entries]."""

    starts: Tensor
    columns: Tensor
    values: Tensor


class Graph(NamedTuple):
    """A [users, items] and its transpose."""

    there: Rows
    back: Rows


class Pairs(NamedTuple):
    """The pairs of listeners who have two tracks or more: users and items int64, and A_ui float32."""

    users: Tensor
    items: Tensor
    values: Tensor


def contrastive(matrix: sp.csr_matrix, settings: Similarity, seed: int) -> Projection:
    """left = D_I^-1/2 S and right = T with rows of length 1, from `matrix` [users, items].

    Raises InputError for a GPU that is asked for and not there.
    """
    device = choose(settings.contrastive_device, "similarity.contrastive_device")
    listeners = np.bincount(matrix.indices, minlength=matrix.shape[1])
    by_item = (np.where(listeners > 0, listeners, np.inf) ** -0.5).astype(np.float32)
    if not (np.diff(matrix.indptr) > 1).any():
        return Projection(*np.zeros((2, matrix.shape[1], settings.contrastive_factors), np.float32))
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.contrastive_threads)
    try:
        left, right = _trained(_normalised(matrix, by_item), settings, seed, device)
    finally:
        torch.set_num_threads(threads)
    there = (listeners > 0)[:, None].astype(np.float32)
    return Projection(left * by_item[:, None], right * there)


def _normalised(matrix: sp.csr_matrix, by_item: np.ndarray) -> sp.csr_matrix:
    tracks = np.diff(matrix.indptr)
    values = np.repeat(np.maximum(tracks, 1) ** -0.5, tracks).astype(np.float32) * by_item[matrix.indices]
    return sp.csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def _trained(
    graph: sp.csr_matrix, settings: Similarity, seed: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """S and T, the latter with rows of length 1, float32 [items, f]."""
    ends = Graph(_rows(graph, device), _rows(graph.T.tocsr(), device))
    pairs = _pairs(graph, device)
    draw = torch.Generator().manual_seed(seed)  # on the CPU: a GPU draws the same
    shape = graph.shape[1], settings.contrastive_factors
    w, v = ((torch.randn(shape, generator=draw) * START).to(device).requires_grad_() for _ in range(2))
    optimiser = torch.optim.Adam([w, v], fused=True)
    batch = min(max(len(pairs.users) // STEPS, LEAST_BATCH), MOST_BATCH)
    planned = steps = settings.contrastive_epochs * math.ceil(len(pairs.users) / batch)
    limit, started, told, done = 60 * settings.contrastive_minutes, time.monotonic(), 0.0, 0
    while done < steps:
        for chosen in torch.randperm(len(pairs.users), generator=draw).split(batch):
            optimiser.param_groups[0]["lr"] = _rate(done / steps)
            optimiser.zero_grad()
            drawn = torch.randint(shape[0], (NEGATIVES,), generator=draw).to(device)
            of_batch = Pairs(*(part[chosen.to(device)] for part in pairs))
            _loss(w, v, ends, of_batch, drawn, settings).backward()
            optimiser.step()
            done, spent = done + 1, time.monotonic() - started
            if done >= PACE:
                steps = max(min(steps, int(done * limit / spent)), done)
            if spent - told > PROGRESS_S:
                told = spent
                _say(f"step {done:,} of {steps:,}, {spent:.0f} s")
            if done == steps:
                break
    if steps < planned:
        _say(f"{steps:,} of {planned:,} steps fitted into similarity.contrastive_minutes")
    with torch.no_grad():
        left, right = (_smooth(table, ends, settings.contrastive_layers) for table in (w, v))
        return left.cpu().numpy(), F.normalize(right, dim=1).cpu().numpy()


def _loss(w: Tensor, v: Tensor, graph: Graph, pairs: Pairs, drawn: Tensor, settings: Similarity) -> Tensor:
    """The mean over a batch of pairs [b]; w, v [items, f]; drawn [n]: tracks that nobody asked for."""
    left, right = (_smooth(table, graph, settings.contrastive_layers) for table in (w, v))
    users = _product(graph, left)[pairs.users] - pairs.values[:, None] * left[pairs.items]  # [b, f], without i
    users, tracks, others = (F.normalize(x, dim=1) for x in (users, right[pairs.items], right[drawn]))
    heat = settings.contrastive_temperature
    own = (users * tracks).sum(dim=1) / heat  # [b]
    same = pairs.items[:, None] == drawn  # [b, n]
    against = (users @ others.T / heat).masked_fill(same, -1 / heat)  # the least that there can be
    return (torch.logaddexp(own, against.logsumexp(dim=1)) - own).mean()


def _smooth(table: Tensor, graph: Graph, layers: int) -> Tensor:
    """table + P table + ... + P^layers table, [items, f]."""
    found = table
    for _ in range(layers):
        table = _product(Graph(graph.back, graph.there), _product(graph, table))
        found = found + table
    return found


class _Product(torch.autograd.Function):
    """there @ x, whose gradient is back @ g. One thread adds up a row, so the bits are the same each time; in half
    of the time of torch's sparse product, too."""

    @staticmethod
    def forward(ctx: Any, there: Rows, back: Rows, x: Tensor) -> Tensor:  # [r, c], [c, r], [c, f] -> [r, f]
        ctx.back = back
        return _times(there, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _times(ctx.back, gradients[0].contiguous())


def _times(rows: Rows, x: Tensor) -> Tensor:
    bags = rows.starts
    return F.embedding_bag(rows.columns, x, bags, mode="sum", per_sample_weights=rows.values, include_last_offset=True)


def _product(graph: Graph, x: Tensor) -> Tensor:
    found: Tensor = _Product.apply(graph.there, graph.back, x)
    return found


def _rate(share: float) -> float:
    """The learning rate after this share of the training: up to RATE, then down to 0 along a cosine."""
    if share < WARM_UP:
        return RATE * (0.1 + 0.9 * share / WARM_UP)
    return RATE * 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))


def _pairs(graph: sp.csr_matrix, device: torch.device) -> Pairs:
    tracks = np.diff(graph.indptr)
    users = np.repeat(np.arange(len(tracks)), tracks)
    kept = tracks[users] > 1
    columns = users[kept], graph.indices[kept].astype(np.int64), graph.data[kept]
    return Pairs(*(torch.from_numpy(column).to(device) for column in columns))


def _rows(graph: sp.csr_matrix, device: torch.device) -> Rows:
    starts, columns = (torch.from_numpy(part.astype(np.int64)).to(device) for part in (graph.indptr, graph.indices))
    return Rows(starts, columns, torch.from_numpy(graph.data).to(device))


def _say(text: str) -> None:
    print(f"contrastive: {text}", file=sys.stderr, flush=True)  # noqa: T201  executor's log
