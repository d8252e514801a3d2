"""Alternating least squares for implicit feedback, in one process, with `implicit` on CPU or GPU.

Minimised over X [users, f] and Y [tracks, f], with p_ui = 1 where there is a weight w_ui > 0 and 0 elsewhere:

    sum over all u, i of  c_ui (p_ui - x_u . y_i)^2  +  sum over u of l_u |x_u|^2  +  sum over i of l_i |y_i|^2
    confidence      c_ui = 1 + alpha w_ui / w (so 1 where there is no weight), w: the mean of the weights that there are
    regularisation  l_u = regularization (t_u / t)^regularization_exponent, and l_i likewise; t_u: the sum of c_ui
                    over the tracks with a weight, t: the geometric mean of t_u over users

as in Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets", whose one regularisation for
all rows is exponent 0. That it grows with a row's weights is Rendle, Krichene, Zhang & Koren 2021, "Revisiting the
performance of iALS on item recommendation benchmarks"; theirs counts the pairs without a weight too, which on a large
catalogue makes it one number again (recall@10 on a part of Last.fm's training pairs: .1626, so .1671 at exponent .5).
`implicit` has one number for all rows of a call, so `scaled.py` solves rows of about one l together. It takes the
confidence itself as its data (it subtracts the 1), applies its own `alpha` on the CPU only and by c = alpha w: so it is
given c and alpha 1, and CPU, GPU and MLlib (`spark.py`) mean the same by `factorization.alpha`.

Against the mean of the weights alpha has no unit: one value serves logs that are one bit a pair and counts of plays up
to 100,000s, whose logarithms are ten times as large (`tests/benchmarks/holdout.py plays bits`).

Solver: three steps of conjugate gradient a row and sweep, from the row's last value (Takacs, Pilaszy & Tikk 2011,
"Applications of the conjugate gradient method for implicit feedback collaborative filtering"). It costs O(f) an entry
where the exact solution costs O(f^2), and it is the only one that `implicit` has on the GPU, so that CPU and GPU do the
same. It tends to the same optimum; after 15 sweeps on Last.fm-2k (64 factors) it stands at a loss of .01394 and a
recall@20 of .245 where exact sweeps stand at .01386 and .250, in a quarter of their time.

Result on the CPU: the same bit for bit for one matrix and seed on one type of CPU, whatever the number of threads (one
thread solves a row, and BLAS is held to one). On the GPU sums may differ in the last bits from run to run.
Memory: matrix + 12 bytes an entry + 4 f bytes a user and track.
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
from musai.factorization import devices, scaled

MAX_INDEX = 2**31 - 1  # implicit indexes entries, and row x factors, by signed 32-bit numbers
MAX_GPU_FACTORS = 1024  # threads of a CUDA block: one a factor

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
    if start and settings.warm_iterations:
        settings = settings.model_copy(update={"iterations": settings.warm_iterations})
    # Before the model: it warns of any other setting. BLAS is called from within each of implicit's threads.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        model = _model(settings, device, seed, threads)
        if settings.regularization_exponent or start:
            first = (start.users, start.tracks) if start else None
            told = _told(model, on_iteration)
            scaled.fit(model, confidence, settings.regularization_exponent, device, told, first)
        else:
            _fit(model, confidence, _told(model, on_iteration))
    factors = Factors(_host(model.user_factors), _host(model.item_factors))
    _check_result(factors, confidence, device)
    return factors


def check_limits(users: int, items: int, entries: int, factors: int, device: devices.Device) -> None:
    """Raise InputError, with every fault, for what `implicit` cannot index; MLlib has no such limits."""
    way_out = "factorization.backend=spark has no such limit"
    faults = []
    if entries > MAX_INDEX:
        faults.append(f"user_item: {entries:,} weights are more than implicit can index ({MAX_INDEX:,}); {way_out}")
    for name, rows in (("users", users), ("tracks", items)):
        if rows * factors > MAX_INDEX:
            size = f"{rows:,} {name} x {factors} factors are {rows * factors:,} numbers"
            faults.append(f"factorization.factors: {size}, more than implicit can index ({MAX_INDEX:,}); {way_out}")
    if device == "gpu" and factors > MAX_GPU_FACTORS:
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
    # implicit reads 32-bit indices; nothing is copied that is 32 bits wide already
    indices, indptr = (part.astype(np.int32, copy=False) for part in (matrix.indices, matrix.indptr))
    return csr_matrix((data, indices, indptr), shape=matrix.shape)


def _model(settings: Factorization, device: devices.Device, seed: int, threads: int) -> Any:
    common = {
        "factors": settings.factors,
        "regularization": settings.regularization,
        "alpha": 1.0,
        "iterations": settings.iterations,
        "random_state": seed + 1,  # 0 stands for the clock on the GPU
    }
    if device == "gpu":
        from implicit.gpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(**common)
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(**common, use_cg=True, num_threads=threads)


def _told(model: Any, on_iteration: OnIteration | None) -> Callable[..., None]:
    """`on_iteration` as implicit calls it: with the number of the sweep from 0, and what it has beside."""
    started = time.monotonic()

    def after_sweep(iteration: int, *_: object) -> None:
        if on_iteration:
            on_iteration(iteration + 1, model.iterations, time.monotonic() - started)

    return after_sweep


def _fit(model: Any, confidence: csr_matrix, after_sweep: Callable[..., None]) -> None:
    from implicit.recommender_base import ModelFitError

    try:
        model.fit(confidence, show_progress=False, callback=after_sweep)
    except ModelFitError as error:
        raise MusaiError(DIVERGED) from error


def _host(factors: Any) -> np.ndarray:
    return np.asarray(factors if isinstance(factors, np.ndarray) else factors.to_numpy(), np.float32)


def _check_result(factors: Factors, confidence: csr_matrix, device: devices.Device) -> None:
    sides = {"users": factors.users, "tracks": factors.tracks}
    if not all(np.isfinite(side).all() for side in sides.values()):
        raise MusaiError(DIVERGED)
    if device == "gpu":  # its kernel writes zeros where it meets NaN, and tells the standard output alone
        degrees = {"users": np.diff(confidence.indptr), "tracks": np.bincount(confidence.indices)}
        for name, degree in degrees.items():
            lost = int((~sides[name][: len(degree)].any(axis=1) & (degree > 0)).sum())
            if lost:
                raise MusaiError(f"{DIVERGED} ({lost:,} {name} on the GPU)")
