"""The neighbours of `neighbours.py`, distributed: the same methods, order and ties, for what outgrows one machine.

R arrives as (user_index int, item_index int, weight float > 0). A user of more than `max_tracks_per_user` tracks is
cut to as many, drawn by a hash of seed, user and track; all that follows, norms and counts included, is that of the
matrix so cut. The users of a block (user_index // block_users) are multiplied in one Python call; from there pairs of
tracks are shuffled, at most one for each block and pair: never more than sum over users of min(|N_u|, cap)^2 / 2 rows
of 16 bytes, before Spark adds up those of one task. One listener with a million tracks costs what cap tracks cost.

Every sum is of integers or decimals, so the result does not depend, to the bit, on partitions, cores or retries: a
block's partial products are floats in a fixed order, rounded to multiples of 2^-60. That fits int64, because columns
are multiplied at length 1 (no sum exceeds 1, by Cauchy and Schwarz) and scaled back after. Only counts, the largest
weight and the total pass through the driver. The input is read several times: hand in a table, or cache it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from musai import columns, config
from musai.similarity.neighbours import NOISE, TIE, row_chunks

UNIT = 1 << 60  # what a product of 1 is in int64
CHUNK_PAIRS = 1 << 22  # products that a block works out before it hands pairs on: ~100 MB
EXACT = "decimal(28,26)"  # a value in -1..1 that is summed up; Spark's sum of it has 12 digits before the point


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
    if method == "neighbourhood_average":
        factors: DataFrame | None = entries.groupBy("i").agg(F.count("*").cast("double").alias("left"))
        pairs = _pairs(weighted, settings.block_users, unit=1)
    else:
        norm = F.sqrt(_exact_sum(F.col("y") ** 2, _largest(method, settings, totals) ** 2))
        norms = weighted.groupBy("i").agg(norm.alias("norm")).where("norm > 0")
        factors = _factors(norms, entries, method, settings)
        at_length_1 = weighted.join(norms, on="i", how="inner").withColumn("y", F.col("y") / F.col("norm"))
        pairs = _pairs(at_length_1, settings.block_users, unit=UNIT)
    return _top(pairs, factors, method, settings.neighbours, totals.size)


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
    known = known.join(items, on="i", how="inner")
    if method == "bm25":
        k1, b, mean_length = settings.bm25_k1, settings.bm25_b, totals.weight / max(totals.items, 1)
        length = (1 - b) + b * F.col("sum_i") / mean_length
        return known.select("u", "i", (weight * (k1 + 1) / (k1 * length + weight) * idf).alias("y"))
    if method == "mean_centred":
        mean = totals.weight / max(totals.interactions, 1)
        residual = weight - F.col("sum_u") / tracks - F.col("sum_i") / F.col("n_i") + mean
        is_noise = F.abs(residual) <= NOISE * (weight + mean)
        return known.select("u", "i", F.when(is_noise, 0.0).otherwise(residual).alias("y"))
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
    }[method]


def _factors(norms: DataFrame, entries: DataFrame, method: str, settings: config.Similarity) -> DataFrame | None:
    """(i, left, right): s_ij = left_i right_j cosine(y_i, y_j); None where that is the cosine itself."""
    if method == "bm25":
        return norms.select("i", F.col("norm").alias("left"), F.col("norm").alias("right"))
    if method != "cooccurrence":
        return None
    listeners = entries.groupBy("i").agg(F.count("*").alias("n_i"))
    left = F.col("norm") * F.pow("n_i", F.lit(-settings.track_exponent))
    right = F.col("norm") * F.pow("n_i", F.lit(-settings.similar_exponent))
    return norms.join(listeners, on="i", how="inner").select("i", left.alias("left"), right.alias("right"))


def _pairs(weighted: DataFrame, block_users: int, unit: int) -> DataFrame:
    """(low int, high int, value long): y_low . y_high x unit over all users, low < high, where they share one."""

    def multiply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _block_pairs(batches, unit)

    blocks = weighted.select(F.floor(F.col("u") / block_users).alias("block"), "u", "i", "y")
    session = weighted.sparkSession
    tasks = int(session.conf.get("spark.sql.shuffle.partitions") or session.sparkContext.defaultParallelism)
    partial = (  # an explicit number: adaptive execution would join blocks by their bytes, which are few
        blocks.repartition(tasks, "block").groupBy("block").applyInArrow(multiply, "low int, high int, value long")
    )
    return partial.groupBy("low", "high").agg(F.sum("value").alias("value"))


def _block_pairs(batches: Iterator[pa.RecordBatch], unit: int) -> Iterator[pa.RecordBatch]:
    """The upper triangle of Y^T Y of one block (u, i, y of each entry), in fixed point, a chunk of rows at a time."""
    table = pa.Table.from_batches(batches)
    _, users = np.unique(table["u"].to_numpy(), return_inverse=True)
    items, item = np.unique(table["i"].to_numpy(), return_inverse=True)
    rows = sp.csr_matrix((table["y"].to_numpy(), (users, item)))  # [users, items of the block], both ascending
    rows.sort_indices()
    by_item = rows.T.tocsr()
    for start, end in row_chunks(by_item, rows, CHUNK_PAIRS):
        product = (by_item[start:end] @ rows).tocoo()
        value = np.rint(product.data * unit).astype(np.int64)
        low, high = items[product.row + start], items[product.col]
        keep = (low < high) & (value != 0)
        yield pa.RecordBatch.from_arrays(
            [pa.array(low[keep]), pa.array(high[keep]), pa.array(value[keep])], names=["low", "high", "value"]
        )


def _top(pairs: DataFrame, factors: DataFrame | None, method: str, k: int, size: int) -> DataFrame:
    """Both directions of `pairs`, ordered and cut to the k best of each item, with their scores."""
    there = F.struct(F.col("low").alias("index"), F.col("high").alias("j"), "value")
    back = F.struct(F.col("high").alias("index"), F.col("low").alias("j"), "value")
    both = pairs.select(F.inline(F.array(there, back)))
    value = F.col("value").cast("double") if method == "neighbourhood_average" else F.col("value") / UNIT
    if factors is not None and "right" in factors.columns:
        both = both.join(factors.select(F.col("i").alias("j"), "right"), on="j", how="inner")
        value = value * F.col("right")
    both = both.select("index", "j", value.alias("value"))
    both = both.where(F.col("value") > (NOISE if method == "mean_centred" else 0.0))
    best = Window.partitionBy("index").orderBy(F.desc(F.col("value") * (1 - TIE * F.col("j") / size)), "j")
    cut = both.withColumn("place", F.row_number().over(best)).where(F.col("place") <= k)
    score = F.col("value")
    if factors is not None:
        cut = cut.join(factors.select(F.col("i").alias("index"), "left"), on="index", how="inner")
        score = 1 / (1 + F.col("left") - score) if method == "neighbourhood_average" else score * F.col("left")
    so_far = Window.partitionBy("index").orderBy("place").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    scored = cut.select("index", "j", F.min(score.cast("float")).over(so_far).alias("score")).where("score > 0")
    rank = F.row_number().over(Window.partitionBy("index").orderBy(F.desc("score"), "j"))
    return scored.select("index", rank.alias("rank"), F.col("j").alias("similar_index"), "score")
