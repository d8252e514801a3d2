"""The most similar tracks of each track, and listeners of each listener, on one machine: `implicit`, or a GPU.

Input: R, csr float32 [users, items], weights > 0. Every method is a product of columns, y_i . y_j, of a matrix Y that
has R's pattern, times a factor of the row (N_i: the users of item i, N_u: the items of user u, ||: their number):

    cosine                 y_ui = r_ui / ||r_i||
    tfidf                  y_ui = sqrt(r_ui) idf_u / norm of the column
    bm25                   y_ui = idf_u r_ui (K1 + 1) / (r_ui + K1 (1 - B + B sum(r_i) / mean of all sum(r_j)))
    cooccurrence           s_ij = sum over u in N_i and N_j of |N_u|^-user_exponent
                                  / (|N_i|^track_exponent |N_j|^similar_exponent)           on the pattern of R alone
    rp3beta                s_ij = sum over u of (r_ui / sum(r_i))^A (r_uj / sum(r_u))^A / |N_j|^B
    mean_centred           cosine of r'_ui = r_ui - mean_u - mean_i + mean (of observed entries); only if positive
    neighbourhood_average  w_ij = 1 / (1 + |N_i| - |N_ij|), N_ij the users of both; only if there is one

idf_u = log(items) - log(1 + |N_u|). The first three are those of implicit's recommenders; items and users without a
weight count nowhere (in idf and in the mean, as if their empty columns and rows were taken out), so that a matrix may
be indexed over everyone. A user with all items but one has idf_u 0 exactly, not the noise of two logarithms.

mean_centred is cosine-normalised over the whole columns, as Sarwar et al. 2001 ("Item-based collaborative filtering
recommendation algorithms", adjusted cosine) do with a user's mean alone: the plain product orders neighbours by how
many listeners they have, and the prediction divides by sum |s_ij|, which corrects the size of a row and not of a
column. Norms run over all observed entries of an item rather than over the users of both: a pair that shares one
user would otherwise be similar by exactly 1. For cooccurrence see Aiolli 2013 (asymmetric cosine), and Verstrepen &
Goethals 2014; for the neighbours as such, Deshpande & Karypis 2004.

rp3beta is the random walk listener - track i - listener - track j of Paudel, Christoffel, Newell & Bernstein 2017
("Updatable, accurate, diverse, and scalable recommendations for interactive applications"): A, `rp3_alpha`, bends the
chances of its last two steps and B, `rp3_beta`, holds back what many have; the first step is the listener's own weight,
unbent. Where all weights are alike it is a cooccurrence of exponents A, A and B; beyond that it hears weights.

Order: by score, ties by smaller index. Float noise must not decide it, nor which of several ties is among the K, so
an item counts TIE x index / items less when scores are ordered: scores closer than TIE (relative) may be ordered by
index, all others never. Published scores are lowered by as much where that makes them descend.
"""

import logging
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from implicit.nearest_neighbours import all_pairs_knn, bm25_weight, tfidf_weight

from musai import config
from musai.devices import Device, asks_for_gpu, choose
from musai.errors import MusaiError

log = logging.getLogger(__name__)

DEVICE = "similarity.device"
TIE = 1e-7  # relative; far above the noise of a float64 sum, about as small as a float32 can tell
NOISE = 1e-6  # float32 weights: a deviation below that share of its weight, or such a mean-centred cosine, is zero

NO_NEIGHBOUR = -1


@dataclass(frozen=True)
class Neighbours:
    """Row r: the neighbours of r, best first.

    indices  int32 [n, k]    never r itself; shorter rows end in NO_NEIGHBOUR
    scores   float32 [n, k]  > 0, descending, ties by smaller index; 0 where there is no neighbour
    """

    indices: np.ndarray
    scores: np.ndarray


def track_neighbours(matrix: sp.csr_matrix, method: str, settings: config.Similarity, threads: int) -> Neighbours:
    """The `settings.neighbours` nearest items of each item of `matrix` [users, items]; same bits for any `threads`.

    Time grows with sum over users of |N_u|^2; memory beside the matrix in float64, twice: 60 bytes x items x k. On a
    GPU (`settings.device`) sums may differ in their last bits, far below what orders two scores.
    """
    return nearest(matrix, method, settings, threads, settings.neighbours)


def user_neighbours(matrix: sp.csr_matrix, method: str, settings: config.Similarity, threads: int) -> Neighbours:
    """The nearest users of each user of `matrix` [users, items]: `track_neighbours` with users and items swapped."""
    return track_neighbours(matrix.T.tocsr(), method, settings, threads)


