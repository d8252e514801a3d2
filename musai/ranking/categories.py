"""Categories of tracks (genre, mood, language), what calibration keeps to and popularity can be counted by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

NONE = 0  # the category of a track of which none is known, and of a listener who has no other tracks
MOST = 32  # categories whose popularity is counted: those of most listeners


def of_tracks(ids: pa.Array, track_ids: pa.Array, texts: pa.Array) -> np.ndarray:
    """int32 [ids]: 1, 2, ... by the text that `texts` has beside the same id, in any case; NONE without one."""
    found = pc.utf8_lower(texts.take(pc.index_in(ids, track_ids)))
    codes: np.ndarray = found.dictionary_encode().indices.fill_null(-1).to_numpy()
    return codes.astype(np.int32) + 1


def of_listeners(indptr: np.ndarray, indices: np.ndarray, category: np.ndarray) -> np.ndarray:
    """int64 [users]: the category of most of the tracks indices[indptr[u]:indptr[u + 1]], ties to the lower number;
    NONE for who has tracks of no category."""
    found = np.zeros(len(indptr) - 1, np.int64)
    users, own = np.repeat(np.arange(len(found)), np.diff(indptr)), category[indices].astype(np.int64)
    width = int(category.max(initial=NONE)) + 1
    pairs, counts = np.unique((users * width + own)[own != NONE], return_counts=True)
    order = np.lexsort((pairs, -counts, pairs // width))
    some, first = np.unique(pairs[order] // width, return_index=True)
    found[some] = pairs[order][first] % width
    return found


def popularities(matrix: sp.csr_matrix, category: np.ndarray, popularity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Popularity by the listeners' category: (segment int32 [all], float32 [1 + segments, known]).

    matrix [users, known]: who has what; category int32 [all] of the tracks; popularity float32 [known]. A listener
    counts in the category of most of his tracks. Row s is how many listeners of segment s have a track, plus a part
    below 1 by `popularity`, which orders what none of them has; row 0 is `popularity` itself. The MOST categories of
    most listeners are segments 1, 2, ...; tracks of others are of none (0), as are their listeners.
    """
    of_user = of_listeners(matrix.indptr, matrix.indices, category)
    sizes = np.bincount(of_user, minlength=int(category.max(initial=NONE)) + 1)
    sizes[NONE] = 0
    kept = np.argsort(-sizes, kind="stable")[: min(MOST, np.count_nonzero(sizes))]
    number = np.zeros(len(sizes), np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    found = np.empty((1 + len(kept), len(popularity)), np.float32)
    found[0] = popularity
    for segment, own in enumerate(kept, start=1):
        heard = matrix[np.flatnonzero(of_user == own)].indices
        counts = np.bincount(heard, minlength=len(popularity))
        found[segment] = counts + popularity / (popularity.max(initial=0) + 1)
    return number[category], found
