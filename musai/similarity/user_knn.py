"""What listeners like this one have: user-based neighbours as scores of every track.

    s_uv = sum over the tracks i that u and v have of |N_i|^-track_exponent / |N_v|^user_exponent
    score of j for u = |N_j|^-similar_exponent x sum of s_uv^power over the neighbours v of u that have j

N_i: the listeners of track i; N_v: the tracks of listener v; ||: their number. Weights play no part. Neighbours are the
`neighbours` listeners of greatest s_uv among those who have something that u has not (the others, u among them, have
nothing to say), and all that tie with the last. This is the user-based method of Herlocker, Konstan, Borchers & Riedl
1999 ("An algorithmic framework for performing collaborative filtering") with the asymmetric exponents of Aiolli 2013
("Efficient top-n recommendation for very large scale binary rated datasets").

Neighbours are found for whatever rows are asked for, those of listeners it was not built from too. Time of a row: at
most `pairs` listeners of its tracks (or those of its rarest track where they are more), looked up from the rarest track
on, for it tells most; what stands behind is left out. Memory: 8 bytes an entry of the matrix, 8 a track and 16 a
listener. The same bits for one row wherever it is computed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sp

from musai.config import Similarity
from musai.jit import compiled


@dataclasses.dataclass(frozen=True)
class UserKnn:
    """The pattern of the matrix both ways, in CSR: track_starts int64 [users + 1] into tracks int32 [entries],
    listener_starts int64 [items + 1] into listeners int32 [entries]; and as float32 what a shared track counts [items],
    what a listener is multiplied by [users], and what a track that is brought is [items]. limits float64 [3]: number
    of neighbours, pairs, power."""

    track_starts: np.ndarray
    tracks: np.ndarray
    listener_starts: np.ndarray
    listeners: np.ndarray
    of_shared: np.ndarray
    of_user: np.ndarray
    of_track: np.ndarray
    limits: np.ndarray

    def scores(self, rows: sp.csr_matrix) -> np.ndarray:
        """float32 [b, items] of users who have the tracks stored in `rows` [b, items]."""
        found = np.zeros(rows.shape, np.float32)
        _score(rows.indptr, rows.indices, *(getattr(self, field.name) for field in dataclasses.fields(self)), found)
        return found


def user_knn(matrix: sp.csr_matrix, settings: Similarity) -> UserKnn:
    """Build from `matrix` [users, items]."""
    users, items = matrix.shape
    by_item = sp.csr_matrix((np.ones(matrix.nnz, np.int8), matrix.indices, matrix.indptr), shape=(users, items)).T
    by_item = by_item.tocsr()
    tracks, listeners = (np.maximum(np.diff(side.indptr), 1).astype(np.float64) for side in (matrix, by_item))
    return UserKnn(
        track_starts=matrix.indptr.astype(np.int64),
        tracks=matrix.indices.astype(np.int32),
        listener_starts=by_item.indptr.astype(np.int64),
        listeners=by_item.indices.astype(np.int32),
        of_shared=(listeners**-settings.user_knn_track_exponent).astype(np.float32),
        of_user=(tracks**-settings.user_knn_user_exponent).astype(np.float32),
        of_track=(listeners**-settings.user_knn_similar_exponent).astype(np.float32),
        limits=np.array([settings.user_knn_neighbours, settings.user_knn_pairs, settings.user_knn_power], np.float64),
    )


@compiled
def _score(
    starts: np.ndarray,
    heard: np.ndarray,
    track_starts: np.ndarray,
    tracks: np.ndarray,
    listener_starts: np.ndarray,
    listeners: np.ndarray,
    of_shared: np.ndarray,
    of_user: np.ndarray,
    of_track: np.ndarray,
    limits: np.ndarray,
    found: np.ndarray,
) -> None:
    """Add to `found` [b, items], zeros, the scores of the rows `starts` [b + 1] into `heard`."""
    shared, common = np.zeros(len(of_user), np.float32), np.zeros(len(of_user), np.int32)
    met = np.empty(len(of_user), np.int32)
    for row in range(len(starts) - 1):
        mine = heard[starts[row] : starts[row + 1]]
        count = _meet(mine, listener_starts, listeners, of_shared, limits[1], shared, common, met)
        nearness = np.zeros(count, np.float32)
        for n in range(count):
            v = met[n]
            if common[v] < track_starts[v + 1] - track_starts[v]:
                nearness[n] = shared[v] * of_user[v]
            shared[v], common[v] = 0, 0
        last, wanted = np.float32(0), int(limits[0])
        if count > wanted:
            last = np.partition(nearness, count - wanted)[count - wanted]
        for near in np.flatnonzero((nearness > 0) & (nearness >= last)):
            weight = np.float32(nearness[near] ** limits[2])
            for j in tracks[track_starts[met[near]] : track_starts[met[near] + 1]]:
                found[row, j] += weight
        found[row] *= of_track


@compiled
def _meet(
    mine: np.ndarray,
    listener_starts: np.ndarray,
    listeners: np.ndarray,
    of_shared: np.ndarray,
    most: float,
    shared: np.ndarray,
    common: np.ndarray,
    met: np.ndarray,
) -> int:
    """The listeners of the tracks `mine`, rarest first: their number n; met [n], and by listener the sum of `of_shared`
    and the number of tracks in common."""
    listened = listener_starts[mine + 1] - listener_starts[mine]
    order = np.argsort(listened, kind="mergesort")
    pairs = np.cumsum(listened[order])
    count = 0
    for n in range(len(order)):
        if pairs[n] > most and count:
            break
        i = mine[order[n]]
        for v in listeners[listener_starts[i] : listener_starts[i + 1]]:
            if not common[v]:
                met[count] = v
                count += 1
            common[v] += 1
            shared[v] += of_shared[i]
    return count
