"""Half sweeps of ALS on the GPU, out of `implicit`'s solver for one regularisation a call.

Both sides are put in the order of l, and neighbouring rows whose l differs by less than BLOCK_RATIO are solved in one
call with the geometric mean of theirs, so that l is off by a few per cent at most. A call costs one product Y^T Y
beside the rows themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

BLOCK_RATIO = 1.1  # 40 blocks for degrees from 1 to 2,000 at exponent 0.5


class Block(NamedTuple):
    """Rows start to end of a side, their confidences on the card [end - start, columns], and their l."""

    start: int
    end: int
    rows: Any
    penalty: float


class Solver:
    """Both sides of a confidence matrix and their vectors on the card, which `solve` moves: see `cpu.Solver`."""

    def __init__(
        self,
        sides: tuple[csr_matrix, csr_matrix],
        penalties: tuple[np.ndarray, np.ndarray],
        start: tuple[np.ndarray, np.ndarray],
    ) -> None:
        import implicit.gpu
        from implicit.gpu.als import AlternatingLeastSquares

        width = start[0].shape[1]
        self._gpu, model = implicit.gpu, AlternatingLeastSquares(factors=width)
        self._solver, self._steps = model.solver, model.cg_steps
        self._square = implicit.gpu.Matrix.zeros(width, width)
        self._orders = users, items = [np.argsort(side, kind="stable") for side in penalties]
        rows = sides[0][users][:, items].tocsr()
        rows.sort_indices()
        sorted_sides = (rows, rows.T.tocsr())
        self._factors = [
            implicit.gpu.Matrix(side[order]) for side, order in zip(start, self._orders, strict=True)
        ]  # a slice of implicit's matrix shares its memory
        self._blocks = [
            self._cut(side, penalty[order])
            for side, penalty, order in zip(sorted_sides, penalties, self._orders, strict=True)
        ]

    def _cut(self, rows: csr_matrix, penalties: np.ndarray) -> list[Block]:
        found = []
        for start, end in cuts(penalties):
            middle = float(np.sqrt(penalties[start] * penalties[end - 1]))
            found.append(Block(start, end, self._gpu.CSRMatrix(rows[start:end]), middle))
        return found

    def solve(self, side: int) -> None:
        ours, theirs = self._factors[side], self._factors[1 - side]
        for block in self._blocks[side]:
            self._solver.calculate_yty(theirs, self._square, block.penalty)
            part = ours[block.start : block.end]
            self._solver.least_squares(block.rows, part, self._square, theirs, self._steps)

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        users, items = (
            _unsorted(np.asarray(side.to_numpy(), np.float32), order)
            for side, order in zip(self._factors, self._orders, strict=True)
        )
        return users, items


def cuts(penalties: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of the blocks of ascending `penalties`."""
    found, start = [], 0
    while start < len(penalties):
        end = int(np.searchsorted(penalties, penalties[start] * BLOCK_RATIO, side="right"))
        found.append((start, end))
        start = end
    return found


def _unsorted(factors: np.ndarray, order: np.ndarray) -> np.ndarray:
    back = np.empty_like(factors)
    back[order] = factors
    return back
