"""A declared table in Spark's terms: its schema, its rows in that schema, and the digest over them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musai import tables
from musai.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType, StructType

HASH_SEEDS = (42, 4242)  # two independent 64-bit hashes a row
SUMS = ("rows", "low0", "high0", "low1", "high1")  # what digest_columns measures
SERVED_ROWS = (
    20_000  # in a row group: a reader unpacks a whole one to find a few rows (see tests/benchmarks/serving.py)
)


def schema_of(table: Table) -> StructType:
    """The declared schema, with each column's comment."""
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(c.name, _type(c.type), True, {"comment": c.comment}) for c in table.columns])


def _type(text: str) -> DataType:
    from pyspark.sql.types import DataType

    return DataType.fromDDL(text)


def typed(frame: DataFrame, table: Table) -> DataFrame:
    """The declared columns in the declared order, types and comments; a missing one is an error of the caller."""
    from pyspark.sql import functions as F

    return frame.select(
        *(F.col(c.name).cast(c.type).alias(c.name, metadata={"comment": c.comment}) for c in table.columns)
    )


def small_file(rows: Sequence[Mapping[str, Any]], table: Table) -> bytes:
    """A Parquet file of a few rows that need no Spark job; types and comments are as Spark would write them."""
    return file_of(batch_of(rows, table))


def batch_of(rows: Sequence[Mapping[str, Any]], table: Table) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist(list(rows), arrow_schema(table))


def file_of(batch: pa.RecordBatch) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.Table.from_batches([batch]), content)
    return content.getvalue()


def arrow_schema(table: Table) -> pa.Schema:
    """The declared schema for files that Spark does not write; types and comments are read as if it had."""
    from pyspark.sql.pandas.types import to_arrow_schema

    schema = schema_of(table)
    footer = {"org.apache.spark.sql.parquet.row.metadata": schema.json()}
    return to_arrow_schema(schema, timezone="UTC").with_metadata(footer)


def hashed_columns(table: Table) -> list[tables.Column]:
    return [column for column in table.columns if column.name != "created_run_id"]


def digest_columns(table: Table) -> list[Column]:
    """Rows, and exact sums of 28-bit parts of two hashes a row: no order, partition or core count changes them.

    With unique keys the set of rows is the sequence of rows in key order, so this is a digest over that sequence
    that needs no sort. 0.0 and -0.0 are one number to it, and so are all NaN. A column that names a run is no part of
    it: two runs of the same input and seed have the same digests.
    """
    from pyspark.sql import functions as F

    parts = [part for column in hashed_columns(table) for part in _parts(column.name, _type(column.type))]
    sums = [F.count(F.lit(1)).alias("rows")]
    mask = F.lit((1 << 28) - 1)
    for number, seed in enumerate(HASH_SEEDS):
        hashed = F.xxhash64(F.lit(seed), *parts)
        sums.append(F.sum(hashed.bitwiseAND(mask)).alias(f"low{number}"))
        sums.append(F.sum(F.shiftrightunsigned(hashed, 36)).alias(f"high{number}"))
    return sums


def _parts(name: str, kind: DataType) -> list[Column]:
    """What is hashed of a column. xxhash64 skips nulls, also those within arrays and structs, and sees no ends of
    arrays; vectors get their size and (where there are any) their nulls beside them, other nested values are JSON."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import ArrayType, DoubleType, FloatType, MapType, StructType

    value = F.col(name)
    if isinstance(kind, ArrayType) and isinstance(kind.elementType, DoubleType | FloatType):
        has_nulls = F.isnull(F.array_contains(value, F.lit(float("nan")).cast(kind.elementType)))
        return [F.isnull(value), F.size(value), F.when(has_nulls, F.transform(value, F.isnull)), value]
    if isinstance(kind, MapType):
        value = F.sort_array(F.map_entries(value))
    if isinstance(kind, ArrayType | MapType | StructType):
        value = F.to_json(value, {"ignoreNullFields": "false", "timeZone": "UTC"})
    return [F.isnull(value), value]


def digest(measured: Mapping[str, Any]) -> str:
    """sha256 over what `digest_columns` gave."""
    values = {key: int(measured[key] or 0) for key in measured if key == "rows" or key[:-1] in ("low", "high")}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
