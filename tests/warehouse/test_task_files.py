"""Tables that tasks write: the digest that Spark finds in their files, and no row twice where a task runs twice."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from musai.tables import TABLES
from musai.warehouse import Run, schema_of, task_files
from musai.warehouse.digests import arrow_schema

JOB = "recommend_tracks"
TEXTS = ["", " ", "a", "1234", "12345678", "жук", "音楽 🎵", "x" * 31, "y" * 32, "z" * 33, "é" * 50, "\x00", "null"]


@pytest.fixture
def run(nights) -> Run:
    return nights.begin(1, "r")


def some_lists(rows: int, seed: int) -> pa.RecordBatch:
    draw = np.random.default_rng(seed)
    names = pa.array(TEXTS).take(pa.array(draw.integers(0, len(TEXTS), rows)))
    scores = draw.normal(size=rows).astype(np.float32)
    scores[: min(rows, 4)] = [0.0, -0.0, np.nan, -np.nan][:rows]
    because = pa.array([None if n % 3 else TEXTS[n % len(TEXTS)] for n in range(rows)], pa.string())
    return pa.record_batch(
        {
            "source": names, "user_id": names, "list": names,
            "rank": pa.array(draw.integers(-5, 2**31, rows), pa.int32()), "track_id": names, "score": pa.array(scores),
            "because_track_id": because,
        }
    )  # fmt: skip


def some_factors(rows: int, seed: int) -> pa.RecordBatch:
    vectors = np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)
    vectors[0] = [0.0, -0.0, np.nan]
    ids = pa.array([f"u{n}" for n in range(rows)])
    return pa.record_batch({"user_id": ids, "factors": pa.array(vectors.tolist(), pa.list_(pa.float32()))})


def staged(run: Run, table: str, batches: list[pa.RecordBatch], number: int = 0) -> list[dict]:
    places = {table: task_files.Place(run.storage.uri(run._staged(table)), arrow_schema(TABLES[table]))}
    found = task_files.stored(((table, batch) for batch in batches), places, number)
    return [row for batch in found for row in batch.to_pylist()]


@pytest.mark.parametrize(("table", "made"), [("recommendations", some_lists), ("user_factors", some_factors)])
def test_the_digest_is_that_which_spark_finds(run: Run, spark: SparkSession, table: str, made) -> None:
    batches = [made(300, seed=1), made(1, seed=2).slice(0), made(50, seed=3).slice(7, 20)]
    digest = run.adopt(staged(run, table, batches), table, JOB)["digest"]
    assert run.rows(table) == 321
    assert run.verify(spark, table, JOB) is None
    rows = spark.createDataFrame(run.read(spark, table).collect(), schema_of(TABLES[table]))
    assert run.write(rows, table, JOB)["digest"] == digest
    assert run.write(rows.limit(320), table, JOB)["digest"] != digest


def test_the_files_are_as_spark_writes_them(run: Run, spark: SparkSession) -> None:
    run.adopt(staged(run, "recommendations", [some_lists(45_000, seed=1)]), "recommendations", JOB)
    (file,) = pathlib.Path(run.uri("recommendations")).glob("part-*.parquet")
    metadata = pq.ParquetFile(file).metadata
    assert max(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)) == 20_000
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert spark.read.parquet(str(file)).schema == schema_of(TABLES["recommendations"])  # the comments too


def test_the_files_of_an_attempt_that_does_not_count_are_left_out(run: Run, spark: SparkSession) -> None:
    lost = staged(run, "recommendations", [some_lists(10, seed=1)], number=0)
    parts = staged(run, "recommendations", [some_lists(10, seed=1)], number=0)
    assert lost[0]["name"] != parts[0]["name"]
    more = spark.createDataFrame(
        [("u", "made_for_you", 1, "g", 1.0, "style", None)], schema_of(TABLES["recommendations"])
    )
    run.adopt(parts, "recommendations", JOB, more)
    assert run.read(spark, "recommendations").count() == run.rows("recommendations") == 11
    assert run.verify(spark, "recommendations", JOB) is None
    assert not run.storage.names("_nights/r/staging")


def test_a_table_without_rows_can_be_read(run: Run, spark: SparkSession) -> None:
    run.adopt([], "recommendations", JOB)
    assert run.read(spark, "recommendations").count() == run.rows("recommendations") == 0
    assert run.verify(spark, "recommendations", JOB) is None


def test_what_only_spark_hashes_is_told(run: Run, spark: SparkSession) -> None:
    def vectors() -> Iterator[tuple[str, pa.RecordBatch]]:
        made = some_factors(2, seed=1)
        yield "user_factors", made.set_column(1, "factors", pa.array([[1.0, None], None], pa.list_(pa.float32())))

    with pytest.raises(TypeError, match="nulls among vectors"):
        list(task_files.stored(vectors(), run.staging("user_factors")))