def nearest(matrix: sp.csr_matrix, method: str, settings: config.Similarity, threads: int, k: int) -> Neighbours:
    """`track_neighbours` for any number k > 0 of neighbours: indices and scores [items, k]."""
    observed = checked(matrix)
    items = observed.shape[1]
    found = Neighbours(np.full((items, k), NO_NEIGHBOUR, np.int32), np.zeros((items, k), np.float32))
    if observed.nnz == 0:
        return found
    product, row_factor = _product(observed, method, settings)
    tie_break = tie_breaks(np.arange(items), observed.indices.max() + 1)
    product.data *= tie_break[product.indices]
    width = min(k, items - 1) + 1  # the item itself is among its own nearest
    others, values = _all_pairs(product, width, settings.device, threads)
    values[others == np.arange(items)[:, None]] = 0
    values[values <= smallest(method)] = 0
    order = np.argsort(-values, axis=1)[:, : min(k, items - 1)]
    others, values = np.take_along_axis(others, order, axis=1), np.take_along_axis(values, order, axis=1)
    values /= tie_break[:, None] * tie_break[others]
    if method == "neighbourhood_average":
        scores = shared_to_weight(values, np.bincount(observed.indices, minlength=items)[:, None])
    else:
        scores = values * row_factor[:, None]
    published = in_order(others, scores)
    found.indices[:, : width - 1], found.scores[:, : width - 1] = published.indices, published.scores
    return found


