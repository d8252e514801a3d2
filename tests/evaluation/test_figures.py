"""The figures of a recommender where there is little to measure."""

from __future__ import annotations

import math

import numpy as np

from musai.evaluation import figures


def test_lists_without_a_track_find_nothing_and_ask_for_no_vector() -> None:
    """Three listeners who have every track of the training part: what was held out, nobody else has."""
    empty = figures.Measured(np.full((3, 5), -1, np.int64), np.zeros((3, 5), bool))

    def vectors_of(wanted: np.ndarray) -> np.ndarray:
        raise AssertionError(f"asked for {wanted}")

    rows = figures.rows(
        empty,
        empty,
        held_out=np.ones(3, np.int64),
        history=np.full(3, 4),
        listeners=np.full(4, 3),
        audience=3,
        vectors_of=vectors_of,
        ks=[2, 5],
        seed=1,
        resamples=10,
        confidence=0.95,
    )
    found = {(row.metric, row.k): row.value for row in rows if row.listeners == "all"}
    assert found == {(name, k): 0.0 for name in ("recall", "ndcg", "map", "coverage") for k in (2, 5)}
    assert not any(math.isnan(row.value) for row in rows)
