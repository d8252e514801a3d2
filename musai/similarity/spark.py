"""The neighbours of `neighbours.py`, distributed: the same methods, order and ties, for what outgrows one machine.

R arrives as (user_index int, item_index int, weight float > 0). A user of more than `max_tracks_per_user` tracks is
cut to as many, drawn by a hash of seed, user and track; all that follows, norms and counts included, is that of the
matrix so cut. Users are blocked by user_index // block_users, whatever partition they come from; each block is one
sparse product in Python (`blocks.py`), whose rows are shuffled by track, added up and cut to the nearest there.

The shuffle is bounded: for each block at most the pairs of tracks that one of its users has both of, so never more
than sum over users of min(|N_u|, cap)^2 entries of 12 bytes. One listener with a million tracks costs what cap tracks
cost. Memory of a task: a block's entries (block_users x cap x 40 bytes at most), chunks of ~100 MB, and the longest
row (12 bytes x the tracks that share a listener with one track).

Every sum is of integers or decimals, so the result does not depend, to the bit, on partitions, cores or retries: a
block's products are floats in a fixed order, rounded to multiples of 2^-60 of the largest possible one. That fits
int64, because columns are multiplied at length 1 (Cauchy and Schwarz) and scaled back after. Only counts, the total
and maxima pass through the driver. The input is read several times: hand in a table, or cache it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from musai import columns, config
from musai.similarity.blocks import nearest_of_sums, partial_products
from musai.similarity.neighbours import NOISE

UNIT = float(1 << 60)  # what the largest possible product is in int64
EXACT = "decimal(28,26)"  # a value in -1..1 that is summed up; Spark's sum of it has 12 digits before the point
PARTIAL = "index int, left double, others array<int>, products array<bigint>"
NEAREST = "index int, rank int, similar_index int, score float"


@dataclass(frozen=True)
class _Totals:
    """Scalars of R: items with a weight, interactions, sum of weights, (bound of the) largest weight, items in all."""

    items: int
    interactions: int
    weight: float
    largest: float
    size: int


def track_neighbours(user_item: DataFrame, method: str, settings: config.Similarity, seed: int) -> DataFrame:
    """The nearest items of each item: (index int, rank int from 1, similar_index int, score float)."""
    return _neighbours(_entries(user_item, columns.USER_INDEX, columns.ITEM_INDEX), method, settings, seed)


def user_neighbours(user_item: DataFrame, method: str, settings: config.Similarity, seed: int) -> DataFrame:
    """The nearest users of each user, in the same columns; cap and blocks are then those of a track's listeners."""
    return _neighbours(_entries(user_item, columns.ITEM_INDEX, columns.USER_INDEX), method, settings, seed)


def _entries(user_item: DataFrame, user: str, item: str) -> DataFrame:
    weight = F.col(columns.WEIGHT).cast("float").cast("double")  # float32, as implicit's matrix holds it
    return user_item.select(F.col(user).cast("int").alias("u"), F.col(item).cast("int").alias("i"), weight.alias("r"))


