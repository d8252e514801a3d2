"""The two memory-based predictors of a weight r_ui that the field starts from; pure functions on sparse matrices.

Input: R, csr float32 [users, items], weights > 0. A predictor is a few arrays, all of them plain numpy or scipy, so
that it can be stored, mapped into memory and read by many processes. `scores` takes any rows of weights, those of
listeners it was not built from too.

    mean_centred           r^_ui = mean_u + (mean_i - mean) + sum_j s_ij r'_uj / sum_j |s_ij|
                           r'_uj = r_uj - mean_u - mean_j + mean; j: the neighbours of i that u has; s_ij of
                           `neighbours.py`, method mean_centred. Without any such j the last term is 0.
                           (Sarwar et al. 2001, eq. 4; Herlocker et al. 1999 for the deviations from the mean)
    neighbourhood_average  r^_ui = sum_j w_j r_uj / sum_j w_j over all j that u has, w_j = 1 / (1 + |N_i| - |N_ij|),
                           N_i the users of i, N_ij those of i and j. Where u has i itself it is one of the j.

Both predict a weight in the unit of R, not a place in a list: an item whose one listener loved it comes out high.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from musai.errors import MusaiError
from musai.similarity import neighbours as knn

CHUNK_PAIRS = 1 << 24  # co-listened pairs that are worked out in one piece
MAX_PAIRS = 1 << 29  # of neighbourhood_average: 8 bytes each


@dataclass(frozen=True)
class MeanCentred:
    """similarity: csr float32 [items j, items i], s_ij > 0; item_means: float32 [items], `mean` where nobody has i."""

    similarity: sp.csr_matrix
    item_means: np.ndarray
    mean: float

    def scores(self, rows: sp.csr_matrix) -> np.ndarray:
        """r^_ui, float32 [b, items], of users whose weights are `rows` [b, items]; no weights: the items' means."""
        heard = _float32(rows)
        counts = np.diff(heard.indptr)
        user_means = knn.means(heard, 1, self.mean).astype(np.float32)
        residual = heard.copy()
        residual.data = heard.data - np.repeat(user_means, counts) - self.item_means[heard.indices]
        residual.data += np.float32(self.mean)
        heard.data[:] = 1
        nearby = (residual @ self.similarity).toarray()  # [b, items]
        weight = (heard @ self.similarity).toarray()
        predicted = np.divide(nearby, weight, out=np.zeros_like(nearby), where=weight > 0)
        predicted += user_means[:, None]
        predicted += self.item_means - np.float32(self.mean)
        return predicted


@dataclass(frozen=True)
class NeighbourhoodAverage:
    """The weights w_ij in sparse form: `base` of every j, plus `extra` where i and j share a listener.

    extra  csr float32 [items j, items i]: w_ij - base_i, > 0
    base   float32 [items]: 1 / (1 + |N_i|)
    """

    extra: sp.csr_matrix
    base: np.ndarray

    def scores(self, rows: sp.csr_matrix) -> np.ndarray:
        """r^_ui, float32 [b, items], of users whose weights are `rows` [b, items]; 0 for a user without any."""
        heard = _float32(rows)
        counts = np.diff(heard.indptr).astype(np.float32)
        sums = np.asarray(heard.sum(axis=1), dtype=np.float32).ravel()
        weighted = (heard @ self.extra).toarray()  # [b, items]
        weighted += sums[:, None] * self.base
        heard.data[:] = 1
        weight = (heard @ self.extra).toarray()
        weight += counts[:, None] * self.base
        return np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)


def mean_centred(matrix: sp.csr_matrix, neighbours: knn.Neighbours) -> MeanCentred:
    """Build from `matrix` [users, items] and its track neighbours of method mean_centred [items, k]."""
    items = matrix.shape[1]
    observed = knn.checked(matrix)
    _, item_means, mean = knn.centred(observed)
    found = neighbours.indices != knn.NO_NEIGHBOUR
    of_item = np.repeat(np.arange(items, dtype=np.int32), found.sum(axis=1))
    pairs = (neighbours.scores[found], (neighbours.indices[found], of_item))
    similarity = sp.csr_matrix(pairs, shape=(items, items), dtype=np.float32)
    return MeanCentred(similarity, item_means.astype(np.float32), mean)


def neighbourhood_average(matrix: sp.csr_matrix) -> NeighbourhoodAverage:
    """Build from `matrix` [users, items]. For catalogues whose co-listened pairs fit in memory (up to MAX_PAIRS, else
    MusaiError); time grows with the sum over users of |N_u|^2."""
    observed = knn.checked(matrix)
    observed.data = np.ones(observed.nnz, dtype=np.float32)  # counts up to 2^24 are exact
    by_item = observed.T.tocsr()  # [items, users]
    listeners = np.diff(by_item.indptr).astype(np.float64)
    base = 1 / (1 + listeners)
    blocks, pairs = [], 0
    for start, end in knn.row_chunks(by_item, np.diff(observed.indptr), CHUNK_PAIRS):
        block = (by_item[start:end] @ observed).tocsr()  # |N_ij| of rows j in start..end, [rows, items i]
        block.data = (1 / (1 + listeners[block.indices] - block.data) - base[block.indices]).astype(np.float32)
        pairs += block.nnz
        if pairs > MAX_PAIRS:
            raise MusaiError(f"neighbourhood_average: more than {MAX_PAIRS} pairs of tracks share a listener")
        blocks.append(block)
    extra = sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((0, 0), dtype=np.float32)
    return NeighbourhoodAverage(extra, base.astype(np.float32))


def _float32(rows: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(rows, dtype=np.float32, copy=True)
