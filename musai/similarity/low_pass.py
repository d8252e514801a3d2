"""An ideal low-pass filter on the graph of listeners and tracks: what the f smoothest patterns of listening say.

    R~ = D_U^-1/2 R D_I^-1/2   R: the pattern of the matrix [users, items], D_U, D_I: entries of its rows and columns
    V                          right singular vectors of R~ of the f largest singular values [items, f]
    score of a row r           r D_I^-1/2 V V^T D_I^1/2

This is the ideal low-pass part of GF-CF (Shen et al. 2021, "How powerful is graph convolution for recommendation?");
its linear part is a co-occurrence, which stands beside it in the blend. Weights play no part. It is strong where
listening falls into few broad patterns and weak where a catalogue is wide and its singular values fall slowly.

V comes from subspace iteration with a random start (Halko, Martinsson & Tropp 2011, "Finding structure with
randomness"): SWEEPS + 1 products with R~^T R~ at the cost of 2 f numbers an entry, memory 8 f bytes a user and 12 f a
track. The same bits for one matrix and seed on one type of CPU, for BLAS is held to one thread.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import threadpoolctl

from musai.similarity.projection import Projection

SWEEPS = 4
MORE = 16  # vectors beyond f that are carried along, so that the last of f converge too


def low_pass(matrix: sp.csr_matrix, factors: int, seed: int) -> Projection:
    """left = D_I^-1/2 V and right = D_I^1/2 V, from `matrix` [users, items]; f is `factors`, or the number of items
    where that is less."""
    items = matrix.shape[1]
    listeners = np.bincount(matrix.indices, minlength=items).astype(np.float32)
    tracks = np.diff(matrix.indptr).astype(np.float32)
    by_item = np.where(listeners > 0, listeners, np.inf) ** np.float32(-0.5)
    values = np.repeat(np.maximum(tracks, 1) ** np.float32(-0.5), np.diff(matrix.indptr)) * by_item[matrix.indices]
    graph = sp.csr_matrix((values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    with threadpoolctl.threadpool_limits(1, "blas"):
        vectors = _right_vectors(graph, min(factors, items), seed)
    return Projection(by_item[:, None] * vectors, np.sqrt(listeners)[:, None] * vectors)


def _right_vectors(graph: sp.csr_matrix, count: int, seed: int) -> np.ndarray:
    """V float32 [items, count] of `graph`, by falling singular value."""
    items = graph.shape[1]
    transposed = graph.T.tocsr()
    start = np.random.default_rng(seed).standard_normal((items, min(items, count + MORE)), np.float32)
    basis = np.linalg.qr(start)[0]
    for _ in range(SWEEPS):
        basis = np.linalg.qr(transposed @ (graph @ basis))[0]
    image = graph @ basis
    turn = np.linalg.eigh(image.T @ image)[1]  # ascending
    return basis @ turn[:, ::-1][:, :count]
