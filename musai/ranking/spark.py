"""Distributes the scoring: listeners in blocks, one Spark task a partition of blocks, Arrow in and out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from musai.ranking import blocks, models
from musai.ranking.blocks import Block, Lists, Ranked
from musai.ranking.models import Models, Sources

HEAD = -1  # item_index of the row that opens each user and carries user_id and factors
SCHEMA = (
    "user_id string, list string, rank int, track_id string, score float, source string, because_track_id string"
)


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
    """The lists of every user of `users` (user_index, user_id), as the table `recommendations`.

    user_item: user_index, item_index, weight; unweighted: user_index, item_index; user_factors: row_index, factors.
    `size` users form a block, which keeps its users whatever the number of partitions; partitions follow each other
    in the order of user_index (up to `last_index`), so that the output is sorted by user.
    """
    nothing = F.lit(0.0).cast("float").alias("weight")
    heads = users.select("user_index", F.lit(HEAD).alias("item_index"), nothing, "user_id")
    if user_factors is not None:
        renamed = user_factors.select(F.col("row_index").alias("user_index"), "factors")
        heads = heads.join(renamed, "user_index", "left")
    else:
        heads = heads.withColumn("factors", F.lit(None).cast("array<float>"))
    wanted = users.select("user_index")
    pairs = user_item.select("user_index", "item_index", "weight").unionByName(
        unweighted.select("user_index", "item_index", nothing)
    )
    pairs = pairs.join(wanted, "user_index", "left_semi")
    rows = heads.unionByName(pairs, allowMissingColumns=True)
    count = last_index // size + 1
    rows = (
        rows.withColumn("block", F.floor(F.col("user_index") / F.lit(size)).cast("int"))
        .repartitionById(partitions, F.floor(F.col("block") * F.lit(partitions) / F.lit(count)).cast("int"))
        .sortWithinPartitions("user_index", "item_index")
        .select("block", "user_id", "item_index", "weight", "factors")
    )

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        opened = models.opened(sources)
        for rows_of_block in _by_block(batches):
            yield from _as_rows(_block(rows_of_block), opened, lists)

    return rows.mapInArrow(score, SCHEMA)


def partitions_for(users: int, size: int, cores: int) -> int:
    """A few tasks a core, so that a slow one does not stall the stage, but never less than a block each."""
    return max(1, min(-(-users // size), 8 * cores))


def _by_block(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut the stream where the block changes; each block comes whole."""
    held: list[pa.RecordBatch] = []
    current: int | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        numbers = batch["block"].to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), batch.num_rows]
        for start, end in zip(cuts, cuts[1:], strict=False):
            if current is not None and numbers[start] != current:
                yield pa.Table.from_batches(held)
                held = []
            current = int(numbers[start])
            held.append(batch.slice(start, end - start))
    if held:
        yield pa.Table.from_batches(held)


def _block(rows: pa.Table) -> Block:
    items = rows["item_index"].to_numpy()
    heads = np.flatnonzero(items == HEAD)
    is_pair = items != HEAD
    lengths = np.diff(np.append(heads, len(items))) - 1
    indptr = np.zeros(len(heads) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    taken = rows.take(pa.array(heads))
    vectors = taken["factors"].combine_chunks()
    factors = None
    if len(vectors) and vectors.null_count == 0:
        factors = vectors.flatten().to_numpy().reshape(len(heads), -1)
    return Block(
        user_ids=taken["user_id"].combine_chunks(),
        heard_indptr=indptr,
        heard_indices=np.ascontiguousarray(items[is_pair], np.int32),
        values=np.ascontiguousarray(rows["weight"].to_numpy()[is_pair], np.float32),
        factors=factors,
    )


def _as_rows(block: Block, opened: Models, lists: Lists) -> Iterator[pa.RecordBatch]:
    names = pa.array(blocks.source_names(lists.blend))
    ranked = blocks.recommend(block, opened, lists)
    for one in ranked:
        yield _batch(one, block, opened, names)


def _batch(one: Ranked, block: Block, opened: Models, names: pa.Array) -> pa.RecordBatch:
    row, position = np.nonzero(one.items >= 0)
    because = one.because[row, position]
    length = len(row)
    return pa.record_batch(
        {
            "user_id": block.user_ids.take(pa.array(row)),  # type: ignore[attr-defined]
            "list": pa.array([one.name]).take(pa.array(np.zeros(length, np.int64))),
            "rank": pa.array((position + 1).astype(np.int32)),
            "track_id": _text(opened, one.items[row, position]),
            "score": pa.array(one.scores[row, position]),
            "source": names.take(pa.array(one.source[row, position])),
            "because_track_id": _text(opened, because, because < 0),
        }
    )


def _text(opened: Models, indices: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    return opened.track_ids.take(pa.array(indices, mask=missing)).cast(pa.string())

