"""Rows of an input as Spark reads them: every line of every file, with its place and why it cannot be parsed.

A `Rows` is one group of files (`headers.py`). Its frame has these columns, and one for each field that the group has:

    _file _block _row   file and split, and a number that counts up with the lines of the split
    _line               the line (Parquet: the row) from 1, where it is known without counting; else null
    _raw                the row's bytes, in UTF-8 where it could be decoded
    _kind _reason       see `lines.py`

Line numbers of what Spark splits are counted in a second pass (`rejects`), over the files that need it alone.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import urllib.parse
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from musai.errors import InputError
from musai.inputs import headers, lines, listing, parquet_types, places, records, splits
from musai.inputs.headers import Group, Survey, reason_of
from musai.inputs.listing import Entry
from musai.inputs.sources import Source
from musai.session import each_number

VERIFIED_BY_DRIVER = 256 * 2**20  # bytes of gzip and Parquet up to which the driver reads them through itself
SETTINGS = {
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # pandas writes nanoseconds; Spark knows none
    "spark.sql.codegen.hugeMethodLimit": "8000",  # Java does not compile longer methods, Spark has a way around them
}
READER = {
    # Names are taken as they stand. Without the second, Spark reads all of a folder for a file named x[1].csv.
    "__globPaths__": "false",
    "recursiveFileLookup": "true",
    # Without Hadoop's checksum files, for which a name may hold no colon and a file may not be edited.
    "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "fs.file.impl.disable.cache": "true",
}
SHOWN_BYTES = 4 * places.RAW_CHARACTERS
PLACE = ("_file", "_block", "_row", "_line")
ORDER = ("url_decode(replace(_file, '+', '%2B'))", "_block", "_row")  # expressions: by file, then by line


@dataclasses.dataclass(frozen=True)
class Rows:
    """`types` are the Spark types of the fields; a field that the files lack is in neither."""

    frame: DataFrame
    types: Mapping[str, str]


def read(spark: SparkSession, survey: Survey) -> list[Rows]:
    """The rows of each group."""
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    if spark.conf.get("spark.sql.files.minPartitionNum", None) is None:  # files are split alike whenever they are read
        spark.conf.set("spark.sql.files.minPartitionNum", str(spark.sparkContext.defaultParallelism))
    found = []
    for group in survey.groups:
        if group.form.kind == "parquet":
            found.append(_parquet(spark, group))
        else:
            found.append(_text(spark, survey.source, group))
    return found


def united(rows: Sequence[Rows], fields: Sequence[str]) -> DataFrame:
    """All groups in one frame, with a text column for each field, null where a group lacks it."""
    frames = []
    for group in rows:
        columns = [F.col(f) if f in group.types else F.lit(None).cast("string").alias(f) for f in fields]
        frames.append(group.frame.select(*PLACE, "_raw", "_kind", "_reason", *columns))
    return functools.reduce(DataFrame.union, frames)


# -- text -----------------------------------------------------------------------------------------------------------


def _text(spark: SparkSession, source: Source, group: Group) -> Rows:
    if _by_python(source, group):
        frame = _python_lines(spark, source, group)
    elif source.encoding == "utf-8":
        valid, raw = F.expr("is_valid_utf8(value)").alias("_valid"), F.col("value").cast("binary").alias("_raw")
        frame = _spark_lines(spark, group).select(*PLACE, F.col("value").alias("_text"), valid, raw)
    else:
        coded = _spark_lines(spark, group).select(*PLACE, F.col("value").cast("binary"))
        schema = "_file string, _block bigint, _row bigint, _line bigint, _text string, _valid boolean, _raw binary"
        frame = coded.mapInArrow(_decoder(source.encoding), schema)
    if group.form.kind == "json":
        stages = lines.json_object(group.columns, source.encoding)
    else:
        separator, quote = group.form.separator or "", source.format.quote
        stages = lines.delimited(separator, quote, group.header, group.width, group.columns, source.encoding)
    for stage in stages:
        frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
    fields = [field for field, _ in group.columns]
    return Rows(frame.select(*PLACE, "_raw", "_kind", "_reason", *fields), dict.fromkeys(fields, "string"))


def _by_python(source: Source, group: Group) -> bool:
    multiline = source.multiline and source.format.quote != "" and group.form.kind == "csv"
    return multiline or source.wide


def _spark_lines(spark: SparkSession, group: Group) -> DataFrame:
    return _scan(spark, group).select(
        F.col("_metadata.file_path").alias("_file"),
        F.col("_metadata.file_block_start").alias("_block"),
        F.monotonically_increasing_id().alias("_row"),
        F.lit(None).cast("bigint").alias("_line"),
        "value",
    )


def _scan(spark: SparkSession, group: Group) -> DataFrame:
    return spark.read.options(**READER).text([entry.spark_path for entry in group.entries])


def _decoder(encoding: str) -> Any:
    def decode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = [records.decoded(raw, encoding) for raw in batch.column(4).to_pylist()]
            yield pa.RecordBatch.from_arrays([*batch.columns[:4], *_arrays(found)], names=[*PLACE, *TEXT])

    return decode


TEXT = ("_text", "_valid", "_raw")


def _arrays(found: Sequence[records.Record]) -> list[pa.Array]:
    texts = pa.array([record.text if record.valid else None for record in found], pa.string())
    raws = pa.array([record.shown.encode() for record in found], pa.binary())
    return [texts, pa.array([record.valid for record in found], pa.bool_()), raws]


def _python_lines(spark: SparkSession, source: Source, group: Group) -> DataFrame:
    """One task a file."""
    entries, encoding, packed = group.entries, source.encoding, group.form.packed
    separator, quote, multiline = group.form.separator or "", source.format.quote, source.multiline
    multiline = multiline and group.form.kind == "csv"

    def work(number: int) -> Iterator[pa.RecordBatch]:
        with listing.opened(entries[number].path) as raw:
            stream = listing.unpacked(raw) if packed else raw
            waiting: list[records.Record] = []
            for record in records.records(stream, encoding, separator, quote, multiline):
                waiting.append(record)
                if len(waiting) == 4096:
                    yield _batch(entries[number], waiting)
                    waiting = []
            yield _batch(entries[number], waiting)

    schema = "_file string, _block bigint, _row bigint, _line bigint, _text string, _valid boolean, _raw binary"
    return each_number(spark, len(entries), work, schema)


def _batch(entry: Entry, found: Sequence[records.Record]) -> pa.RecordBatch:
    number = pa.array([record.line for record in found], pa.int64())
    file = pa.array([urllib.parse.quote(entry.spark_path, safe="/:")] * len(found), pa.string())
    zero = pa.array([0] * len(found), pa.int64())
    return pa.RecordBatch.from_arrays([file, zero, number, number, *_arrays(found)], names=[*PLACE, *TEXT])


# -- Parquet --------------------------------------------------------------------------------------------------------


def _parquet(spark: SparkSession, group: Group) -> Rows:
    columns = dict(group.columns)
    by_column = dict(zip(columns.values(), group.types, strict=True))
    schema = ", ".join(f"{_quoted(column)} {type_.split(' ')[0]}" for column, type_ in by_column.items())
    reader = spark.read.schema(schema).options(**READER, datetimeRebaseMode="CORRECTED", int96RebaseMode="CORRECTED")
    frame = reader.parquet(*[entry.spark_path for entry in group.entries])
    zone = str(spark.conf.get("spark.sql.session.timeZone"))
    fields, types = {}, {}
    for (field, column), type_ in zip(group.columns, group.types, strict=True):
        fields[field], types[field] = _typed(field, _quoted(column), type_, zone)
    texts = [_quoted(column) for column, type_ in by_column.items() if type_ in ("string", "binary")]
    valid = " AND ".join(f"coalesce(is_valid_utf8(CAST({text} AS string)), true)" for text in texts) or "true"
    shown = [F.concat(F.lit(f"{column}="), F.coalesce(F.expr(_quoted(column)).cast("string"), F.lit("null")))
             for column in by_column]  # fmt: skip
    place: list[Column] = [
        F.col("_metadata.file_path").alias("_file"),
        F.lit(0).cast("bigint").alias("_block"),
        (F.col("_metadata.row_index") + 1).alias("_row"),
        (F.col("_metadata.row_index") + 1).alias("_line"),
        F.concat_ws(", ", *shown).cast("binary").alias("_raw"),
        F.lit(None).cast("string").alias("_kind"),
        F.expr(f"CASE WHEN NOT ({valid}) THEN 'not valid utf-8' END").alias("_reason"),
    ]
    return Rows(frame.select(*place, *(F.expr(sql).alias(field) for field, sql in fields.items())), types)


def _quoted(column: str) -> str:
    return f"`{column.replace('`', '``')}`"


def _typed(field: str, column: str, type_: str, zone: str) -> tuple[str, str]:
    """The expression of a field, and its type: text but for numbers of plays, moments, days, truth and lists."""
    if type_ in ("double", "float") and field not in ("plays", "timestamp"):  # pandas makes 7.0 of an id beside nulls
        whole = f"{column} = rint({column}) AND abs({column}) < 9007199254740992"
        number = f"CASE WHEN {whole} THEN CAST(CAST({column} AS bigint) AS string) ELSE CAST({column} AS string) END"
        return f"CASE WHEN NOT isnan({column}) THEN {number} END", "string"
    if type_ == "array<string>":
        return column, type_
    if field == "explicit" and type_ == "boolean":
        return column, "boolean"
    if field == "plays" and type_ not in ("string", "binary", "date", "timestamp", "timestamp_ntz"):
        return f"CAST({f'CAST({column} AS string)' if type_ == 'float' else column} AS double)", "double"
    if field in ("timestamp", "release_date"):
        if type_ in (parquet_types.NANOS, parquet_types.NANOS_UTC):
            column = f"timestamp_micros({column} div 1000 - if({column} % 1000 < 0, 1, 0))"
            if type_ == parquet_types.NANOS:  # so far as if in UTC
                column = f"to_utc_timestamp({column}, {lines.literal(zone)})"
            type_ = "timestamp"
        if type_ in ("timestamp", "timestamp_ntz", "date"):
            wanted = "timestamp" if field == "timestamp" else "date"
            return _clamped(column, type_, wanted), wanted
    return f"CAST({column} AS string)", "string"


def _clamped(column: str, type_: str, wanted: str) -> str:
    """A moment or day as another type. Those before the year 1 or after 9999, where the cast could overflow, become
    the end of time on their side."""
    if type_ == wanted:
        return column
    first, last = (f"{type_.upper()}'{day}'" for day in ("0001-01-01", "9999-12-31"))
    ends = [f"timestamp_micros({sign}9223372036854775807)" for sign in ("-", "")]
    early, late = ends if wanted == "timestamp" else [f"date_from_unix_date({sign}2000000000)" for sign in ("-", "")]
    return f"""CASE WHEN {column} < {first} THEN {early} WHEN {column} > {last} THEN {late}
        ELSE CAST({column} AS {wanted}) END"""


# -- files that cannot be used, or break while they are read --------------------------------------------------------


def surveyed(spark: SparkSession, source: Source) -> Survey:
    """The files of an input that can be read. Raises InputError where the input cannot be used at all."""
    return usable(verified(spark, usable(headers.survey(source))))


def usable(survey: Survey) -> Survey:
    """The survey itself. Raises InputError where it has faults."""
    if survey.faults:
        raise InputError(survey.faults)
    return survey


def verified(spark: SparkSession, survey: Survey, sound: Container[str] = ()) -> Survey:
    """The survey less the gzip and Parquet files that cannot be read to their end, which Spark would stop at.

    A pass over the wanted columns (Parquet) or all bytes (gzip); nothing is taken from a file that breaks off. The
    files named `sound` were read to their end before.
    """
    tasks = [
        (entry, [column for _, column in group.columns] if group.form.kind == "parquet" else None)
        for group in survey.groups
        for entry in group.entries
        if (group.form.kind == "parquet" or group.form.packed) and entry.name not in sound
    ]
    if sum(entry.size for entry, _ in tasks) <= VERIFIED_BY_DRIVER:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda task: (task[0].name, _broken(*task)), tasks))
    else:
        found = _broken_by_spark(spark, tasks)
    broken = {name: reason for name, reason in found if reason}
    return survey.without(broken) if broken else survey


def _broken(entry: Entry, columns: list[str] | None) -> str | None:
    """Why a file cannot be read to its end; None where it can."""
    try:
        with listing.opened(entry.path) as stream:
            if columns is None:
                packed = listing.unpacked(stream)
                while packed.read(2**20):
                    pass
            else:
                for batch in pq.ParquetFile(stream).iter_batches(columns=columns, use_threads=False):
                    for moments in (column for column in batch.columns if pa.types.is_timestamp(column.type)):
                        moments.cast(pa.timestamp("us", moments.type.tz), safe=moments.type.unit != "ns")
    except (OSError, EOFError, zlib.error, pa.ArrowException, ValueError) as error:
        return f"unreadable {'gzip' if columns is None else 'Parquet'}: {reason_of(error)}"
    return None


def _broken_by_spark(spark: SparkSession, tasks: Sequence[tuple[Entry, list[str] | None]]) -> list[tuple[str, Any]]:
    def look(number: int) -> Iterator[pa.RecordBatch]:
        found = [pa.array([number], pa.int64()), pa.array([_broken(*tasks[number])], pa.string())]
        yield pa.RecordBatch.from_arrays(found, names=["id", "reason"])

    rows = each_number(spark, len(tasks), look, "id bigint, reason string").collect()
    return [(tasks[row["id"]][0].name, row["reason"]) for row in rows]


# -- rejects --------------------------------------------------------------------------------------------------------


def bad_row(unknown: str = "false") -> str:
    """A SQL expression for what `rejects` wants of a row; `unknown`: whether its user could not be told.

    Of a row whose user is known no more than what is shown; of another all that is looked at for erased users.
    """
    return f"""named_struct('file', _file, 'block', _block, 'row', _row, 'line', _line, 'reason', _reason, 'raw',
        substring(_raw, 1, CASE WHEN {unknown} THEN {places.RAW_BYTES} ELSE {SHOWN_BYTES} END), 'unknown', {unknown})"""


def rejects(spark: SparkSession, survey: Survey, bad: DataFrame, erased: Sequence[str] = ()) -> DataFrame:
    """Rows for `rejected_rows`: those of `bad` (the fields of `bad_row`), and files that are rejects as a whole."""
    return described(spark, survey, numbered(spark, survey, bad), named(survey), erased)


def named(survey: Survey) -> dict[str, str]:
    """Path, as `places.plain` gives it, of every file that can be read -> its name."""
    return {places.local(entry.spark_path): entry.name for group in survey.groups for entry in group.entries}


def described(
    spark: SparkSession, survey: Survey, bad: DataFrame, names: Mapping[str, str], erased: Sequence[str]
) -> DataFrame:
    """`rejects` of rows whose `line` is known; `names`: what stands in their `file` -> the input's name of it."""
    by_row = frozenset(name for name in names.values() if name.lower().endswith(".parquet"))
    rows = bad.select("file", "line", "reason", "raw", "unknown")
    frame = rows.mapInArrow(places.described(names, by_row, erased), places.SCHEMA)
    if survey.rejects:
        frame = frame.union(spark.createDataFrame([(name, why, None) for name, why in survey.rejects], places.SCHEMA))
    return frame.select(F.lit(survey.source.name).alias("source"), "place", "reason", "raw")


