"""The distributed form against the one on one machine, and that neither partitions nor order change a bit of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from musai.similarity import neighbours
from musai.similarity import spark as distributed

SEED = 42


def frame_of(matrix: sp.csr_matrix) -> pd.DataFrame:
    entries = matrix.tocoo()
    columns = {"user_index": entries.row, "item_index": entries.col, "weight": entries.data.astype(np.float32)}
    return pd.DataFrame(columns).astype({"user_index": "int32", "item_index": "int32"})


def collected(found) -> pd.DataFrame:
    assert found.dtypes == [("index", "int"), ("rank", "int"), ("similar_index", "int"), ("score", "float")]
    return found.toPandas().sort_values(["index", "rank"], ignore_index=True)


def as_rows(found: neighbours.Neighbours) -> pd.DataFrame:
    index, place = np.nonzero(found.indices >= 0)
    others, scores = found.indices[index, place], found.scores[index, place]
    return pd.DataFrame({"index": index, "rank": place + 1, "similar_index": others, "score": scores})


def assert_same(found: pd.DataFrame, due: pd.DataFrame) -> None:
    assert len(due) > 20
    keys = ["index", "rank", "similar_index"]
    pd.testing.assert_frame_equal(found[keys], due[keys], check_dtype=False)
    np.testing.assert_allclose(found["score"], due["score"], rtol=1e-6)


@pytest.fixture
def shuffle_partitions(spark):
    """Set the number of shuffle partitions; what it was comes back after the test."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    yield lambda number: spark.conf.set("spark.sql.shuffle.partitions", str(number))
    spark.conf.set("spark.sql.shuffle.partitions", before)


def test_as_on_one_machine_whatever_the_partitions(method, spark, similarity, shuffle_partitions):
    rng = np.random.default_rng(11)
    matrix = sp.random(60, 40, 0.15, format="csr", dtype=np.float32, rng=rng)
    matrix.data[matrix.data > 0.5] = 2  # ties and none
    section = similarity(neighbours=8, block_users=9, bm25_k1=1.5)
    frame = frame_of(matrix)
    due = as_rows(neighbours.track_neighbours(matrix, method, section, 1))
    results = []
    for partitions, rows in ((1, frame), (5, frame.sample(frac=1, random_state=3))):
        shuffle_partitions(partitions + 1)
        user_item = spark.createDataFrame(rows).repartition(partitions)
        results.append(collected(distributed.track_neighbours(user_item, method, section, SEED)))
        assert_same(results[-1], due)
    assert results[0].equals(results[1])


@pytest.mark.parametrize("method", ["cooccurrence", "mean_centred"])
def test_ties_of_users(method, spark, similarity, matrices, shuffle_partitions):
    """Whole weights: ties everywhere, at the cut too. Users, so that their transposition is seen as well."""
    shuffle_partitions(2)
    matrix = matrices(4)
    section = similarity(neighbours=4, block_users=7)
    found = collected(distributed.user_neighbours(spark.createDataFrame(frame_of(matrix)), method, section, SEED))
    assert_same(found, as_rows(neighbours.user_neighbours(matrix, method, section, 1)))


def test_heavy_listeners_are_cut_to_the_cap(spark, similarity, shuffle_partitions, monkeypatch):
    shuffle_partitions(2)
    dense = np.zeros((12, 60), dtype=np.float32)
    dense[0] = 1  # one listener has everything, the others two or three tracks each
    for u in range(1, 12):
        dense[u, [u, u + 1, 3 * u]] = 1
    user_item = spark.createDataFrame(frame_of(sp.csr_matrix(dense)))
    section = similarity(neighbours=60, max_tracks_per_user=10)
    entries = distributed._entries(user_item, "user_index", "item_index")
    kept: dict[int, set[tuple[int, int]]] = {}
    for seed in (1, 1, 2):
        capped, totals = distributed._capped(entries.repartition(3), 10, seed)
        drawn = {(row.u, row.i) for row in capped.collect()}
        assert len([i for u, i in drawn if u == 0]) == 10
        assert {pair for pair in drawn if pair[0]} == {(u, i) for u, i in zip(*np.nonzero(dense), strict=True) if u}
        assert kept.setdefault(seed, drawn) == drawn
        assert totals.interactions == len(drawn)
    assert kept[1] != kept[2]
    cut = np.zeros_like(dense)
    cut[tuple(zip(*kept[1], strict=True))] = 1
    found = collected(distributed.track_neighbours(user_item, "cooccurrence", section, 1))
    assert_same(found, as_rows(neighbours.track_neighbours(sp.csr_matrix(cut), "cooccurrence", section, 1)))


def test_nothing_heard(spark, similarity):
    empty = spark.createDataFrame([], "user_index int, item_index int, weight float")
    assert distributed.track_neighbours(empty, "bm25", similarity(), SEED).count() == 0
