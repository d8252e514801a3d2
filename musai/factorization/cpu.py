"""Half sweeps of ALS on the CPU: conjugate gradient row by row, in compiled loops.

Each row x of a side solves A x = b with the rows y_i of the other side that it has a weight to, l its regularisation:

    A = Y^T Y + sum over i of g_i y_i y_i^T + l I,   b = sum over i of (1 + g_i) y_i,   g_i: confidence less 1

by STEPS steps from where it stands (Takacs, Pilaszy & Tikk 2011; see `als`). The same steps as those of `implicit`'s
`least_squares_cg`, whose l is one number for all rows and which calls BLAS for every y_i: here the vectors of a row lie
side by side while it is solved, and four of them share the loads and stores of a sum. `tests/benchmarks/speed.py als`
has both beside each other.

A row's bits depend on nothing but its own numbers and Y^T Y, so not on threads. Memory: 1 MiB a thread beside the data.
"""

from __future__ import annotations

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_matrix

from musai.jit import compiled

STEPS = 3
TILE = 1 << 18  # numbers of the other side's vectors that lie side by side: they stay in a core's cache
PIECES = 16  # of a side for each thread: one that ends early takes the next
SMALL = 1e-20  # of a squared residual: the row is solved
APART = 512  # numbers between what a loop reads and what it writes. Where they lie closer than the numbers that a
# vectorised loop takes at once, its scalar form runs, which adds up in another order: the bits would depend on malloc
ROUNDING = np.float32(3e-7)  # of a product with Y^T Y, against its mean eigenvalue

# NaN and infinity stay what they are, and are what a division by 0 gives
_fast = functools.partial(compiled, fastmath={"reassoc", "nsz"}, error_model="numpy")
# part of `_solve` by numba, before LLVM chooses for itself
_part = functools.partial(_fast, inline="always")