def _all_pairs(product: sp.csr_matrix, width: int, device: Device, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each column the `width` columns with the largest products: int32 and float64 [items, width].

    Raises InputError for a GPU that is asked for and not there.
    """
    if asks_for_gpu(device):
        from musai.similarity import torch_knn

        chosen = choose(device, DEVICE)
        log.info("%s: %s", DEVICE, chosen)
        if chosen.type == "cuda":
            return torch_knn.all_pairs(product, width, chosen)
    pairs = all_pairs_knn(product, width, num_threads=threads, show_progress=False)  # padded with item 0 and value 0
    return pairs.col.reshape(-1, width), pairs.data.reshape(-1, width)


def tie_breaks(indices: np.ndarray, items: int) -> np.ndarray:
    """What a score counts when it is ordered, by the index of its item: 1 for the first, 1 - TIE for the last."""
    return 1 - TIE * indices / items


def smallest(method: str) -> float:
    """The product of columns up to which a pair is not similar; where all weights are > 0, any product is."""
    return NOISE if method == "mean_centred" else 0.0


def shared_to_weight(shared: np.ndarray, listeners: np.ndarray) -> np.ndarray:
    """w_ij of neighbourhood_average from |N_ij| (whole, but for float noise) and |N_i|; 0 where nobody has both."""
    return np.where(shared > 0, 1 / (1 + listeners - np.rint(shared)), 0)


def in_order(others: np.ndarray, scores: np.ndarray) -> Neighbours:
    """Neighbours from candidates in their order [n, k] and scores, 0 where there is none: float32, descending, ties
    by smaller index, padded."""
    scores = np.minimum.accumulate(scores.astype(np.float32), axis=1)
    others = np.where(scores > 0, others, np.iinfo(np.int32).max).astype(np.int32)
    swapped = (scores[:, 1:] == scores[:, :-1]) & (others[:, 1:] < others[:, :-1])
    rows = np.flatnonzero(swapped.any(axis=1))
    order = np.lexsort((others[rows], -scores[rows]), axis=1)
    others[rows] = np.take_along_axis(others[rows], order, axis=1)
    return Neighbours(np.where(scores > 0, others, NO_NEIGHBOUR), scores)


def checked(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """A float64 copy of R with sorted indices, each entry once, none of them zero. Raises if one is not > 0."""
    if matrix.nnz > np.iinfo(np.int32).max:
        raise MusaiError(f"similarity: {matrix.nnz} interactions are more than implicit can index; backend=spark can")
    copy = sp.csr_matrix(matrix, dtype=np.float64, copy=True)
    copy.sum_duplicates()
    copy.eliminate_zeros()
    if not (np.isfinite(copy.data) & (copy.data > 0)).all():
        raise MusaiError("similarity: weights must be finite and > 0")
    copy.indices, copy.indptr = copy.indices.astype(np.int32, copy=False), copy.indptr.astype(np.int32, copy=False)
    return copy


def centred(observed: sp.csr_matrix) -> tuple[sp.csr_matrix, np.ndarray, float]:
    """(R' with noise set to zero [users, items], mean_i [items], mean); an empty column's mean is the mean of all."""
    mean = float(observed.data.mean()) if observed.nnz else 0.0
    user_means, item_means = means(observed, 1, mean), means(observed, 0, mean)
    of_user = np.repeat(user_means, np.diff(observed.indptr))
    residual = observed.copy()
    residual.data = observed.data - of_user - item_means[observed.indices] + mean
    residual.data[np.abs(residual.data) <= NOISE * (observed.data + mean)] = 0
    residual.eliminate_zeros()
    return residual, item_means, mean


def means(observed: sp.csr_matrix, axis: int, empty: float) -> np.ndarray:
    """Mean of the observed entries of each column (axis 0) or row (axis 1), float64; `empty` where there is none."""
    counts = observed.getnnz(axis=axis)
    sums = np.asarray(observed.sum(axis=axis, dtype=np.float64)).ravel()
    return np.where(counts > 0, sums / np.maximum(counts, 1), empty)


def row_chunks(left: sp.csr_matrix, entries: np.ndarray, products: int) -> list[tuple[int, int]]:
    """Ranges of rows of `left` whose product with a matrix that has `entries` int [rows] in its rows costs about
    `products` multiplications each."""
    cost = np.add.reduceat(np.append(entries[left.indices], 0), left.indptr[:-1])
    cost = np.where(np.diff(left.indptr) > 0, cost, 0).astype(np.float64)
    before = np.cumsum(cost) - cost
    starts = np.flatnonzero(np.diff(before // products, prepend=-1))
    return list(zip(starts, [*starts[1:], len(cost)], strict=False))  # no rows: no range


def _product(observed: sp.csr_matrix, method: str, settings: config.Similarity) -> tuple[sp.csr_matrix, np.ndarray]:
    """(Y [users, items], factor of each row [items]): s_ij = factor_i (Y^T Y)_ij, with Y scaled so that row i of
    Y^T Y has the order of the neighbours of i."""
    items = observed.shape[1]
    ones = np.ones(items)
    if method == "cosine":
        return _unit_columns(observed), ones
    if method == "tfidf":
        return _unit_columns(_weighted(observed, method, settings)), ones
    if method == "bm25":
        return _weighted(observed, method, settings), ones
    if method == "mean_centred":
        return _unit_columns(centred(observed)[0]), ones
    pattern = observed.copy()
    pattern.data[:] = 1
    if method == "neighbourhood_average":
        return pattern, ones
    if method == "cooccurrence":
        tracks = np.diff(observed.indptr)
        listeners = np.maximum(np.bincount(observed.indices, minlength=items), 1).astype(np.float64)
        by_user = np.maximum(tracks, 1).astype(np.float64) ** (-settings.user_exponent / 2)
        pattern.data = np.repeat(by_user, tracks) * (listeners**-settings.similar_exponent)[pattern.indices]
        return pattern, listeners ** (settings.similar_exponent - settings.track_exponent)
    if method == "rp3beta":
        listeners = np.maximum(np.bincount(observed.indices, minlength=items), 1).astype(np.float64)
        plays = np.bincount(observed.indices, observed.data, minlength=items)
        by_user = np.asarray(observed.sum(axis=1)).ravel().repeat(np.diff(observed.indptr)) ** (-settings.rp3_alpha / 2)
        walk = observed.copy()
        walk.data = observed.data**settings.rp3_alpha * by_user * (listeners**-settings.rp3_beta)[observed.indices]
        return walk, np.where(plays > 0, plays, 1) ** -settings.rp3_alpha * listeners**settings.rp3_beta
    raise ValueError(f"no similarity called {method!r}")


def _weighted(observed: sp.csr_matrix, method: str, settings: config.Similarity) -> sp.csr_matrix:
    """implicit's tfidf_weight or bm25_weight of R without its empty rows and columns, in R's own shape."""
    rows, columns = observed.getnnz(axis=1) > 0, observed.getnnz(axis=0) > 0
    full = rows.all() and columns.all()
    by_item = (observed if full else observed[rows][:, columns]).T  # implicit weighs [items, users]
    weighted = tfidf_weight(by_item) if method == "tfidf" else bm25_weight(by_item, settings.bm25_k1, settings.bm25_b)
    weighted = weighted.T.tocsr()
    weighted.sort_indices()
    weighted.data[np.repeat(np.diff(weighted.indptr) == columns.sum() - 1, np.diff(weighted.indptr))] = 0
    result = sp.csr_matrix((weighted.data, observed.indices.copy(), observed.indptr.copy()), shape=observed.shape)
    result.eliminate_zeros()
    return result


def _unit_columns(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """`matrix` [users, items] in float64 with each column that has an entry at length 1."""
    norms = np.sqrt(np.bincount(matrix.indices, matrix.data**2, minlength=matrix.shape[1]))
    unit = matrix.copy()
    unit.data = matrix.data / norms[matrix.indices]
    return unit
