"""Distributes the scoring: listeners in blocks, one Spark task a partition of blocks, Arrow in and out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import threadpoolctl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from musai.ranking import models
from musai.ranking import new_releases as new_releases_of
from musai.ranking import rows as rows_of
from musai.ranking.blocks import Block, Lists
from musai.ranking.models import Sources

HEAD, VECTOR = -2, -1  # in item_index: the row that opens each user and has user_id, and the one that has factors
SCHEMA = "user_id string, list string, rank int, track_id string, score float, source string, because_track_id string"


def recommend(
    users: DataFrame,
    user_item: DataFrame,
    unweighted: DataFrame,
    user_factors: DataFrame | None,
    sources: Sources,
    lists: Lists,
    size: int,
    last_index: int,
    partitions: int,
) -> DataFrame:
    """The lists of every user of `users` (user_index, user_id), as the table `recommendations`, sorted by its key.

    user_item and unweighted: user_index, item_index, weight; user_factors: row_index, factors.
    `size` users form a block, which keeps its users whatever the number of partitions; partitions follow each other
    in the order of user_index (up to `last_index`), so that the output is sorted by user.
    """
    rows = user_item.select("user_index", "item_index", "weight")
    parts = [unweighted.select("user_index", "item_index", "weight")]
    if user_factors is not None:
        parts.append(user_factors.select(F.col("row_index").alias("user_index"), _kind(VECTOR), "factors"))
    for part in parts:
        rows = rows.unionByName(part, allowMissingColumns=True)
    if users.count() <= last_index:
        rows = rows.join(users.select("user_index"), "user_index", "left_semi")
    rows = rows.unionByName(users.select("user_index", _kind(HEAD), "user_id"), allowMissingColumns=True)
    if "factors" not in rows.columns:
        rows = rows.withColumn("factors", F.lit(None).cast("array<float>"))
    block = F.floor(F.col("user_index") / F.lit(size)).cast("int")
    partition = F.floor(F.col("block") * F.lit(partitions) / F.lit(last_index // size + 1)).cast("int")
    rows = (
        rows.withColumn("block", block)
        .repartitionById(partitions, partition)
        .sortWithinPartitions("user_index", "item_index")
        .select("block", "user_id", "item_index", "weight", "factors")
    )

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        opened = models.opened(sources)
        room = np.empty((size, opened.known if sources.factors else 0), np.float32)
        for rows_of_block in _by_block(batches):
            yield rows_of.ranked(_block(rows_of_block), opened, lists, room)

    return rows.mapInArrow(score, SCHEMA)


def partitions_for(users: int, size: int, cores: int) -> int:
    """A few tasks a core, so that a slow one does not stall the stage, but never less than a block each."""
    return max(1, min(-(-users // size), 8 * cores))


def _kind(number: int) -> Column:
    return F.lit(number).alias("item_index")


def _by_block(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut the stream where the block changes; each block comes whole."""
    held: list[pa.RecordBatch] = []
    current: int | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        numbers = batch["block"].to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), batch.num_rows]
        for start, end in itertools.pairwise(cuts):
            if current is not None and numbers[start] != current:
                yield pa.Table.from_batches(held)
                held = []
            current = int(numbers[start])
            held.append(batch.slice(start, end - start))
    if held:
        yield pa.Table.from_batches(held)


def _block(rows: pa.Table) -> Block:
    items = rows["item_index"].to_numpy()
    is_head, is_pair, is_vector = items == HEAD, items >= 0, items == VECTOR
    user = np.cumsum(is_head) - 1  # of each row
    count = int(user[-1]) + 1
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(user[is_pair], minlength=count), out=indptr[1:])
    factors = None
    if is_vector.any():
        vectors = rows["factors"].filter(pa.array(is_vector)).combine_chunks().flatten().to_numpy()
        vectors = vectors.reshape(int(is_vector.sum()), -1)
        factors = np.zeros((count, vectors.shape[1]), np.float32)
        factors[user[is_vector]] = vectors
    return Block(
        user_ids=rows["user_id"].filter(pa.array(is_head)).combine_chunks(),
        heard_indptr=indptr,
        heard_indices=items[is_pair],
        values=pc.fill_null(rows["weight"], 0).to_numpy()[is_pair],
        factors=factors,
    )


def new_releases(users: DataFrame, sources: new_releases_of.Sources) -> DataFrame:
    """The list `new_releases` of every user of `users` (user_id, factors), as the table `recommendations`."""
    mean = users.select(F.posexplode("factors")).groupBy("pos").agg(F.avg(F.col("col").cast("decimal(20, 10)")))
    average = np.array([float(row[1]) for row in mean.orderBy("pos").collect()], np.float32)

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        releases = new_releases_of.opened(sources)
        for batch in batches:
            vectors = batch["factors"].flatten().to_numpy().reshape(batch.num_rows, -1)
            with threadpoolctl.threadpool_limits(1, "blas"):
                yield new_releases_of.ranked(batch["user_id"], vectors, average, releases, sources)

    return users.select("user_id", "factors").mapInArrow(score, SCHEMA)
