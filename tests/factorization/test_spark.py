"""ALS in a real Spark session: one task against the same call made directly, and MLlib against `implicit`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

from musai import config
from musai.errors import InputError, MusaiError
from musai.factorization import als, devices
from musai.factorization.spark import (
    ARROW_SCHEMA,
    Side,
    _batches,
    mllib_blocks,
    train_in_one_task,
    train_mllib,
)
from musai.tables import TABLES
from musai.warehouse.digests import arrow_schema
from musai.warehouse.task_files import Place

SCHEMA = "user_index int, item_index int, weight float"
USERS, ITEMS = 60, 40


def settings(**changes: Any) -> config.Factorization:
    chosen = {"device": "cpu", "factors": 8, "iterations": 10, "regularization": 0.05, "alpha": 10.0}
    chosen |= {"regularization_exponent": 0, **changes}
    return config.load([], [f"factorization.{key}={value}" for key, value in chosen.items()]).factorization


@pytest.fixture
def matrix() -> csr_matrix:
    """Some users and tracks have no weight, the last of each among them."""
    found = random_sparse(USERS, ITEMS, 0.15, format="lil", dtype=np.float32, random_state=0)
    found[[3, USERS - 1], :] = 0
    found[:, [5, ITEMS - 1]] = 0
    return found.tocsr()


def frame(spark: SparkSession, matrix: csr_matrix) -> DataFrame:
    flat = matrix.tocoo()
    rows = [(int(u), int(i), float(w)) for u, i, w in zip(flat.row, flat.col, flat.data, strict=True)]
    return spark.createDataFrame(rows, SCHEMA)


def written(spark: SparkSession, matrix: csr_matrix, path: pathlib.Path, partitions: int = 2) -> str:
    frame(spark, matrix).repartition(partitions).write.parquet(str(path))
    assert len(list(path.glob("*.parquet"))) == partitions
    return str(path)


def gathered(found: DataFrame) -> als.Factors:
    """The rows by index; every index has to be there once."""
    assert found.columns == ["side", "row_index", "factors"]
    sides = {}
    for side in ("user", "track"):
        rows = sorted((row.row_index, row.factors) for row in found.where(f"side = '{side}'").collect())
        assert [index for index, _ in rows] == list(range(len(rows)))
        sides[side] = np.array([factors for _, factors in rows], np.float32)
    assert found.count() == len(sides["user"]) + len(sides["track"])
    return als.Factors(sides["user"], sides["track"])


@dataclasses.dataclass
class Trained:
    """What the task has written, by table and by file name."""

    session: SparkSession
    folder: pathlib.Path

    def __call__(self, path: str, users: int = USERS, items: int = ITEMS, **changes: Any) -> dict[str, pa.Table]:
        sides = {}
        every = (("user", users, "user_index", "user_id"), ("track", items, "item_index", "track_id"))
        for side, rows, index, name in every:
            ids = {index: pa.array(range(rows), pa.int32()), name: [f"{side} {number}" for number in range(rows)]}
            table, where = pa.table(ids).take(np.random.default_rng(0).permutation(rows)), self.folder / f"{side}s"
            where.mkdir(exist_ok=True)
            pq.write_table(table, where / "part-0.parquet")
            sides[side] = Side(rows, str(where), index, name, f"{side}_factors")
        places = {
            table: Place(str(self.folder / table), arrow_schema(TABLES[table]))
            for table in ("als_factors", "user_factors", "track_factors")
        }
        parts = train_in_one_task(self.session, path, sides, settings(**changes), 0, places)
        return {part["table"]: pq.read_table(self.folder / part["table"] / part["name"]) for part in parts}


@pytest.fixture
def trained(spark: SparkSession, tmp_path: pathlib.Path) -> Trained:
    (tmp_path / "out").mkdir()
    return Trained(spark, tmp_path / "out")


@pytest.mark.parametrize("partitions", [1, 4])
def test_one_task_is_the_same_as_a_direct_call(
    spark: SparkSession, matrix: csr_matrix, tmp_path: pathlib.Path, partitions: int, trained: Trained
) -> None:
    path = written(spark, matrix, tmp_path / "user_item", partitions)
    found = trained(path)
    direct = als.train(matrix, settings(), seed=0, threads=1)
    for side, due in (("user", direct.users), ("track", direct.tracks)):
        by_id, rows = found[f"{side}_factors"], found["als_factors"].filter(pc.field("side") == side)
        assert by_id[f"{side}_id"].to_pylist() == [f"{side} {number}" for number in range(len(due))]
        assert rows["row_index"].to_pylist() == list(range(len(due)))
        for table in (by_id, rows):
            np.testing.assert_array_equal(np.array(table["factors"].to_pylist(), np.float32), due)
    assert not direct.users[[3, USERS - 1]].any()
    assert not direct.tracks[[5, ITEMS - 1]].any()


def test_errors_of_the_task_keep_their_class_and_text(
    spark: SparkSession, matrix: csr_matrix, tmp_path: pathlib.Path, trained: Trained
) -> None:
    path = written(spark, matrix, tmp_path / "user_item")
    with pytest.raises(InputError) as wrong_size:
        trained(path, items=10)
    assert wrong_size.value.faults == [f"{path}: item_index runs from 0 to 38, not within 0 to 9"]
    matrix.data[0] = np.nan
    with pytest.raises(InputError, match="weights must be finite and > 0"):
        trained(written(spark, matrix, tmp_path / "nan"))
    with pytest.raises(MusaiError) as diverged:
        trained(path, regularization=0, alpha=1e37)
    assert (type(diverged.value), str(diverged.value)) == (MusaiError, als.DIVERGED)


def test_what_is_known_beforehand_starts_no_task(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose", lambda device: "gpu")
    sides = {side: Side(rows, "/nowhere", "", "", "") for side, rows in (("user", 2**25), ("track", ITEMS))}
    with pytest.raises(InputError, match="33,554,432 users x 64 factors"):
        train_in_one_task(spark, "/nowhere", sides, settings(factors=64), 0, {})


@pytest.mark.parametrize(("rows", "width"), [(0, 8), (1, 8), (3, 1 << 20), (1000, 4096)])
def test_batches_hold_every_row_in_order(rows: int, width: int) -> None:
    factors = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    batches = list(_batches("user", factors))
    assert all(batch.schema == ARROW_SCHEMA for batch in batches)
    assert sum(len(batch) for batch in batches) == rows
    assert [index for batch in batches for index in batch["row_index"].to_pylist()] == list(range(rows))
    if rows:
        flat = np.concatenate([batch["factors"].values.to_numpy() for batch in batches])
        np.testing.assert_array_equal(flat.reshape(rows, width), factors)
        assert {side for batch in batches for side in batch["side"].to_pylist()} == {"user"}


def planted() -> tuple[csr_matrix, np.ndarray]:
    """Four groups of 10 users and 5 tracks; a user has 4 of the group's tracks, a track 8 of its users.

    Returns the weights and, bool [40, 20], who belongs to which track's group.
    """
    rng = np.random.default_rng(0)
    same = np.kron(np.eye(4), np.ones((10, 5))).astype(bool)
    weight = same * rng.uniform(0.5, 3, same.shape)
    for user in range(40):
        weight[user, 5 * (user // 10) + user % 5] = 0
    return csr_matrix(weight.astype(np.float32)), same


def test_mllib_and_implicit_agree(spark: SparkSession) -> None:
    """All users have one degree (4) and all tracks one (8): then the two minimise the same sum, though MLlib's penalty
    is 4 regParam on one side and 8 regParam on the other, and their products agree number by number."""
    matrix, same = planted()
    chosen = settings(factors=4, iterations=20, regularization=2.0, alpha=3.0)
    direct = als.train(matrix, chosen, seed=1, threads=1)
    distributed = gathered(train_mllib(frame(spark, matrix), 40, 20, chosen, seed=1))
    products = [found.users @ found.tracks.T for found in (direct, distributed)]
    np.testing.assert_allclose(products[1], products[0], atol=0.01)
    unheard = same & (matrix.toarray() == 0)
    for product in products:
        for user in range(40):
            assert product[user][unheard[user]].min() > product[user][~same[user]].max() + 0.1


def test_mllib_leaves_nothing_behind(spark: SparkSession, matrix: csr_matrix, tmp_path: pathlib.Path) -> None:
    """It has to write between sweeps: without, a plan of 20 sweeps overflows the stack of a JVM that is cold."""
    chosen = settings(factors=2, iterations=6)
    found = train_mllib(frame(spark, matrix), USERS, ITEMS, chosen, seed=0, checkpoints=str(tmp_path))
    assert str(tmp_path) in (spark.sparkContext.getCheckpointDir() or "")
    assert list(tmp_path.iterdir()) == []
    assert found.count() == USERS + ITEMS


def test_mllib_on_other_partitions_gives_the_same_scores(spark: SparkSession, matrix: csr_matrix) -> None:
    pairs = frame(spark, matrix)
    one, four = (
        gathered(train_mllib(pairs.repartition(number), USERS, ITEMS, settings(iterations=4), seed=0))
        for number in (1, 4)
    )
    np.testing.assert_allclose(four.users @ four.tracks.T, one.users @ one.tracks.T, atol=1e-4)
    assert (one.users.shape, one.tracks.shape) == ((USERS, 8), (ITEMS, 8))
    assert not one.users[[3, USERS - 1]].any()
    assert not one.tracks[[5, ITEMS - 1]].any()
    assert one.users[0].any()


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 0.0, -1.0, None])
def test_mllib_refuses_a_weight_that_is_none(spark: SparkSession, weight: float | None) -> None:
    pairs = spark.createDataFrame([(0, 0, 1.0), (0, 1, weight)], SCHEMA)
    with pytest.raises(InputError, match="1 are not"):
        train_mllib(pairs, 1, 2, settings(), seed=0)


def test_mllib_without_any_weight(spark: SparkSession) -> None:
    found = gathered(train_mllib(spark.createDataFrame([], SCHEMA), 3, 2, settings(), seed=0))
    assert (found.users.shape, found.tracks.shape) == ((3, 8), (2, 8))
    assert not found.users.any()


def test_mllib_settings_by_hand() -> None:
    # 40 users of 4 weights and 20 tracks of 8: penalties 4 r and 8 r, of which the geometric mean is to be 2
    assert als.mllib_regularization(2.0, entries=160, users=40, items=20) == pytest.approx(2.0 / np.sqrt(4 * 8))
    sizes = [1, 100_000, 100_001, 10**6, 10**8, 2 * 10**8 + 1, 10**10]
    assert [mllib_blocks(entries) for entries in sizes] == [1, 1, 2, 10, 10, 11, 500]