def _neighbours(entries: DataFrame, method: str, settings: config.Similarity, seed: int) -> DataFrame:
    entries, totals = _capped(entries, settings.max_tracks_per_user, seed)
    weighted = _weighted(entries, method, settings, totals).where("y != 0")
    factors = _factors(weighted, entries, method, settings, totals)
    unit = 1.0 if method == "neighbourhood_average" else UNIT
    if method in ("bm25", "cooccurrence", "rp3beta"):
        largest = factors.agg(F.max("right")).first()
        unit /= (largest and largest[0]) or 1.0
    k, size = settings.neighbours, totals.size

    def multiply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return partial_products(batches, unit)

    def nearest(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return nearest_of_sums(batches, method, k, size, unit)

    block = F.floor(F.col("u") / settings.block_users).alias("block")
    entry = weighted.join(factors, on="i", how="inner").withColumn("y", F.col("y") / F.col("norm"))
    entry = entry.select(block, "u", "i", "y", "left", "right")
    # Numbers of partitions are explicit, or adaptive execution would join blocks whose bytes are few and work is much.
    session = entries.sparkSession
    tasks = int(session.conf.get("spark.sql.shuffle.partitions") or session.sparkContext.defaultParallelism)
    partial = entry.repartition(tasks, "block").groupBy("block").applyInArrow(multiply, PARTIAL)
    return partial.repartition(tasks, "index").sortWithinPartitions("index").mapInArrow(nearest, NEAREST)


def _capped(entries: DataFrame, cap: int, seed: int) -> tuple[DataFrame, _Totals]:
    """(`entries` with at most `cap` items a user, its totals); what is drawn depends on seed, user and item alone."""
    of_user = entries.groupBy("u").agg(F.count("*").alias("n"), F.max("r").alias("r"))
    heaviest, largest = of_user.agg(F.max("n"), F.max("r")).first() or (0, 0)
    if (heaviest or 0) > cap:
        drawn = Window.partitionBy("u").orderBy(F.xxhash64(F.lit(seed), "u", "i"), "i")
        entries = entries.withColumn("n", F.row_number().over(drawn)).where(F.col("n") <= cap).drop("n")
    largest = largest or 1.0
    totals = entries.agg(F.count_distinct("i"), F.count("*"), _exact_sum(F.col("r"), largest), F.max("i"))
    items, interactions, weight, last = totals.first() or (0, 0, None, None)
    return entries, _Totals(items, interactions, weight or 0.0, largest, 1 + (last or 0))


def _exact_sum(value: Column, largest: float) -> Column:
    """Sum of values in -largest..largest, the same whatever their order."""
    return F.sum((value / largest).cast(EXACT)).cast("double") * largest


def _weighted(entries: DataFrame, method: str, settings: config.Similarity, totals: _Totals) -> DataFrame:
    """(u, i, y): the matrix Y of `neighbours`, before its columns are brought to their length."""
    weight, tracks = F.col("r"), F.col("n_u")
    if method == "cosine":
        return entries.select("u", "i", weight.alias("y"))
    if method == "neighbourhood_average":
        return entries.select("u", "i", F.lit(1.0).alias("y"))
    sum_of = _exact_sum(weight, totals.largest)
    users = entries.groupBy("u").agg(F.count("*").alias("n_u"), sum_of.alias("sum_u"))
    items = entries.groupBy("i").agg(F.count("*").alias("n_i"), sum_of.alias("sum_i"))
    known = entries.join(users, on="u", how="inner")
    idf = F.when(tracks == totals.items - 1, 0.0).otherwise(F.log(F.lit(float(totals.items))) - F.log1p(tracks))
    if method == "tfidf":
        return known.select("u", "i", (F.sqrt(weight) * idf).alias("y"))
    if method == "cooccurrence":
        return known.select("u", "i", F.pow(tracks, F.lit(-settings.user_exponent / 2)).alias("y"))
    if method == "rp3beta":
        alpha = settings.rp3_alpha
        step = F.pow(weight, F.lit(alpha)) * F.pow("sum_u", F.lit(-alpha / 2))
        return known.select("u", "i", step.alias("y"))
    known = known.join(items, on="i", how="inner")
    if method == "bm25":
        k1, b, mean_length = settings.bm25_k1, settings.bm25_b, totals.weight / max(totals.items, 1)
        length = (1 - b) + b * F.col("sum_i") / mean_length
        return known.select("u", "i", (weight * (k1 + 1) / (k1 * length + weight) * idf).alias("y"))
    if method == "mean_centred":
        mean = totals.weight / max(totals.interactions, 1)
        residual = weight - F.col("sum_u") / tracks - F.col("sum_i") / F.col("n_i") + mean
        is_flat = F.abs(residual) <= NOISE * (weight + mean)
        return known.select("u", "i", F.when(is_flat, 0.0).otherwise(residual).alias("y"))
    raise ValueError(f"no similarity called {method!r}")


def _largest(method: str, settings: config.Similarity, totals: _Totals) -> float:
    """A bound of |y|."""
    idf = max(1.0, math.log(max(totals.items, 1)))
    return {
        "cosine": totals.largest,
        "tfidf": math.sqrt(totals.largest) * idf,
        "bm25": (settings.bm25_k1 + 1) * idf,
        "cooccurrence": max(1.0, settings.max_tracks_per_user ** (-settings.user_exponent / 2)),
        "mean_centred": 2 * totals.largest,
        "rp3beta": totals.largest ** (settings.rp3_alpha / 2),  # a weight is at most the sum of its user's
    }[method]


def _factors(
    weighted: DataFrame, entries: DataFrame, method: str, settings: config.Similarity, totals: _Totals
) -> DataFrame:
    """(i, norm, left, right): s_ij = left_i right_j (y_i . y_j) / (norm_i norm_j). For neighbourhood_average the
    product is |N_ij|, left is |N_i|, and `shared_to_weight` has the rest."""
    one = F.lit(1.0)
    plays = _exact_sum(F.col("r"), totals.largest).alias("sum_i")
    listeners = entries.groupBy("i").agg(F.count("*").cast("double").alias("n_i"), plays)
    if method == "neighbourhood_average":
        return listeners.select("i", one.alias("norm"), F.col("n_i").alias("left"), one.alias("right"))
    norm = F.sqrt(_exact_sum(F.col("y") ** 2, _largest(method, settings, totals) ** 2))
    norms = weighted.groupBy("i").agg(norm.alias("norm")).where("norm > 0")
    left = right = F.col("norm") if method == "bm25" else one
    if method == "cooccurrence":
        norms = norms.join(listeners, on="i", how="inner")
        left = F.col("norm") * F.pow("n_i", F.lit(-settings.track_exponent))
        right = F.col("norm") * F.pow("n_i", F.lit(-settings.similar_exponent))
    if method == "rp3beta":
        norms = norms.join(listeners, on="i", how="inner")
        left = F.col("norm") * F.pow("sum_i", F.lit(-settings.rp3_alpha))
        right = F.col("norm") * F.pow("n_i", F.lit(-settings.rp3_beta))
    return norms.select("i", "norm", left.alias("left"), right.alias("right"))