class Solver:
    """Both sides of a confidence matrix and their vectors, which `solve` moves.

    sides: the matrix CSR float32 [users, items], every stored value >= 1, and its transpose; penalties: float64 [users]
    and [items], l of each row; start: float32 [users, f] and [items, f], not written to.
    """

    def __init__(
        self,
        sides: tuple[csr_matrix, csr_matrix],
        penalties: tuple[np.ndarray, np.ndarray],
        start: tuple[np.ndarray, np.ndarray],
        threads: int,
    ) -> None:
        self._sides, self._threads = sides, threads
        self._penalties = [side.astype(np.float32) for side in penalties]
        self._factors = [side.copy() for side in start]
        self._pieces = [_pieces(side.indptr, PIECES * threads) for side in sides]
        self._tile = max(TILE // start[0].shape[1], 16)  # rows

    def solve(self, side: int) -> None:
        """Move the vectors of a side (0: users, 1: items) towards where the other side's stand."""
        rows, theirs = self._sides[side], self._factors[1 - side]
        square = theirs.T @ theirs
        matrix = (rows.indptr, rows.indices, rows.data)
        common = (self._tile, *matrix, self._penalties[side], square, theirs, self._factors[side])
        with ThreadPoolExecutor(self._threads) as pool:
            for done in [pool.submit(_solve, start, end, *common) for start, end in self._pieces[side]]:
                done.result()

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Of users and items, float32; zeros for a row without a stored value."""
        users, items = self._factors
        return users, items


def _pieces(starts: np.ndarray, count: int) -> list[tuple[int, int]]:
    """(start, end) of `count` pieces at most, with about as many entries each; `starts` is that of the CSR matrix."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], count + 1)[1:-1])
    edges = np.unique([0, *cuts, len(starts) - 1])
    return [(int(start), int(end)) for start, end in itertools.pairwise(edges)]


@_fast
def _solve(
    start: int,
    end: int,
    tile_rows: int,
    starts: np.ndarray,
    columns: np.ndarray,
    confidences: np.ndarray,
    penalties: np.ndarray,
    square: np.ndarray,
    theirs: np.ndarray,
    ours: np.ndarray,
) -> None:
    """Rows start to end of `ours` float32 [rows, f]; square: Y^T Y of `theirs` [columns, f]; tile_rows: of them lie
    side by side."""
    width = ours.shape[1]
    tile = np.empty((tile_rows, width), np.float32)
    space = np.empty((3, APART + width + APART), np.float32)
    direction, residual, change = _middle(space[0]), _middle(space[1]), _middle(space[2])
    flat = np.float32(0)
    for k in range(width):
        flat += ROUNDING * square[k, k] / np.float32(width)
    for row in range(start, end):
        x, penalty = ours[row], penalties[row]
        mine, weights = columns[starts[row] : starts[row + 1]], confidences[starts[row] : starts[row + 1]]
        if not len(mine):
            x[:] = 0
            continue
        if len(mine) <= len(tile):
            _fill(tile, theirs, mine)
        _pull(square, penalty, x, residual)
        _add(tile, theirs, mine, weights, np.float32(1), x, residual)
        size = np.float32(0)
        for k in range(width):
            direction[k] = residual[k]
            size += residual[k] * residual[k]
        for _ in range(STEPS):
            if size < SMALL:
                break
            _pull(square, penalty, direction, change)
            _add(tile, theirs, mine, weights, np.float32(0), direction, change)
            along = length = np.float32(0)
            for k in range(width):
                along -= direction[k] * change[k]
                length += direction[k] * direction[k]
            if along < flat * length:  # A has no curvature there that 32 bits could show (l 0, Y of a lower rank)
                break
            step, last, size = size / along, size, np.float32(0)
            for k in range(width):
                x[k] += step * direction[k]
                residual[k] += step * change[k]
                size += residual[k] * residual[k]
            turn = size / last
            for k in range(width):
                direction[k] = residual[k] + turn * direction[k]


@_part
def _middle(row: np.ndarray) -> np.ndarray:
    return row[APART : len(row) - APART]


@_part
def _fill(tile: np.ndarray, theirs: np.ndarray, mine: np.ndarray) -> None:
    for n in range(len(mine)):
        column = mine[n]
        for k in range(tile.shape[1]):
            tile[n, k] = theirs[column, k]


@_part
def _add(
    tile: np.ndarray,
    theirs: np.ndarray,
    mine: np.ndarray,
    weights: np.ndarray,
    wanted: np.float32,
    vector: np.ndarray,
    out: np.ndarray,
) -> None:
    """`_spread` of the rows `mine` of `theirs`, which lie in `tile` where they fit, and pass through it where not."""
    if len(mine) <= len(tile):
        _spread(tile[: len(mine)], weights, wanted, vector, out)
        return
    for start in range(0, len(mine), len(tile)):
        part = mine[start : start + len(tile)]
        _fill(tile, theirs, part)
        _spread(tile[: len(part)], weights[start : start + len(part)], wanted, vector, out)


@_part
def _pull(square: np.ndarray, penalty: np.float32, vector: np.ndarray, out: np.ndarray) -> None:
    """out = -(Y^T Y + l I) v."""
    width = len(vector)
    for k in range(width):
        out[k] = -penalty * vector[k]
    for j in range(0, width - 3, 4):
        a, b, c, d = vector[j], vector[j + 1], vector[j + 2], vector[j + 3]
        for k in range(width):
            out[k] -= a * square[j, k] + b * square[j + 1, k] + c * square[j + 2, k] + d * square[j + 3, k]
    for j in range(width - width % 4, width):
        for k in range(width):
            out[k] -= vector[j] * square[j, k]


@_part
def _spread(vectors: np.ndarray, weights: np.ndarray, wanted: np.float32, vector: np.ndarray, out: np.ndarray) -> None:
    """out += sum over i of (wanted (1 + g_i) - g_i y_i . v) y_i; the y_i: float32 [n, f], 1 + g_i: [n]."""
    (many, width), one = vectors.shape, np.float32(1)
    whole = many - many % 4
    for n in range(0, whole, 4):
        a = b = c = d = np.float32(0)
        for k in range(width):
            a += vectors[n, k] * vector[k]
            b += vectors[n + 1, k] * vector[k]
            c += vectors[n + 2, k] * vector[k]
            d += vectors[n + 3, k] * vector[k]
        a = wanted * weights[n] - (weights[n] - one) * a
        b = wanted * weights[n + 1] - (weights[n + 1] - one) * b
        c = wanted * weights[n + 2] - (weights[n + 2] - one) * c
        d = wanted * weights[n + 3] - (weights[n + 3] - one) * d
        for k in range(width):
            out[k] += a * vectors[n, k] + b * vectors[n + 1, k] + c * vectors[n + 2, k] + d * vectors[n + 3, k]
    for n in range(whole, many):
        a = np.float32(0)
        for k in range(width):
            a += vectors[n, k] * vector[k]
        a = wanted * weights[n] - (weights[n] - one) * a
        for k in range(width):
            out[k] += a * vectors[n, k]
