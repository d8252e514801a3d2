"""Each track as a ridge regression on the tracks nearest to it: a sparse linear item model in closed form.

    b_j = (G_SS + denoising diag(G_SS) + regularization I)^-1 G_Sj      S: the `candidates` tracks nearest to j
    score of track j for a listener: sum of b_ij over the tracks i that the listener has

G = R^T D_U^-user_exponent R, R the pattern of the matrix [users, items] and D_U the entries of its rows. With S all
other tracks this is EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data"); `denoising` is p / (1-p)
of a dropout p (Steck 2020, "Autoencoders that don't overfit towards the identity"); to look only at near tracks is
fsSLIM (Ning & Karypis 2011, "SLIM: sparse linear methods for top-n recommender systems"). What EASE gets by inverting
a matrix of all tracks at once is found here for catalogues of any size, track by track. Weights b_ij <= 0 are left out.

Catalogues of up to `linear_exact_tracks` get EASE itself, S all other tracks and b_ij of either sign, from one inverse:
2 x items^3 operations (14 s of one core for 5,000 tracks) and 64 x items^2 bytes, which `linear_memory_mb` bounds too.
On parts of real logs 50 candidates were about as good, at a ridge of their own and in the blend: it is off as it comes.

Time: one sparse product R^T R, then items x (candidates^3 + the entries of G in the candidates' rows). Memory: G, of
which each row keeps only its largest entries where it would pass `linear_memory_mb`, and 12 bytes x items x candidates.
The same bits for any number of threads on one type of CPU.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import threadpoolctl

from musai.config import Similarity
from musai.jit import compiled
from musai.similarity import neighbours as knn

METHOD = "linear"
CANDIDATE_EXPONENT = 0.35  # tracks near to j: by G_ij / G_ii^0.35, between the most common and the most particular
CHUNK_PAIRS = 1 << 24  # co-listened pairs that are worked out in one piece
CHUNK_ITEMS = 512
BYTES_A_PAIR = 64  # of tracks, where all are inverted at once and put in order
BATCH_ROWS = 1 << 20


def batches(matrix: sp.csr_matrix, settings: Similarity, threads: int) -> Iterator[pa.RecordBatch]:
    """`linear` as rows (index, rank, similar_index, score): all b_ij of each track i, the largest first."""
    weights = linear(matrix, settings, threads)
    row = np.repeat(np.arange(weights.shape[0], dtype=np.int32), np.diff(weights.indptr))
    order = np.lexsort((weights.indices, -weights.data, row))
    place = (np.arange(weights.nnz) - weights.indptr[row] + 1).astype(np.int32)
    for start in range(0, weights.nnz, BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        columns = row[part], place[part], weights.indices[order[part]], weights.data[order[part]]
        yield pa.RecordBatch.from_arrays([pa.array(x) for x in columns], ["index", "rank", "similar_index", "score"])


def linear(matrix: sp.csr_matrix, settings: Similarity, threads: int) -> sp.csr_matrix:
    """b, float32 [items i, items j], from `matrix` [users, items]; stored where b_ij > 0, or by `exact` any."""
    items = matrix.shape[1]
    if is_exact(items, settings):
        return exact(matrix, settings)
    gram = _gram(matrix, settings)
    diagonal = gram.diagonal()
    near = np.full((items, min(settings.linear_candidates, max(items - 1, 0))), knn.NO_NEIGHBOUR, np.int32)
    found = np.zeros(near.shape, np.float32)
    ridge = np.float32(settings.linear_regularization), np.float32(settings.linear_denoising)

    def solve(start: int) -> None:
        _solve(gram.indptr, gram.indices, gram.data, diagonal, *ridge, start, start + CHUNK_ITEMS, near, found)

    with threadpoolctl.threadpool_limits(1, "blas"), concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(solve, range(0, items, CHUNK_ITEMS)))
    track, place = np.nonzero(found > 0)
    return sp.csr_matrix((found[track, place], (near[track, place], track)), shape=(items, items))


def is_exact(items: int, settings: Similarity) -> bool:
    """Whether a catalogue of so many tracks gets EASE itself, for which there are no candidates."""
    return items <= min(settings.linear_exact_tracks, int((settings.linear_memory_mb * 2**20 / BYTES_A_PAIR) ** 0.5))


def exact(matrix: sp.csr_matrix, settings: Similarity) -> sp.csr_matrix:
    """EASE of all tracks at once, float32 [items i, items j] with an empty diagonal."""
    half = _half(matrix, settings)
    gram = (half.T @ half).toarray()
    listened = gram.diagonal() > 0
    np.fill_diagonal(gram, gram.diagonal() * (1 + settings.linear_denoising) + settings.linear_regularization)
    with threadpoolctl.threadpool_limits(1, "blas"):  # its bits depend on the threads
        inverse = np.linalg.inv(gram)
    weights = (inverse / -inverse.diagonal()).astype(np.float32)
    np.fill_diagonal(weights, 0)
    weights[~listened] = weights[:, ~listened] = 0
    return sp.csr_matrix(weights)


def _half(matrix: sp.csr_matrix, settings: Similarity) -> sp.csr_matrix:
    """H float64 [users, items]: G = H^T H."""
    tracks = np.diff(matrix.indptr)
    by_user = np.maximum(tracks, 1).astype(np.float64) ** (-settings.linear_user_exponent / 2)
    return sp.csr_matrix((np.repeat(by_user, tracks), matrix.indices, matrix.indptr), shape=matrix.shape)


def _gram(matrix: sp.csr_matrix, settings: Similarity) -> sp.csr_matrix:
    """G float32 [items, items] with sorted indices, each row cut to its largest entries where memory asks for it."""
    half = _half(matrix, settings)
    by_item = half.T.tocsr()
    width = max(1, int(settings.linear_memory_mb * 2**20 // (8 * max(matrix.shape[1], 1))))
    blocks = []
    for start, end in knn.row_chunks(by_item, np.diff(half.indptr), CHUNK_PAIRS):
        block = (by_item[start:end] @ half).tocsr().astype(np.float32)
        for row in np.flatnonzero(np.diff(block.indptr) > width):
            values = block.data[block.indptr[row] : block.indptr[row + 1]]
            values[np.argpartition(-values, width)[width:]] = 0
        block.eliminate_zeros()
        block.sort_indices()
        blocks.append(block)
    return sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((matrix.shape[1],) * 2, dtype=np.float32)


@compiled
def _solve(
    starts: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    diagonal: np.ndarray,
    regularization: float,
    denoising: float,
    first: int,
    last: int,
    near: np.ndarray,
    found: np.ndarray,
) -> None:
    """Fill near and found [items, candidates] for tracks first to last - 1 from G in CSR and its diagonal."""
    place = np.full(len(diagonal), -1, np.int32)  # of a track among the candidates of the one at hand
    for j in range(first, min(last, len(diagonal))):
        others, with_j = indices[starts[j] : starts[j + 1]], values[starts[j] : starts[j + 1]]
        closeness = np.zeros(len(others), np.float32)
        for q in range(len(others)):
            if others[q] != j:
                closeness[q] = with_j[q] * diagonal[others[q]] ** np.float32(-CANDIDATE_EXPONENT)
        best = np.argsort(-closeness, kind="mergesort")[: near.shape[1]]
        best = best[closeness[best] > 0]
        left, right = np.zeros((len(best), len(best)), np.float32), with_j[best]
        for q in range(len(best)):
            place[others[best[q]]] = q
        for q in range(len(best)):
            i = others[best[q]]
            for p in range(starts[i], starts[i + 1]):
                c = place[indices[p]]
                if c >= 0:  # G is symmetric, but for what was cut
                    left[q, c] = left[c, q] = values[p]
            left[q, q] = diagonal[i] * (1 + denoising) + regularization
        if len(best):
            found[j, : len(best)] = np.linalg.solve(left, right)
        for q in range(len(best)):
            near[j, q] = others[best[q]]
            place[near[j, q]] = -1
