"""Alternating least squares for implicit feedback, in one process: compiled loops on the CPU, `implicit` on the GPU.

Minimised over X [users, f] and Y [tracks, f], with p_ui = 1 where there is a weight w_ui > 0 and 0 elsewhere:

    sum over all u, i of  c_ui (p_ui - x_u . y_i)^2  +  sum over u of l_u |x_u|^2  +  sum over i of l_i |y_i|^2
    confidence      c_ui = 1 + alpha w_ui / w (so 1 where there is no weight), w: the mean of the weights that there are
    regularisation  l_u = regularization (t_u / t)^regularization_exponent, and l_i likewise; t_u: the sum of c_ui
                    over the tracks with a weight, t: the geometric mean of t_u over users

as in Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets", whose one regularisation for
all rows is exponent 0. That it grows with a row's weights is Rendle, Krichene, Zhang & Koren 2021, "Revisiting the
performance of iALS on item recommendation benchmarks"; theirs counts the pairs without a weight too, which on a large
catalogue makes it one number again (recall@10 on a part of Last.fm's training pairs: .1626, so .1671 at exponent .5).

Against the mean of the weights alpha has no unit: one value serves logs that are one bit a pair and counts of plays up
to 100,000s, whose logarithms are ten times as large (`tests/benchmarks/holdout.py plays bits`).

Solver: three steps of conjugate gradient a row and sweep, from the row's last value (Takacs, Pilaszy & Tikk 2011,
"Applications of the conjugate gradient method for implicit feedback collaborative filtering"). It costs O(f) an entry
where the exact solution costs O(f^2). It tends to the same optimum; after 15 sweeps on Last.fm-2k (64 factors) it
stands at a loss of .01394 and a recall@20 of .245 where exact sweeps stand at .01386 and .250.

On the CPU (`cpu.py`) the steps are those of `implicit` in a third of its time, with each row's own l. On the GPU
(`gpu.py`) they are `implicit`'s own, which knows one l a call: rows of about one l are solved together. It would take
alpha for itself: it is given c, so that CPU, GPU and MLlib (`spark.py`) mean the same by `factorization.alpha`.

Result on the CPU: the same bit for bit for one matrix and seed on one type of CPU, whatever the number of threads (one
thread solves a row, and BLAS is held to one). On the GPU sums may differ in the last bits from run to run.
Memory: matrix + 12 bytes an entry + 8 f bytes a user and track.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import threadpoolctl
from scipy.sparse import csr_matrix

from musai.config import Factorization
from musai.errors import InputError, MusaiError
from musai.factorization import cpu, devices, gpu

MAX_INDEX = 2**31 - 1  # entries are indexed by signed 32-bit numbers; by implicit on the GPU row x factor too
MAX_GPU_FACTORS = 1024  # threads of a CUDA block: one a factor
START = 0.01  # of the first vectors

DIVERGED = "ALS: NaN or infinity in the factors; try a greater factorization.regularization or a smaller alpha"

OnIteration = Callable[[int, int, float], None]  # (sweeps done, of how many, seconds since the start)


@dataclass(frozen=True)
class Factors:
    """The vectors by index; a row of zeros says that the user or track has no weight in the matrix."""

    users: np.ndarray  # float32 [n_users, f]
    tracks: np.ndarray  # float32 [n_items, f]


def train(
    matrix: csr_matrix,
    settings: Factorization,
    seed: int,
    threads: int,
    on_iteration: OnIteration | None = None,
    start: Factors | None = None,
) -> Factors:
    """Factorise the weights (CSR float32 [users, items], every stored one > 0) with `threads` cores, or the GPU.

    `on_iteration` is called after each sweep over users and tracks. From a `start`, the factors of an earlier matrix
    by the indexes of this one (zeros: none), `settings.warm_iterations` sweeps are made in place of `iterations`.
    Raises InputError for a device that cannot be used, a size beyond `check_limits` and a weight that is not a
    positive number; MusaiError where the training itself ends in NaN or infinity.
    """
    device = devices.choose(settings.device)
    users, items = matrix.shape
    check_limits(users, items, matrix.nnz, settings.factors, device)
    if not matrix.nnz:
        return Factors(*(np.zeros((rows, settings.factors), np.float32) for rows in (users, items)))
    confidence = _confidence(matrix, gain(settings.alpha, _total(matrix), matrix.nnz))
    sides = (confidence, confidence.T.tocsr())
    users_penalty, tracks_penalty = (
        settings.regularization * row_scales(side, settings.regularization_exponent) for side in sides
    )
    sweeps = settings.warm_iterations if start and settings.warm_iterations else settings.iterations
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # bits would depend on its threads
        solver = _solver(
            device, sides, (users_penalty, tracks_penalty), _first(sides, settings.factors, seed, start), threads
        )
        started = time.monotonic()
        for sweep in range(sweeps):
            for side in (0, 1):
                solver.solve(side)
            if on_iteration:
                on_iteration(sweep + 1, sweeps, time.monotonic() - started)
        factors = Factors(*solver.factors())
    _check_result(factors, sides, device)
    return factors


def check_limits(users: int, items: int, entries: int, factors: int, device: devices.Device) -> None:
    """Raise InputError, with every fault, for what the solvers cannot index; MLlib has no such limits."""
    faults = []
    if entries > MAX_INDEX:
        size = f"{entries:,} weights are more than one process can index ({MAX_INDEX:,})"
        faults.append(f"user_item: {size}; factorization.backend=spark has no such limit")
    if device == "gpu":
        for name, rows in (("users", users), ("tracks", items)):
            if rows * factors > MAX_INDEX:
                size = f"{rows:,} {name} x {factors} factors are more numbers than implicit indexes on the GPU"
                faults.append(
                    f"factorization.factors: {size} ({MAX_INDEX:,}); factorization.device=cpu has no such limit"
                )
        if factors > MAX_GPU_FACTORS:
            faults.append(f"factorization.factors: at most {MAX_GPU_FACTORS} on the GPU, not {factors}")
    if faults:
        raise InputError(faults)


def gain(alpha: float, total: float, entries: int) -> float:
    """What a weight of 1 adds to the confidence where `entries` weights, at least one, add up to `total`."""
    return alpha * entries / total


def mllib_regularization(regularization: float, entries: int, users: int, items: int) -> float:
    """The regParam that comes to `regularization` on average; `users` and `items` are those with a weight."""
    return regularization * math.sqrt(users * items) / entries


def _total(matrix: csr_matrix) -> float:
    """The sum of the weights. Raises InputError for one that is no finite number > 0."""
    low, high = float(matrix.data.min()), float(matrix.data.max())  # NaN comes through
    if not (low > 0 and high < math.inf):
        raise InputError(f"user_item: weights must be finite and > 0; they run {low} to {high}")
    return float(matrix.data.sum(dtype=np.float64))


def _confidence(matrix: csr_matrix, gain: float) -> csr_matrix:
    """c = 1 + gain w on the pattern of `matrix`, whose index arrays it shares."""
    if not 1 + gain * float(matrix.data.max()) <= float(np.finfo(np.float32).max):
        raise InputError("factorization.alpha: confidences are beyond what 32 bits hold")
    data = matrix.data.astype(np.float32)
    data *= np.float32(gain)
    data += np.float32(1)
    # the solvers read 32-bit indices; nothing is copied that is 32 bits wide already
    indices, indptr = (part.astype(np.int32, copy=False) for part in (matrix.indices, matrix.indptr))
    return csr_matrix((data, indices, indptr), shape=matrix.shape)


def row_scales(confidence: csr_matrix, exponent: float) -> np.ndarray:
    """(t_u / t)^exponent, float64 [rows]; 1 for a row without a weight."""
    totals = np.asarray(confidence.sum(axis=1, dtype=np.float64)).ravel()
    some = totals > 0
    logs = np.log(np.where(some, totals, 1))
    return np.where(some, np.exp(exponent * (logs - logs[some].mean())), 1)


def _first(
    sides: tuple[csr_matrix, csr_matrix], width: int, seed: int, start: Factors | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where the sweeps begin: drawn from 0 to START, as `implicit` draws them; known rows of `start` as they are."""
    draw = np.random.default_rng(seed)
    users, tracks = (draw.random((side.shape[0], width), np.float32) * np.float32(START) for side in sides)
    if start:
        users, tracks = (
            np.where(known.any(axis=1, keepdims=True), known, drawn)
            for known, drawn in ((start.users, users), (start.tracks, tracks))
        )
    return users, tracks


def _solver(device: devices.Device, sides: Any, penalties: Any, first: Any, threads: int) -> cpu.Solver | gpu.Solver:
    if device == "gpu":
        return gpu.Solver(sides, penalties, first)
    return cpu.Solver(sides, penalties, first, threads)


def _check_result(factors: Factors, sides: tuple[csr_matrix, csr_matrix], device: devices.Device) -> None:
    found = {"users": factors.users, "tracks": factors.tracks}
    if not all(np.isfinite(side).all() for side in found.values()):
        raise MusaiError(DIVERGED)
    if device == "gpu":  # its kernel writes zeros where it meets NaN, and tells the standard output alone
        for (name, side), confidence in zip(found.items(), sides, strict=True):
            lost = int((~side.any(axis=1) & (np.diff(confidence.indptr) > 0)).sum())
            if lost:
                raise MusaiError(f"{DIVERGED} ({lost:,} {name} on the GPU)")
