"""Vectors of listeners whom the training did not know, from a few plays and the tracks' vectors: no training.

The user step of ALS (Hu, Koren & Volinsky 2008, eq. 4), solved exactly for each listener u:

    x_u = (Y^T Y + sum over the tracks i of u of g w_ui y_i y_i^T + l_u I)^-1  sum of (1 + g w_ui) y_i

Y [tracks, f]: the trained vectors of the tracks; g: what a weight of 1 added to the confidence in the training; l_u:
the regularisation that the training would have given u (`als`; for MLlib by the number of weights). A listener who was
in the training comes out close to the vector that he has there, for that one is from the last sweep but one of the
tracks and from three steps of conjugate gradient.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sp
import threadpoolctl

from musai.config import Factorization
from musai.factorization import als

BATCH, CELLS = 256, 2**15  # listeners that are solved together, at most; and their tracks, at most (unless of one)


@dataclasses.dataclass(frozen=True)
class FoldIn:
    """tracks float32 [items, f]; square float64 [f, f]: Y^T Y; gain: g; scale: the regularisation of a row whose size
    is 1."""

    tracks: np.ndarray
    square: np.ndarray
    gain: float
    scale: float
    settings: Factorization

    def vectors(self, rows: sp.csr_matrix) -> np.ndarray:
        """float32 [b, f] of listeners with the weights `rows` [b, items], every stored one > 0; zeros without any."""
        found = np.zeros((rows.shape[0], len(self.square)), np.float32)
        lengths = np.diff(rows.indptr)
        step = int(np.clip(CELLS // max(lengths.max(initial=0), 1), 1, BATCH))
        penalties = self.scale * sizes(rows, self.settings, self.gain) ** _exponent(self.settings)
        for start in range(0, len(found), step):
            part = np.flatnonzero(lengths[start : start + step]) + start
            if len(part):
                found[part] = self._solved(rows[part], penalties[part])
        return found

    def _solved(self, rows: sp.csr_matrix, penalties: np.ndarray) -> np.ndarray:
        lengths = np.diff(rows.indptr)
        filled = np.arange(lengths.max()) < lengths[:, None]
        vectors = np.zeros((*filled.shape, len(self.square)))  # [b, longest, f], zeros behind a row's end
        vectors[filled] = self.tracks[rows.indices]
        gains = np.zeros(filled.shape)
        gains[filled] = self.gain * rows.data
        with threadpoolctl.threadpool_limits(1, "blas"):  # its bits depend on the threads of a product
            left = self.square + vectors.transpose(0, 2, 1) @ (gains[:, :, None] * vectors)
            left += penalties[:, None, None] * np.eye(len(self.square))
            right = ((1 + gains)[:, None, :] @ vectors)[:, 0]
            solved: np.ndarray = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return solved


def prepared(tracks: np.ndarray) -> np.ndarray:
    """Y^T Y, float64 [f, f]."""
    wide = tracks.astype(np.float64)
    with threadpoolctl.threadpool_limits(1, "blas"):
        return wide.T @ wide


def scales_of(matrix: sp.csr_matrix, settings: Factorization) -> tuple[float, float]:
    """`FoldIn.gain` and `FoldIn.scale`, from the weights [users, items] that the training had."""
    if not matrix.nnz:
        return settings.alpha, settings.regularization
    gain = als.gain(settings.alpha, float(matrix.data.sum(dtype=np.float64)), matrix.nnz)
    trained = sizes(matrix, settings, gain)
    trained = trained[trained > 0]
    if settings.backend == "spark":
        items = len(np.unique(matrix.indices))
        return gain, als.mllib_regularization(settings.regularization, matrix.nnz, len(trained), items)
    return gain, float(settings.regularization * np.exp(-_exponent(settings) * np.log(trained).mean()))


def sizes(rows: sp.csr_matrix, settings: Factorization, gain: float) -> np.ndarray:
    """What a row's regularisation grows with, float64 [rows]: the sum of its confidences, or for MLlib their number."""
    counts = np.diff(rows.indptr).astype(np.float64)
    if settings.backend == "spark":
        return counts
    return counts + gain * np.asarray(rows.sum(axis=1, dtype=np.float64)).ravel()


def _exponent(settings: Factorization) -> float:
    return 1.0 if settings.backend == "spark" else settings.regularization_exponent
