"""The digest of a table depends on every cell and on nothing else."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
from typing import Any

import pytest

from musai.tables import TABLES, Column, Table
from musai.warehouse import schema_of, small_file, typed
from musai.warehouse.digests import digest, digest_columns

NAN = float("nan")
# column: type, value, values that differ from it
CELLS: dict[str, tuple[str, Any, list[Any]]] = {
    "text": ("string", "Ünï", [None, "", "Ünï ", "NULL", "\x00"]),
    "more_text": ("string", None, ["Ünï", ""]),
    "whole": ("bigint", 2**53, [None, 2**53 + 1, 0, -(2**53)]),
    "small": ("int", 1, [None, 0, 2]),
    "number": ("double", 0.1, [None, 0.1 + 2**-55, NAN, float("inf")]),
    "single": ("float", 0.5, [None, 0.5 + 2**-24]),
    "exact": ("decimal(10,2)", decimal.Decimal("1.10"), [None, decimal.Decimal("1.11")]),
    "truth": ("boolean", False, [None, True]),
    "day": ("date", dt.date(2026, 1, 1), [None, dt.date(2026, 1, 2)]),
    "at": ("timestamp", dt.datetime(2026, 1, 1, 0, 0, 0, 1, dt.UTC), [None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]),
    "blob": ("binary", b"\x00\xff", [None, b"", b"\x00", b"\x00\xff\x00"]),
    "vector": ("array<float>", [1.0, None], [None, [], [1.0], [None, 1.0], [1.0, 0.0], [None] * 2, [1.0, None, None]]),
    "numbers": ("array<double>", [1.0, 2.0], [None, [2.0, 1.0], [1.0], [1.0, NAN], [1.0, 2.0, None]]),
    "texts": ("array<string>", ["a", None], [None, [], ["a"], [None, "a"], ["a", "null"], ["a,null"], ["a", ""]]),
    "more_texts": ("array<string>", ["b"], [None, ["a", None], ["a", "b"], []]),
    "shares": (
        "map<string,float>",
        {"a": 0.5, "b": None},
        [None, {}, {"a": 0.5}, {"a": None, "b": 0.5}, {"a": 0.5, "c": None}],
    ),
    "parts": (
        "struct<run:int,nearest:string,verdict:string>",
        (1, "x", None),
        [None, (1, None, "x"), (None, "x", None), (1, "x", ""), (None, None, None)],
    ),
}  # fmt: skip
PROBE = Table(
    "probe", "nightly", (), ("job",), (), tuple(Column(n, c[0], f"of {n}") for n, c in CELLS.items()), "A probe."
)
ROW = tuple(cell[1] for cell in CELLS.values())


def variants() -> dict[str, list[tuple[Any, ...]]]:
    """Tables of three rows, two of which are always the same; every one differs from every other."""
    other = tuple(None for _ in ROW)
    found = {
        "as it is": [ROW, other, ROW], "a row less": [ROW, other], "a row more": [ROW, other, ROW, ROW],
        "another row twice": [ROW, other, other], "no row": [],
    }  # fmt: skip
    for index, (name, (_, value, others)) in enumerate(CELLS.items()):
        for number, instead in enumerate(others):
            assert repr(instead) != repr(value)
            found[f"{name} {number}"] = [(*ROW[:index], instead, *ROW[index + 1 :]), other, ROW]
    return found


def test_every_changed_cell_null_or_row_changes_the_digest(spark) -> None:
    rows = [(name, *row) for name, table in variants().items() for row in table]
    fields = ", ".join(f"{column.name} {column.type}" for column in PROBE.columns)
    frame = spark.createDataFrame(rows, f"variant string, {fields}")
    measured = frame.groupBy("variant").agg(*digest_columns(PROBE)).collect()
    digests = {row["variant"]: digest(row.asDict()) for row in measured}
    digests["no row"] = measured_digest(frame.where("false"))
    assert set(digests) == set(variants())
    same = [pair for pair in itertools.combinations(digests, 2) if digests[pair[0]] == digests[pair[1]]]
    assert same == []
    assert all(len(value) == 64 for value in digests.values())


def test_order_partitions_time_zone_and_the_order_of_a_map_do_not_change_it(spark) -> None:
    from pyspark.sql import functions as F

    base = spark.range(0, 2000, 1, 3).select(
        *(
            F.when(F.col("id") % 7 != 0, F.lit(f"{cell[1]!r}")).alias(name)
            if cell[0] == "string"
            else F.lit(None).cast(cell[0]).alias(name)
            for name, cell in CELLS.items()
            if name not in ("whole", "number", "vector", "shares", "at")
        ),
        F.col("id").alias("whole"),
        (F.col("id") / 7).alias("number"),
        F.array(F.col("id").cast("float"), F.lit(0.25).cast("float")).alias("vector"),
        F.create_map(F.lit("a"), (F.col("id") / 3).cast("float"), F.lit("b"), F.lit(1.0).cast("float")).alias("shares"),
        F.timestamp_micros(F.col("id")).alias("at"),
    )
    turned = F.create_map(F.lit("b"), F.lit(1.0).cast("float"), F.lit("a"), (F.col("whole") / 3).cast("float"))
    frames = [
        base,
        base.repartition(1),
        base.repartition(8),
        base.orderBy(F.desc("whole")),
        base.withColumn("shares", turned),
    ]
    digests = {measured_digest(frame) for frame in frames}
    try:
        spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
        digests.add(measured_digest(base))
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert len(digests) == 1
    assert digests != {measured_digest(base.where("whole != 5"))}


def measured_digest(frame) -> str:
    return digest(frame.agg(*digest_columns(PROBE)).first().asDict())


@pytest.mark.parametrize("name", TABLES)
def test_every_declared_type_is_one_of_sparks(spark, name: str) -> None:
    schema = schema_of(TABLES[name])
    assert schema.names == TABLES[name].column_names
    assert [field.dataType.simpleString() for field in schema] == [column.type for column in TABLES[name].columns]
    assert [field.metadata["comment"] for field in schema] == [column.comment for column in TABLES[name].columns]


def test_typed_orders_casts_and_drops(spark) -> None:
    from pyspark.errors import AnalysisException, PySparkException

    frame = spark.sql("SELECT 'x' AS extra, 2 AS plays, 3 AS interactions, 'u' AS user_id, 1L AS user_index")
    found = typed(frame, TABLES["users"])
    assert [(field.name, field.dataType, field.metadata) for field in found.schema] == [
        (field.name, field.dataType, field.metadata) for field in schema_of(TABLES["users"])
    ]
    (row,) = found.collect()
    assert row.asDict() == {"user_index": 1, "user_id": "u", "interactions": 3, "plays": 2.0}
    with pytest.raises(AnalysisException, match="plays"):
        typed(frame.drop("plays"), TABLES["users"])
    with pytest.raises(PySparkException, match="OVERFLOW"):
        typed(frame.selectExpr("*").withColumn("user_index", frame.user_index + 2**40), TABLES["users"]).collect()


def test_a_small_file_is_as_spark_would_write_it(spark, tmp_path) -> None:
    at = dt.datetime(2026, 1, 1, 12, 0, 0, 5, dt.UTC)
    row = {"job": "a", "attempt": 1, "started_at": at, "seconds": 0.5, "rows_read": None, "status": "done"}
    (tmp_path / "part-0.parquet").write_bytes(small_file([row], TABLES["job_log"]))
    frame = spark.read.parquet(str(tmp_path))
    assert frame.schema == schema_of(TABLES["job_log"])
    found = frame.selectExpr("*", "unix_micros(started_at) AS micros").first().asDict()
    assert found["micros"] == int(at.timestamp()) * 10**6 + 5
    assert (found["job"], found["seconds"], found["rows_read"], found["message"]) == ("a", 0.5, None, None)