def numbered(spark: SparkSession, survey: Survey, bad: DataFrame, files: Iterable[str] | None = None) -> DataFrame:
    """`bad` with `line` everywhere. Where Spark splits a file it is counted: the lines of the splits before, and the
    place within the split. `files`: those of the rows without a line, where they are known.

    For this the bytes of every group with a bad row are read once more. It has to be the group as a whole, or Spark
    would put other splits into a task and begin to number rows elsewhere.
    """
    if files is None:
        files = [row["file"] for row in bad.where("line IS NULL").select("file").distinct().collect()]
    plain = {places.plain(file) for file in files}
    dirty = [g for g in survey.groups if not plain.isdisjoint(places.local(entry.spark_path) for entry in g.entries)]
    if not dirty:
        return bad
    found = []
    for group in dirty:
        paths = {places.local(entry.spark_path): entry.path for entry in group.entries}
        found.append(splits.numbered(spark, splits.planned(_scan(spark, group)), paths, group.form.packed))
    counted = F.broadcast(functools.reduce(DataFrame.union, found))
    place = "CASE WHEN row - first BETWEEN 0 AND lines - 1 THEN before + row - first + 1 END"
    numbered = bad.join(counted, ["file", "block"], "left")
    return numbered.withColumn("line", F.coalesce("line", F.expr(place))).select(bad.columns)
