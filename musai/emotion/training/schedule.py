"""What trainings of networks on texts share: batches of like lengths, and the pace of learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

WARM_UP, LAST_RATE = 0.1, 0.02  # of the steps; of the rate


def batches(lengths: Sequence[int], size: int, order: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of about the same length together, `size` at a time, in random order."""
    sorted_rows = np.argsort(np.asarray(lengths) + order.random(len(lengths)) * 4, kind="stable")
    found = [sorted_rows[start : start + size] for start in range(0, len(lengths), size)]
    order.shuffle(found)
    yield from found


def pace(step: float, steps: int) -> float:
    """Share of the rate: a linear start, then half a cosine."""
    return float(min(1, (step + 1) / (WARM_UP * steps)) * max(LAST_RATE, (1 + np.cos(np.pi * step / steps)) / 2))
