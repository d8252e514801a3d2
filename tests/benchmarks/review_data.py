"""The Chinese review sets of MUSAI_SHARED, told apart.

`pos.txt` and `neg.txt` hold most hotel reviews once more among those of shops, so what learns from hotels, or is judged
on them, must not see those.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from tests.benchmarks.emotion_weights import review_sets

RUN = 8  # characters
SHARED_AT_MOST = 0.1  # of a text's runs
GROUPED_FROM = 0.5


def runs(text: str) -> set[str]:
    """Every run of RUN characters, spaces and punctuation left out; the whole of a shorter text."""
    letters = re.sub(r"\W+", "", text)
    return {letters[start : start + RUN] for start in range(max(1, len(letters) - RUN + 1))}


def apart(texts: Sequence[str], others: Collection[str]) -> np.ndarray:
    """Rows of the texts, each once, that share at most a tenth of their runs with all `others` together."""
    known = set().union(*map(runs, others))
    rows = []
    for text, row in {text: row for row, text in enumerate(texts)}.items():
        own = runs(text)
        if len(own & known) <= SHARED_AT_MOST * len(own):
            rows.append(row)
    return np.array(rows, int)


def groups(texts: Sequence[str]) -> np.ndarray:
    """Group of each text, int [texts]: two stand together where they share half the runs of the shorter one."""
    found = [runs(text) for text in texts]
    having: dict[str, list[int]] = {}
    for row, own in enumerate(found):
        for run in own:
            having.setdefault(run, []).append(row)
    group = np.arange(len(texts))
    for row, own in enumerate(found):
        shared: dict[int, int] = {}
        for run in own:
            for other in having[run]:
                shared[other] = shared.get(other, 0) + 1
        for other, count in shared.items():
            if other < row and count >= GROUPED_FROM * min(len(own), len(found[other])):
                group[group == group[row]] = group[other]
    return group


def sets_apart() -> dict[str, tuple[list[str], np.ndarray]]:
    """As `review_sets`, without reviews of hotels among the others and without repeats there."""
    sets = review_sets()
    hotels = sets.pop("hotels")
    found = {"hotels": hotels}
    for name, (texts, praise) in sets.items():
        rows = apart(texts, hotels[0])
        found[name] = [texts[row] for row in rows], praise[rows]
    return found
