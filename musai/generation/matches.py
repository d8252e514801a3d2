"""Where a piece has been at this point before: the longest match of its latest frames among its earlier ones.

Tunes come in parts that are played again (AABB), which a recurrent state of some hundred numbers cannot hold. Universal
codes for texts find such places by search: the longest earlier occurrence of the context, of unbounded length (PPM*,
Cleary & Teahan 1997), foretells what comes next, and the longer it is, the surer. A network that is told the foretold
frame and the length learns how far to trust it.
"""

from __future__ import annotations

import numpy as np

LENGTHS = 8  # classes of a match's length: none, 1, 2 to 3, 4 to 7, ... 64 and more


def longest(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every frame t of [T, ...] from the frames before t alone: the frame s < t that follows the longest context
    which ends just before t too (the latest of several; -1 if there is none), and the class of its length; int64 [T]
    each."""
    frames = np.asarray(frames)
    size = len(frames)
    names = np.unique(frames.reshape(size, -1), axis=0, return_inverse=True)[1].ravel() if size else np.zeros(0, int)
    places, classes = np.full(size, -1), np.zeros(size, np.int64)
    common = np.zeros(size + 1, np.int64)  # of s: how many frames before t and before s agree
    for t in range(1, size):
        known = np.where(names[: t - 1] == names[t - 1], common[: t - 1] + 1, 0)
        common[:] = 0
        common[1:t] = known
        most = int(common[:t].max())
        if most:
            places[t] = t - 1 - int(np.argmax(common[:t][::-1]))
            classes[t] = min(most.bit_length(), LENGTHS - 1)
    return places, classes
