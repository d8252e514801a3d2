"""The best tracks of one row of scores, compiled by numba: top-N, ties, the artist cap, and what fills a short list."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from musai.jit import compiled

NEVER = np.float32(-np.inf)  # the score of what must not be listed
WIDTH = 1040  # groups of items that are passed over as one; a power of 2 would put a group into one set of the cache
HALVINGS = 16


class Tracks(NamedTuple):
    """place int32 [known]: 0 = most popular; artist int32 [all]: -1 = unknown; of_artist: the known tracks by artist,
    those of artist a at by_artist[a + 1] to by_artist[a + 2]; blocked: known tracks that are never listed; fresh:
    unknown tracks that fill a list which would stay short, in their order; lone bool [known]: one listener has it."""

    place: np.ndarray
    artist: np.ndarray
    by_artist: np.ndarray
    of_artist: np.ndarray
    blocked: np.ndarray
    fresh: np.ndarray
    lone: np.ndarray


@compiled
def fill_list(
    total: np.ndarray,
    tracks: Tracks,
    met: np.ndarray,
    only_new: bool,
    cap: int,
    counts: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    """The best of `total` float32 [known] into items and scores [top_n], -1 and 0 where there is no more.

    only_new: no track of an artist in `met` bool [artists + 2] (`total` knows that already), nor of an unknown one;
    cap: tracks that an artist may have, 0 = any; it gives way before the list stays short: what it left out then
    follows at the end. counts int32 [artists + 2] is zeros before and after.
    """
    items[:] = -1
    scores[:] = 0
    taken, found_item, found_score = _best_under_cap(total, tracks, cap, counts, items, scores)
    for j in tracks.fresh:
        if taken == len(items):
            break
        if _may_follow(tracks.artist[j], met, only_new) and has_room(tracks.artist[j], cap, counts):
            items[taken] = j
            taken += 1
    for r in range(taken):
        counts[tracks.artist[items[r]]] = 0
    if taken < len(items) and cap > 0:
        _give_way(found_item, found_score, tracks, met, only_new, taken, items, scores)


@compiled
def _best_under_cap(
    total: np.ndarray, tracks: Tracks, cap: int, counts: np.ndarray, items: np.ndarray, scores: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray]:
    """How many of the heard tracks are taken, and all that were looked at, best first: all there are, if too few."""
    known, top_n, taken, seen = len(total), len(items), 0, 0
    count = min(known, top_n if cap == 0 else 4 * top_n)
    while True:
        found_item, found_score = np.empty(count, np.int32), np.empty(count, np.float32)
        size = best_items(total, tracks.place, found_item, found_score)
        for position in range(seen, size):
            if taken < top_n and has_room(tracks.artist[found_item[position]], cap, counts):
                items[taken], scores[taken] = found_item[position], found_score[position]
                taken += 1
        if taken == top_n or size < count or count == known:
            return taken, found_item[:size], found_score[:size]
        seen, count = size, min(known, 4 * count)  # the first `size` will be the same again


@compiled
def _give_way(
    found_item: np.ndarray,
    found_score: np.ndarray,
    tracks: Tracks,
    met: np.ndarray,
    only_new: bool,
    taken: int,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Append what the cap left out. What is listed stands in the order of found_item, then of tracks.fresh."""
    listed, capped = 0, taken
    for position in range(len(found_item)):
        if listed < capped and items[listed] == found_item[position]:
            listed += 1
        elif taken < len(items):
            items[taken], scores[taken] = found_item[position], found_score[position]
            taken += 1
    for j in tracks.fresh:
        if taken == len(items):
            break
        if listed < capped and items[listed] == j:
            listed += 1
        elif _may_follow(tracks.artist[j], met, only_new):
            items[taken] = j
            taken += 1


@compiled
def _may_follow(a: int, met: np.ndarray, only_new: bool) -> bool:
    return not only_new or (a >= 0 and not met[a])


@compiled
def has_room(a: int, cap: int, counts: np.ndarray) -> bool:
    """Whether artist `a` may have one more track in the list; counts it."""
    if cap == 0 or a < 0:
        return True
    counts[a] += 1
    return counts[a] <= cap


@compiled
def best_items(scores: np.ndarray, place: np.ndarray, found_item: np.ndarray, found_score: np.ndarray) -> int:
    """The best items above NEVER, best first, ties by place, into found_* [count]; returns how many there are.

    Items c, c + width, c + 2 width, ... form group c. A bound that `count` of the groups' peaks reach is reached by as
    many items, so only groups above it are looked through. Then a heap whose root is the worst of the best so far.
    """
    count, width = len(found_item), min(len(scores), max(WIDTH, 4 * len(found_item)))
    peaks, whole = scores[:width].copy(), len(scores) // width * width
    for start in range(width, whole, width):
        np.maximum(peaks, scores[start : start + width], peaks)
    rest = len(scores) - whole
    np.maximum(peaks[:rest], scores[whole:], peaks[:rest])
    bound, size = _bound(peaks, count), 0
    for c in range(width):
        if peaks[c] < bound or peaks[c] == NEVER:
            continue
        for j in range(c, len(scores), width):
            if scores[j] < bound or scores[j] == NEVER:
                continue
            if size < count:
                found_item[size], found_score[size] = j, scores[j]
                size += 1
                if size == count:
                    _heapify(found_score, found_item, place, size)
            elif _worse(found_score[0], place[found_item[0]], scores[j], place[j]):
                found_item[0], found_score[0] = j, scores[j]
                _sift_down(found_score, found_item, place, 0, size)
                bound = found_score[0]
    if size < count:
        _heapify(found_score, found_item, place, size)
    for end in range(size - 1, 0, -1):  # heap sort: the worst goes last
        found_score[0], found_score[end] = found_score[end], found_score[0]
        found_item[0], found_item[end] = found_item[end], found_item[0]
        _sift_down(found_score, found_item, place, 0, end)
    return size


@compiled
def _bound(peaks: np.ndarray, count: int) -> np.float32:
    """A score that at least `count` peaks reach, close to the largest such score."""
    low, high = np.float32(np.inf), NEVER
    for c in range(len(peaks)):
        high = max(high, peaks[c])
        low = min(low, peaks[c]) if peaks[c] > NEVER else low
    if _reached(peaks, low) < count:
        return NEVER
    for _ in range(HALVINGS):
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        if _reached(peaks, middle) >= count:
            low = middle
        else:
            high = middle
    return low


@compiled
def _reached(peaks: np.ndarray, bound: float) -> int:
    number = 0
    for c in range(len(peaks)):
        number += peaks[c] >= bound
    return number


@compiled
def _heapify(heap_score: np.ndarray, heap_item: np.ndarray, place: np.ndarray, size: int) -> None:
    for start in range(size // 2 - 1, -1, -1):
        _sift_down(heap_score, heap_item, place, start, size)


@compiled
def _worse(score_a: float, place_a: int, score_b: float, place_b: int) -> bool:
    """Whether a stands behind b: by score, then by popularity place."""
    return score_a < score_b or (score_a == score_b and place_a > place_b)


@compiled
def _sift_down(heap_score: np.ndarray, heap_item: np.ndarray, place: np.ndarray, start: int, size: int) -> None:
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
