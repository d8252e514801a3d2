"""What Spark's tasks read of text files: the splits in the order a task takes them, and how many lines each holds.

A line belongs to the split that holds the last byte before it, or byte 0, as Hadoop's LineRecordReader has it; breaks
are LF, CR and CR LF. They are counted in the bytes, in a tenth of the time in which Spark would read the lines.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from musai.inputs import listing, places

CHUNK = 2**22
ROW_BITS = 33  # of monotonically_increasing_id; above them is the number of the partition
SCHEMA = pa.schema([("file", pa.string()), *((name, pa.int64()) for name in ("block", "first", "before", "lines"))])


@dataclasses.dataclass(frozen=True)
class Split:
    """`file` is the URI that `_metadata.file_path` gives; `start` and `end` are bytes."""

    partition: int
    file: str
    start: int
    end: int


def planned(scan: DataFrame) -> list[Split]:
    """The splits of a scan of files and nothing else, as it will be run."""
    plan: Any = scan._jdf.queryExecution().executedPlan()
    path: Any = scan.sparkSession.sparkContext._jvm.org.apache.hadoop.fs.Path  # type: ignore[union-attr]
    found = []
    for number, partition in enumerate(plan.collectLeaves().head().inputRDD().partitions()):
        for part in partition.files():
            start, file = part.start(), path(part.filePath().toPath().toString()).toUri().toString()
            found.append(Split(number, file, start, start + part.length()))
    return found


def numbered(spark: SparkSession, splits: list[Split], files: Mapping[str, str], packed: bool) -> DataFrame:
    """Of each split the `monotonically_increasing_id` of its first line, the lines of its file before, and its own.

    `files`: the path of each, by what `places.plain` makes of its URI.
    """
    paths = [files[places.plain(split.file)] for split in splits]

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            indexes = batch.column(0).to_pylist()
            found = [_lines(paths[index], splits[index], packed) for index in indexes]
            yield pa.RecordBatch.from_arrays([batch.column(0), pa.array(found, pa.int64())], names=["id", "lines"])

    tasks = min(len(splits), spark.sparkContext.defaultParallelism)
    rows = spark.range(0, len(splits), 1, tasks).mapInArrow(count, "id bigint, lines bigint").collect()
    lines = {row["id"]: row["lines"] for row in rows}
    first: dict[int, int] = {}
    table = []
    for index, split in enumerate(splits):
        number = first.setdefault(split.partition, split.partition << ROW_BITS)
        first[split.partition] += lines[index]
        table.append((split.file, split.start, number, lines[index]))
    before: dict[str, int] = collections.defaultdict(int)
    found = []
    for file, start, number, own in sorted(table):
        found.append({"file": file, "block": start, "first": number, "before": before[file], "lines": own})
        before[file] += own
    return spark.createDataFrame(pa.Table.from_pylist(found, SCHEMA))


def _lines(path: str, split: Split, packed: bool) -> int:
    with listing.opened(path) as stream:
        if packed:
            return lines_in(listing.unpacked(stream), 0, None)
        stream.seek(split.start)
        return lines_in(stream, split.start, split.end)


def lines_in(stream: IO[bytes], start: int, end: int | None) -> int:
    """Lines of the split of a file that stands at its `start`; an `end` of None is that of the file."""
    found, last, at = 0, b"", start
    while end is None or at < end:
        chunk = stream.read(CHUNK if end is None else min(CHUNK, end - at))
        if not chunk:
            break
        found += chunk.count(b"\n") - (last == b"\r" and chunk.startswith(b"\n"))
        if b"\r" in chunk:
            found += chunk.count(b"\r") - chunk.count(b"\r\n")
        last, at = chunk[-1:], at + len(chunk)
    following = stream.read(1)
    if last in (b"\r", b"\n") and (not following or last + following == b"\r\n"):
        found -= 1  # no line follows, or its break ends in the next split
    return found + (start == 0 and at > 0)
