"""Builds users, items and the matrix from `interactions`."""

from __future__ import annotations

import datetime as dt

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from musai.config import Matrix
from musai.matrix.weighting import weight_sql

# Plays are whole millionths. As three integers they add up exactly in any order, whatever the sum: how often 2^32 is in
# them, and the high and the low 32 bits of the millionths of the rest.
_REST = "cast(rint(({plays} % 4294967296D) * 1e6D) as bigint)"
EXACT_SUM = (
    "((cast(sum(cast(({plays} - {plays} % 4294967296D) / 4294967296D as bigint)) as double) * 1e6D"
    f" + sum(shiftright({_REST}, 32))) * 4294967296D + sum({_REST} & 4294967295L)) / 1e6D"
)
PLACE_BITS = 33  # of monotonically_increasing_id: the row's place in its partition


def indexed(interactions: DataFrame, id_column: str, index_column: str) -> DataFrame:
    """One row an id with a dense index from 0 in the order of the id (by bytes), its pairs and its plays.

    Sorted by ranges, in parallel: an id's index is its place in its partition plus the sizes of those before. The
    ranges are drawn by sample, so the rows are kept on the executors' disks (until nobody holds the frame any more).
    """
    counted = interactions.groupBy(id_column).agg(
        F.count(F.lit(1)).alias("interactions"), F.expr(EXACT_SUM.format(plays="plays")).alias("plays")
    )
    partitions = int(interactions.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    place = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << PLACE_BITS) - 1)).alias("place")
    placed = (
        counted.repartitionByRange(partitions, id_column)
        .sortWithinPartitions(id_column)
        .select(id_column, "interactions", "plays", F.spark_partition_id().alias("part"), place)
        .localCheckpoint(True, StorageLevel.DISK_ONLY)
    )
    sizes = placed.groupBy("part").agg(F.count(F.lit(1)).alias("size"))
    before = F.sum("size").over(Window.orderBy("part").rowsBetween(Window.unboundedPreceding, -1))
    starts = F.broadcast(sizes.select("part", F.coalesce(before, F.lit(0)).alias("start")))
    index = (F.col("start") + F.col("place")).cast("int").alias(index_column)
    return placed.join(starts, on="part", how="inner").select(index, id_column, "interactions", "plays")


def pairs(
    interactions: DataFrame, users: DataFrame, items: DataFrame, settings: Matrix, until: dt.datetime
) -> tuple[DataFrame, DataFrame]:
    """The matrix and the pairs that are not in it, both (user_index, item_index, weight) in the order of the indexes.

    Activity filters look at the unfiltered counts, once, so that one does not undo the other. Beside pairs of listeners
    below `min_tracks_per_user` stands what they would weigh, for fold-in; beside the others without weight stands 0.
    """
    heard = "greatest(plays, 0D)"  # of a listener whose skips weigh more than the plays: nothing
    totals = users.agg(F.count(F.lit(1)).alias("users"), F.expr(EXACT_SUM.format(plays=heard)).alias("plays")).first()
    assert totals is not None
    mean_plays = float(totals["plays"] or 0) / max(totals["users"], 1)
    weight = F.expr(weight_sql(settings, totals["users"], mean_plays, until)).cast("float")
    active = F.col("user_tracks") >= settings.min_tracks_per_user
    may_weigh = (F.col("track_users") >= settings.min_users_per_track) & (F.col("plays") > 0)
    of_users = users.select(
        "user_id", "user_index", F.col("interactions").alias("user_tracks"), F.expr(heard).alias("user_plays")
    )
    of_items = items.select("track_id", "item_index", F.col("interactions").alias("track_users"))
    every = (
        interactions.join(of_users, "user_id", "inner")
        .join(of_items, "track_id", "inner")
        .select("user_index", "item_index", F.when(may_weigh, weight).alias("weight"), active.alias("active"))
    )
    weighted = F.coalesce((F.col("weight") > 0) & F.col("active"), F.lit(False))
    of_light = F.when(F.col("active"), 0).otherwise(F.coalesce("weight", F.lit(0))).cast("float")
    matrix = every.where(weighted).drop("active")
    others = every.where(~weighted).select("user_index", "item_index", of_light.alias("weight"))
    return _in_order(matrix, totals["users"]), _in_order(others, totals["users"])


def _in_order(rows: DataFrame, users: int) -> DataFrame:
    """Sorted by user_index and item_index, over partitions of equally many listeners that follow each other."""
    partitions = int(rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    partition = F.floor(F.col("user_index").cast("bigint") * partitions / max(users, 1)).cast("int")
    both = F.shiftleft(F.col("user_index").cast("bigint"), 32).bitwiseOR(F.col("item_index").cast("bigint"))
    return rows.repartitionById(partitions, partition).sortWithinPartitions(both)  # one number: a radix sort
