"""Sweeps of ALS whose regularisation grows with a row's confidence, out of `implicit`'s solvers for one number a call.

    l_u = regularization (t_u / t)^exponent,  t_u = sum over the tracks with a weight of c_ui, t its geometric mean

and l_i likewise. Both sides are put in the order of l, and neighbouring rows whose l differs by less than BLOCK_RATIO
are solved in one call with the geometric mean of theirs, so that l is off by a few per cent at most. A call costs one
product Y^T Y beside the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from musai.factorization.devices import Device

BLOCK_RATIO = 1.1  # 40 blocks for degrees from 1 to 2,000 at exponent 0.5
START = 0.01  # factors are drawn from 0 to START, as `implicit` draws them on the CPU


class Block(NamedTuple):
    """Rows start to end of a side, their confidences as the solver wants them [end - start, columns], and their l."""

    start: int
    end: int
    rows: Any
    regularization: float


def fit(
    model: Any,
    confidence: csr_matrix,
    exponent: float,
    device: Device,
    after_sweep: Callable[[int], None],
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """What `model.fit(confidence)` does, with l_u and l_i: sets `model.user_factors` and `model.item_factors`.

    confidence: CSR float32 [users, items], stored values > 1. A row without any gets zeros. start: float32 [users, f]
    and [items, f], where the sweeps begin; a row of zeros is drawn.
    """
    solver = _Gpu(model) if device == "gpu" else _Cpu(model)
    scales = [row_scales(side, exponent) for side in (confidence, confidence.T.tocsr())]
    users, items = orders = [np.argsort(scale, kind="stable") for scale in scales]
    rows = confidence[users][:, items].tocsr()
    rows.sort_indices()
    draw = np.random.default_rng(model.random_state)
    factors, blocks = [], []
    for number, (side, scale, order) in enumerate(zip((rows, rows.T.tocsr()), scales, orders, strict=True)):
        first = draw.random((side.shape[0], model.factors), np.float32) * np.float32(START)
        if start:
            known = start[number][order]
            first = np.where(known.any(axis=1, keepdims=True), known, first)
        factors.append(solver.factors(first))
        blocks.append(_blocks(side, scale[order], model.regularization, solver))
    for sweep in range(model.iterations):
        for ours, theirs in ((0, 1), (1, 0)):
            for block in blocks[ours]:
                solver.solve(block, factors[ours], factors[theirs])
        after_sweep(sweep)
    model.user_factors, model.item_factors = (
        _unsorted(solver.host(side), order) for side, order in zip(factors, orders, strict=True)
    )


def _blocks(side: csr_matrix, scales: np.ndarray, regularization: float, solver: _Cpu | _Gpu) -> list[Block]:
    found = []
    for start, end in cuts(scales):
        middle = regularization * float(np.sqrt(scales[start] * scales[end - 1]))
        found.append(Block(start, end, solver.rows(side[start:end]), middle))
    return found


def row_scales(confidence: csr_matrix, exponent: float) -> np.ndarray:
    """(t_u / t)^exponent, float64 [rows]; 1 for a row without a weight."""
    totals = np.asarray(confidence.sum(axis=1, dtype=np.float64)).ravel()
    some = totals > 0
    logs = np.log(np.where(some, totals, 1))
    return np.where(some, np.exp(exponent * (logs - logs[some].mean())), 1)


def cuts(scales: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of the blocks of ascending `scales`."""
    found, start = [], 0
    while start < len(scales):
        end = int(np.searchsorted(scales, scales[start] * BLOCK_RATIO, side="right"))
        found.append((start, end))
        start = end
    return found


def _unsorted(factors: np.ndarray, order: np.ndarray) -> np.ndarray:
    back = np.empty_like(factors)
    back[order] = factors
    return back


class _Cpu:
    """implicit's conjugate gradient; a block of factors is a view."""

    def __init__(self, model: Any) -> None:
        self._solve, self._threads = model.solver, model.num_threads

    def rows(self, confidence: csr_matrix) -> csr_matrix:
        return confidence

    def factors(self, start: np.ndarray) -> np.ndarray:
        return start

    def host(self, factors: np.ndarray) -> np.ndarray:
        return factors

    def solve(self, block: Block, ours: np.ndarray, theirs: np.ndarray) -> None:
        part = ours[block.start : block.end]
        self._solve(block.rows, part, theirs, block.regularization, num_threads=self._threads)


class _Gpu:
    """The same on the card; a slice of implicit's matrix shares its memory."""

    def __init__(self, model: Any) -> None:
        import implicit.gpu

        self._gpu, self._solver, self._steps = implicit.gpu, model.solver, model.cg_steps
        self._square = implicit.gpu.Matrix.zeros(model.factors, model.factors)

    def rows(self, confidence: csr_matrix) -> Any:
        return self._gpu.CSRMatrix(confidence)

    def factors(self, start: np.ndarray) -> Any:
        return self._gpu.Matrix(start)

    def host(self, factors: Any) -> np.ndarray:
        return np.asarray(factors.to_numpy(), np.float32)

    def solve(self, block: Block, ours: Any, theirs: Any) -> None:
        self._solver.calculate_yty(theirs, self._square, block.regularization)
        self._solver.least_squares(block.rows, ours[block.start : block.end], self._square, theirs, self._steps)
