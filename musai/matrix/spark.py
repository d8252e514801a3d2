"""Builds users, items and the matrix from `interactions`: the passes of `building` over its files, a task each."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator, Mapping

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from musai.config import Matrix
from musai.errors import MusaiError
from musai.matrix import building
from musai.matrix.reading import data_files, read_table
from musai.session import each_number
from musai.storage import file_system
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

PLACE_BITS = 33  # of monotonically_increasing_id: the row's place in its partition
SUMS = ("interactions", *building.EXACT)
FILE = {"file": pa.int64(), "users": pa.int64(), "first": pa.string(), "last": pa.string()}
TRACK = {"track_id": pa.string(), **dict.fromkeys(SUMS, pa.int64())}
COUNTED = "file bigint, users bigint, first string, last string, track_id string, " + ", ".join(
    f"{name} bigint" for name in SUMS
)

Batches = Iterator[pa.RecordBatch]


@dataclasses.dataclass(frozen=True)
class Counted:
    """What the first pass over the files of `interactions` found. starts: the index of the first listener of each file;
    totals: over all listeners; items: track_id, interactions, plays."""

    uri: str
    starts: tuple[int, ...]
    totals: building.Totals
    items: DataFrame
    found: DataFrame

    def release(self) -> None:
        """When the items are written."""
        self.found.unpersist()


def count(session: SparkSession, uri: str, until: dt.datetime) -> Counted:
    """The first pass over the interactions under `uri`. `until`: the end of the run date.

    Raises MusaiError where their files, by name, are not in the order of user_id.
    """
    names = data_files(uri)[1]

    def look(number: int) -> Batches:
        found = building.count(file_system(uri)[0], names[number])
        heard = dict(zip(building.EXACT, found.heard, strict=True))
        told = {"file": number, "users": found.users, "first": found.first, "last": found.last, **heard}
        yield _widened({name: pa.array([value]) for name, value in told.items()}, 1)
        for batch in found.tracks.to_batches(task_files.GROUP_ROWS):
            yield _widened({name: batch[name] for name in TRACK}, batch.num_rows)

    found = each_number(session, len(names), look, COUNTED).persist(StorageLevel.DISK_ONLY)
    files = found.where("file IS NOT NULL").orderBy("file").collect()
    ends = [(row["first"], row["last"]) for row in files if row["users"]]
    if any(before[1] >= after[0] for before, after in itertools.pairwise(ends)):
        raise MusaiError(f"{uri}: the files of the interactions are not in the order of user_id")
    *starts, users = itertools.accumulate((row["users"] for row in files), initial=0)
    whole, high, low = (sum(row[name] for row in files) for name in building.EXACT)
    mean_plays = float(building.plays_of((whole, high, low))) / max(users, 1)
    counted = found.where("track_id IS NOT NULL").groupBy("track_id")
    items = counted.agg(F.sum("interactions").alias("interactions"), F.expr(building.PLAYS_SQL).alias("plays"))
    return Counted(uri, tuple(starts), building.Totals(users, mean_plays, until), items, found)


def _widened(columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Rows of COUNTED, null where there is no column."""
    kinds = FILE | TRACK
    return pa.record_batch({name: columns.get(name, pa.nulls(rows)).cast(kind) for name, kind in kinds.items()})


def indexed(counted: DataFrame, id_column: str, index_column: str) -> DataFrame:
    """One row an id, once each in `counted`, with a dense index from 0 in the order of the id (by bytes).

    Sorted by ranges, in parallel: an id's index is its place in its partition plus the sizes of those before. The
    ranges are drawn by sample, so the rows are kept on the executors' disks (until nobody holds the frame any more).
    """
    partitions = int(counted.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    place = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << PLACE_BITS) - 1)).alias("place")
    placed = (
        counted.repartitionByRange(partitions, id_column)
        .sortWithinPartitions(id_column)
        .select("*", F.spark_partition_id().alias("part"), place)
        .localCheckpoint(True, StorageLevel.DISK_ONLY)
    )
    sizes = placed.groupBy("part").agg(F.count(F.lit(1)).alias("size"))
    before = F.sum("size").over(Window.orderBy("part").rowsBetween(Window.unboundedPreceding, -1))
    starts = F.broadcast(sizes.select("part", F.coalesce(before, F.lit(0)).alias("start")))
    index = (F.col("start") + F.col("place")).cast("int").alias(index_column)
    return placed.join(starts, on="part", how="inner").select(index, *counted.columns)


def build(
    session: SparkSession, counted: Counted, items: str, settings: Matrix, places: Mapping[str, Place]
) -> list[Row]:
    """The second pass: write users, user_item and unweighted to their places; the files as rows of `task_files.PARTS`.

    `items`: where that table lies (URI).
    """
    uri, starts, totals = counted.uri, counted.starts, counted.totals
    names = data_files(uri)[1]

    def work(number: int) -> Batches:
        known = read_table(items, ["item_index", "track_id", "interactions"])
        rows = building.build(file_system(uri)[0], names[number], starts[number], known, totals, settings)
        return task_files.stored(rows, places, number)

    return each_number(session, len(names), work, task_files.PARTS).collect()
