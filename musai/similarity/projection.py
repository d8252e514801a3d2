"""Scores of every track as a product of two tables: a listener is the sum of what is left of the own tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import threadpoolctl


@dataclass(frozen=True)
class Projection:
    """left and right, float32 [items, f]; rows of zeros for tracks without a weight."""

    left: np.ndarray
    right: np.ndarray

    def scores(self, rows: sp.csr_matrix) -> np.ndarray:
        """float32 [b, items] of users who have the tracks stored in `rows` [b, items]; weights play no part."""
        pattern = sp.csr_matrix((np.ones(rows.nnz, np.float32), rows.indices, rows.indptr), shape=rows.shape)
        with threadpoolctl.threadpool_limits(1, "blas"):
            found: np.ndarray = (pattern @ self.left) @ self.right.T
        return found
