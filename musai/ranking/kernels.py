"""The inner loops of ranking, compiled by numba. Each works on one block of users; shapes are [users, items].

No fast-math: sums run in a fixed order, so that a block gives the same bits wherever it is computed.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def neighbour_scores(indptr, indices, values, near_indptr, near_indices, near_values, scores, best, because):
    """scores[u, j] = sum over the user's items i of value_ui x s_ij, and the item that adds most.

    indptr, indices, values: the block's rows of the user-item matrix (CSR). near_*: s as CSR, row i = neighbours of
    i. scores, best float32 [users, items] and because int32 [users, items] are overwritten (0, 0 and -1 where no
    neighbour speaks).
    """
    users = indptr.shape[0] - 1
    for u in range(users):
        scores[u, :] = 0.0
        best[u, :] = 0.0
        because[u, :] = -1
        for p in range(indptr[u], indptr[u + 1]):
            i, value = indices[p], values[p]
            for q in range(near_indptr[i], near_indptr[i + 1]):
                j = near_indices[q]
                part = value * near_values[q]
                scores[u, j] += part
                if part > best[u, j]:
                    best[u, j] = part
                    because[u, j] = i


@numba.njit(cache=True, nogil=True)
def blend_into(total, part, weight):
    """total[u] += weight x part[u] / length of part[u] (Euclidean, over all items); part is scaled in place.

    The length makes parts of any scale comparable listener by listener. A row of zeros adds nothing.
    """
    for u in range(part.shape[0]):
        square = 0.0
        for j in range(part.shape[1]):
            square += float(part[u, j]) * float(part[u, j])
        if square > 0:
            scale = np.float32(weight / np.sqrt(square))
            for j in range(part.shape[1]):
                part[u, j] *= scale
                total[u, j] += part[u, j]
        else:
            part[u, :] = 0.0


@numba.njit(cache=True, nogil=True, inline="always")
def _worse(score_a, place_a, score_b, place_b):
    """Whether a stands behind b: by score, then by popularity place."""
    return score_a < score_b or (score_a == score_b and place_a > place_b)


@numba.njit(cache=True, nogil=True)
def _sift_down(heap_score, heap_item, place, start, size):
    root = start
    while True:
        child = 2 * root + 1
        if child >= size:
            return
        right = child + 1
        if right < size and _worse(
            heap_score[right], place[heap_item[right]], heap_score[child], place[heap_item[child]]
        ):
            child = right
        if not _worse(heap_score[child], place[heap_item[child]], heap_score[root], place[heap_item[root]]):
            return
        heap_score[root], heap_score[child] = heap_score[child], heap_score[root]
        heap_item[root], heap_item[child] = heap_item[child], heap_item[root]
        root = child


@numba.njit(cache=True, nogil=True)
def best_items(scores, allowed, place, count, found_item, found_score):
    """The `count` best allowed items of one user, best first, ties by popularity place; returns how many.

    scores float32 [items], allowed bool [items], place int32 [items] (0 = most popular), found_* [count] are
    overwritten. A heap of the best so far whose root is the worst of them.
    """
    size = 0
    for j in range(scores.shape[0]):
        if not allowed[j]:
            continue
        if size < count:
            found_item[size] = j
            found_score[size] = scores[j]
            size += 1
            if size == count:
                for start in range(size // 2 - 1, -1, -1):
                    _sift_down(found_score, found_item, place, start, size)
        elif scores[j] >= found_score[0] and _worse(found_score[0], place[found_item[0]], scores[j], place[j]):
            found_item[0] = j
            found_score[0] = scores[j]
            _sift_down(found_score, found_item, place, 0, size)
    if size < count:
        for start in range(size // 2 - 1, -1, -1):
            _sift_down(found_score, found_item, place, start, size)
    for end in range(size - 1, 0, -1):  # heap sort: the worst goes last
        found_score[0], found_score[end] = found_score[end], found_score[0]
        found_item[0], found_item[end] = found_item[end], found_item[0]
        _sift_down(found_score, found_item, place, 0, end)
    return size


@numba.njit(cache=True, nogil=True)
def _capped(found_item, found_score, size, artist, cap, top_n, counts, items, scores):
    """Take candidates in order while their artist has room; returns how many were taken."""
    taken = 0
    for position in range(size):
        if taken == top_n:
            break
        code = artist[found_item[position]]
        if code >= 0:
            if counts[code] >= cap:
                continue
            counts[code] += 1
        items[taken] = found_item[position]
        scores[taken] = found_score[position]
        taken += 1
    for position in range(size):
        code = artist[found_item[position]]
        if code >= 0:
            counts[code] = 0
    return taken


@numba.njit(cache=True, nogil=True)
def select(total, offered, heard_indptr, heard_indices, place, artist, artists, new_artists, cap, top_n, items, scores):
    """Top-N of a block of users.

    total float32 [users, items]; offered bool [items] (block list, explicit filter); heard_* CSR of what each user
    has; place int32 [items]; artist int32 [items] (-1 = unknown) with `artists` codes; new_artists: only artists
    the user has not heard; cap: tracks an artist may have in a list, 0 = any. items int32 and scores float32
    [users, top_n] are overwritten, items with -1 where the list is shorter. The cap gives way before a list stays
    short: what it left out then follows at the end.
    """
    users, catalogue = total.shape
    allowed = np.empty(catalogue, np.bool_)
    known = np.zeros(max(artists, 1), np.bool_)
    counts = np.zeros(max(artists, 1), np.int32)
    for u in range(users):
        items[u, :] = -1
        scores[u, :] = 0.0
        allowed[:] = offered
        heard = heard_indices[heard_indptr[u] : heard_indptr[u + 1]]
        for j in heard:
            allowed[j] = False
            if artist[j] >= 0:
                known[artist[j]] = True
        if new_artists:
            for j in range(catalogue):
                if artist[j] < 0 or known[artist[j]]:
                    allowed[j] = False
        for j in heard:
            if artist[j] >= 0:
                known[artist[j]] = False
        count = min(catalogue, top_n if cap == 0 else 4 * top_n)
        while True:
            found_item = np.empty(count, np.int32)
            found_score = np.empty(count, np.float32)
            size = best_items(total[u], allowed, place, count, found_item, found_score)
            if cap == 0:
                taken = min(size, top_n)
                items[u, :taken] = found_item[:taken]
                scores[u, :taken] = found_score[:taken]
                break
            taken = _capped(found_item, found_score, size, artist, cap, top_n, counts, items[u], scores[u])
            if taken == top_n or size < count or count == catalogue:
                _fill(found_item, found_score, size, taken, top_n, items[u], scores[u])
                break
            count = min(catalogue, 4 * count)


@numba.njit(cache=True, nogil=True)
def _fill(found_item, found_score, size, taken, top_n, items, scores):
    """Append the best candidates that the artist cap left out, until the list is full."""
    capped = taken
    for position in range(size):
        if taken == top_n:
            return
        listed = False
        for other in range(capped):
            if items[other] == found_item[position]:
                listed = True
                break
        if not listed:
            items[taken] = found_item[position]
            scores[taken] = found_score[position]
            taken += 1
