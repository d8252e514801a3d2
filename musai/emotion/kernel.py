"""Kernel ridge regression with Gaussian kernels: the head on sound and the one on notes that `train_emotion` makes.

What is known of a track comes in parts (embeddings by several networks; groups of features): each has a kernel of its
own and the kernels are averaged, so that a part with many numbers does not drown one with few. Width and ridge are
those of the least leave-one-out error, which has a closed form, and nothing is left to choose (Rasmussen and Williams,
"Gaussian processes for machine learning", 2006, chapter 5). Outputs that go together are fitted together: their
principal components are fitted in place of them, each with a ridge of its own (after Breiman and Friedman, "Predicting
multivariate responses in multiple linear regression", 1997).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WIDTHS = (0.5, 1.0, 2.0, 4.0)  # of a kernel: the squared distance at which two are half alike, in median ones
RIDGES = np.geomspace(1e-2, 30, 11)
STILL = 1e-6  # of a column's size: one that varies less is constant but for rounding
SETTINGS = ("sizes", "scales")
TENSORS = ("centre", "spread", "known", "weights", "offset")


@dataclasses.dataclass(frozen=True)
class KernelHead:
    """`known` float32 [tracks, size]: the training tracks' embeddings, standardised by `centre` and `spread` [size];
    size is the sum of `sizes`, one a part, and `scales` are the squared distances of their kernels; weights
    [tracks, outputs]; offset [outputs]."""

    centre: np.ndarray
    spread: np.ndarray
    known: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    sizes: Sequence[int]
    scales: Sequence[float]

    def read(self, embeddings: np.ndarray) -> np.ndarray:
        """float64 [tracks, outputs] of embeddings [tracks, size]."""
        scaled = (embeddings - self.centre) / self.spread
        pairs = zip(_parts(scaled, self.sizes), _parts(self.known, self.sizes), strict=True)
        alike = likeness([squared_distances(*pair) for pair in pairs], self.scales)
        return alike @ self.weights + self.offset

    def packed(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """(tensors, settings) as they are stored."""
        tensors = {name: getattr(self, name).astype(np.float32) for name in TENSORS}
        return tensors, {name: list(getattr(self, name)) for name in SETTINGS}

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> KernelHead:
        """What `packed` made."""
        return KernelHead(**{name: tensors[name] for name in TENSORS} | {name: settings[name] for name in SETTINGS})


def likeness(distances: Sequence[np.ndarray], scales: Sequence[float]) -> np.ndarray:
    """The mean of the Gaussian kernels exp(-distance^2 / scale) of squared distances [rows, columns], one a part."""
    return np.mean([np.exp(-one / scale) for one, scale in zip(distances, scales, strict=True)], axis=0)


def squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    crossed = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    return np.maximum(crossed, 0)


def standard(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of the columns of table [rows, n]; a deviation of 1 where a column is constant, so
    that another value does not lie millions of deviations away."""
    centre, spread = table.mean(0), table.std(0)
    return centre, np.where(spread > STILL * (1 + np.abs(centre)), spread, 1.0)


def fit(embeddings: np.ndarray, targets: np.ndarray, sizes: Sequence[int] | None = None) -> KernelHead:
    """A head for targets float [tracks, outputs]; embeddings [tracks, size] are one part, or several side by side,
    whose `sizes` are then said."""
    sizes = tuple(sizes or (embeddings.shape[1],))
    centre, spread = standard(embeddings)
    known = (embeddings - centre) / spread
    distances = [squared_distances(part, part) for part in _parts(known, sizes)]
    typical = [max(float(np.median(one)), STILL) for one in distances]
    mean, deviation = targets.mean(0), targets.std(0) + 1e-12
    scaled = (targets - mean) / deviation
    axes = np.linalg.svd(scaled, full_matrices=False)[2]  # [components, outputs]
    fits = []
    for width in WIDTHS:
        scales = tuple(width * one for one in typical)
        kernel = likeness(distances, scales)
        error, weights = _ridge(kernel, scaled @ axes.T)
        weights = weights @ axes * deviation
        fits.append((error, KernelHead(centre, spread, known, weights, mean - kernel.mean(0) @ weights, sizes, scales)))
    return min(fits, key=lambda one: one[0])[1]


def _ridge(kernel: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """(leave-one-out squared error, weights [tracks, outputs]) of kernel ridge regression with an offset, each output
    with the best of RIDGES; the outputs' means are 0."""
    centred = kernel - kernel.mean(0) - kernel.mean(1, keepdims=True) + kernel.mean()
    values, vectors = np.linalg.eigh(centred)
    values, turned, tracks = np.maximum(values, 0), vectors.T @ targets, len(kernel)
    errors = np.zeros((len(RIDGES), targets.shape[1]))
    for row, ridge in enumerate(RIDGES):
        kept = values / (values + ridge)
        missed = targets - vectors @ (kept[:, None] * turned)
        own = vectors**2 @ kept + 1 / tracks  # how much a track says of itself
        errors[row] = ((missed / (1 - own)[:, None]) ** 2).mean(0)
    best = errors.argmin(0)
    weights = vectors @ (turned / (values[:, None] + RIDGES[best]))
    return float(errors.min(0).sum()), weights


def _parts(rows: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(sizes)[:-1], axis=1)
