"""Which Spark type reads a Parquet column, by the type that Arrow finds in the footer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kind

NOTHING = "void"  # nulls only: as if the column were not there
NANOS, NANOS_UTC = "bigint /* ns */", "bigint /* ns, UTC */"  # read as numbers (spark.sql.legacy.parquet.nanosAsLong)

_PLAIN = {
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "int",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20,0)",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.null(): NOTHING,
    pa.date32(): "date",
    pa.date64(): "date",
}


def spark_type(arrow: pa.DataType, physical: str | None) -> str | None:
    """None where neither of them has use for it; `physical` is Parquet's own type of the column."""
    if kind.is_dictionary(arrow):
        arrow = arrow.value_type
    if arrow in _PLAIN:
        return _PLAIN[arrow]
    if kind.is_string(arrow) or kind.is_large_string(arrow) or kind.is_string_view(arrow):
        return "string"
    if kind.is_binary(arrow) or kind.is_large_binary(arrow) or kind.is_binary_view(arrow):
        return "binary"
    if kind.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})" if arrow.precision <= 38 else None
    if kind.is_timestamp(arrow):
        if physical == "INT96":
            return "timestamp"
        if arrow.unit == "ns":
            return NANOS_UTC if arrow.tz else NANOS
        return "timestamp" if arrow.tz else "timestamp_ntz"
    if kind.is_list(arrow) or kind.is_large_list(arrow):
        return "array<string>" if spark_type(arrow.value_type, None) == "string" else None
    return None


def fits(field: str, spark: str) -> bool:
    """Whether a column of the type can hold the field."""
    if field == "tags":
        return spark in ("array<string>", "string", "binary")
    if spark == "array<string>":
        return False
    if field in ("timestamp", "release_date"):
        return spark != "boolean"
    return spark not in (NANOS, NANOS_UTC) and (field == "explicit" or spark != "boolean" or field.endswith("_id"))
