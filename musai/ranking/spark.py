"""Distributes the scoring: listeners in blocks, one Spark task a partition of blocks, Arrow in and out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import threadpoolctl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from musai.ranking import models
from musai.ranking import new_releases as new_releases_of
from musai.ranking import rows as rows_of
from musai.ranking.blocks import Lists, card_of
from musai.ranking.listeners import Listeners
from musai.ranking.models import Sources
from musai.session import each_number
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

TABLE = "recommendations"
SCHEMA = "user_id string, list string, rank int, track_id string, score float, source string, because_track_id string"


def recommend(
    session: SparkSession, listeners: Listeners, sources: Sources, lists: Lists, partitions: int
) -> DataFrame:
    """The lists of the listeners as the table `recommendations`, sorted by its key. A block keeps its listeners
    whatever the number of partitions."""

    def score(number: int) -> Iterator[pa.RecordBatch]:
        return _ranked(listeners, sources, lists, partitions, number)

    return each_number(session, partitions, score, SCHEMA)


def stored(
    session: SparkSession, listeners: Listeners, sources: Sources, lists: Lists, partitions: int, place: Place
) -> DataFrame:
    """The same rows, written by the tasks to their place: its files as rows of `task_files.PARTS`."""

    def score(number: int) -> Iterator[pa.RecordBatch]:
        rows = _ranked(listeners, sources, lists, partitions, number)
        return task_files.stored(((TABLE, batch) for batch in rows), {TABLE: place}, number)

    return each_number(session, partitions, score, task_files.PARTS)


def _ranked(
    listeners: Listeners, sources: Sources, lists: Lists, partitions: int, number: int
) -> Iterator[pa.RecordBatch]:
    opened = models.opened(sources)
    room = np.empty((listeners.size, opened.known if sources.factors else 0), np.float32)
    card = card_of(opened, lists)
    for block in listeners.of_partition(number, partitions):
        yield rows_of.ranked(block, opened, lists, room, card)


def partitions_for(users: int, size: int, cores: int) -> int:
    """A few tasks a core, so that a slow one does not stall the stage, but never less than a block each."""
    return max(1, min(-(-users // size), 8 * cores))


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
