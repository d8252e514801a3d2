"""The blend of a night that nobody has tuned: what is held out, when there is anything to learn, and that it helps."""

from __future__ import annotations

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from musai.ranking import blending, learning, parts
from musai.ranking.heldout import Held, Scores

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


def noise(shape: tuple[int, int], seed: int) -> Scores:
    made = np.random.default_rng(seed).random(shape, np.float32)
    return lambda users: made[users].copy()


def test_other_weights_are_taken_only_where_they_are_better_beyond_chance(matrix, settings) -> None:
    """A part that knows against one that does not; and two that know nothing."""
    left, known = learning.held_out(matrix, settings(*SMALL))
    shape, even = matrix.shape, np.array([0.5, 0.5])
    told = parts.fitted("cooccurrence", left, settings(*SMALL), 1)
    found = blending.learned_if_better([told, noise(shape, 1)], np.array([0.1, 0.9]), left, known, 20, 0)
    assert found is not None
    assert found[0] > 0.6
    assert blending.learned_if_better([told, noise(shape, 1)], found, left, known, 20, 0) is None
    assert blending.learned_if_better([noise(shape, 1), noise(shape, 2)], even, left, known, 20, 0) is None


def test_a_part_each_comes_of_the_matrix_on_disk(matrix, settings, tmp_path: pathlib.Path, monkeypatch) -> None:
    users, items = matrix.nonzero()
    table = pa.table(
        {"user_index": pa.array(users, pa.int32()), "item_index": pa.array(items, pa.int32()), "weight": matrix.data}
    )
    pq.write_table(table, tmp_path / "part-0.parquet")
    config = settings(*SMALL)
    assert list(learning.batches(str(tmp_path), matrix.shape, config, 1)) == []  # too few listeners
    monkeypatch.setattr(learning, "LEAST", 100)
    monkeypatch.setattr(blending, "SURE", -1e9)  # whatever it is worth
    (found,) = learning.batches(str(tmp_path), matrix.shape, config, 1)
    assert found["part"].to_pylist() == ["als", "user_knn", "linear"]
    assert found["weight"].to_numpy().sum() == pytest.approx(1, abs=0.002)
