"""The blend of a night that nobody has tuned: what is held out, when there is anything to learn, and that it helps."""

from __future__ import annotations

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from musai.ranking import blending, learning, parts
from musai.ranking.heldout import Held

SMALL = ("factorization.device=cpu", "factorization.factors=8", "factorization.iterations=3", "tuning.users=150")


@pytest.fixture(scope="module")
def matrix() -> sp.csr_matrix:
    """300 listeners of three groups with 60 tracks each, 8 tracks a listener and one of a friend's."""
    draw = np.random.default_rng(0)
    rows = [draw.choice(60, 8, replace=False) + 60 * (user % 3) for user in range(300)]
    users = np.repeat(np.arange(300), 8)
    weights = np.ones(len(users), np.float32)
    found = sp.csr_matrix((weights, (users, np.concatenate(rows))), shape=(300, 181))  # nobody has the last track
    found.sort_indices()
    return found


def pairs_of(known: Held) -> set[tuple[int, int]]:
    users = np.repeat(known.users, known.counts)
    return set(zip(users.tolist(), known.indices.tolist(), strict=True))


def test_some_tracks_of_some_listeners_are_held_out_and_nothing_is_lost(matrix, settings) -> None:
    left, known = learning.held_out(matrix, settings(*SMALL))
    every = set(zip(*(axis.tolist() for axis in matrix.nonzero()), strict=True))
    kept = set(zip(*(axis.tolist() for axis in left.nonzero()), strict=True))
    assert kept | pairs_of(known) == every
    assert not kept & pairs_of(known)
    assert 100 < len(known.users) <= 150
    assert 0.1 < known.counts.sum() / (8 * 150) < 0.3  # evaluation.holdout_share
    again = learning.held_out(matrix, settings(*SMALL))
    assert pairs_of(again[1]) == pairs_of(known)
    assert pairs_of(learning.held_out(matrix, settings(*SMALL, "seed=7"))[1]) != pairs_of(known)


@pytest.mark.parametrize(
    ("overrides", "pairs", "found"),
    [
        ((), 1000, True),
        ((), 10**8, False),  # learn_blend_max_pairs
        (("recommend.learn_blend_max_pairs=0",), 1, False),
        (("recommend.blend={als: .5, linear: .5}",), 1000, False),  # somebody's wish
    ],
)
def test_when_there_is_anything_to_learn(settings, overrides, pairs: int, found: bool) -> None:
    assert learning.due(settings(*overrides), pairs) is found


def test_what_is_learned_is_no_worse_than_any_part(matrix, settings, tmp_path: pathlib.Path, monkeypatch) -> None:
    users, items = matrix.nonzero()
    table = pa.table(
        {"user_index": pa.array(users, pa.int32()), "item_index": pa.array(items, pa.int32()), "weight": matrix.data}
    )
    pq.write_table(table, tmp_path / "part-0.parquet")
    config = settings(*SMALL)
    assert list(learning.batches(str(tmp_path), matrix.shape, config, 1)) == []  # too few listeners
    monkeypatch.setattr(learning, "LEAST", 100)
    (found,) = learning.batches(str(tmp_path), matrix.shape, config, 1)
    assert found["part"].to_pylist() == ["als", "user_knn", "linear"]
    weights = found["weight"].to_numpy()
    assert weights.sum() == pytest.approx(1, abs=0.002)
    left, known = learning.held_out(matrix, config)
    fits = [parts.fitted(part, left, config, 1) for part in found["part"].to_pylist()]
    _, reached = blending.learned(fits, left, known, config.tuning.k)
    alone = [blending.learned([fit], left, known, config.tuning.k)[1] for fit in fits]
    assert reached >= max(alone)
