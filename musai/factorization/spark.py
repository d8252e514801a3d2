"""ALS in Spark, two ways: `als.train` within one task, and MLlib over the whole cluster for what outgrows one machine.

Both give (side, row_index, factors) with a row for every user and track, zeros where there is no weight.

MLlib's `ALS(implicitPrefs=True)` minimises the same sum with confidence 1 + g w (ALS.scala, computeFactors), but
scales the regularisation of a row by its number of weights (ALS-WR; Zhou et al. 2008), so a row with n of them has
n x regParam where `implicit` has one number for all. With the penalties a |X|^2 + b |Y|^2 only a x b matters to the
product X Y^T (c X and Y / c give the same one, and the best c makes the penalty 2 sqrt(a b) |X| |Y|). So the two agree
on average where regParam x sqrt(mean n of users x mean n of tracks) = regularization, as `als.mllib_regularization`
solves: exact where all users have one degree and all tracks one degree; elsewhere MLlib binds heavy rows more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyarrow import dataset
from pyspark import StorageLevel
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from musai.columns import FACTORS, ITEM_INDEX, USER_INDEX, WEIGHT
from musai.config import Factorization
from musai.errors import InputError, MusaiError
from musai.factorization import als, devices
from musai.matrix.reading import read_ids_by_index, read_matrix
from musai.session import one_task
from musai.storage import file_system
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

TABLE = "als_factors"
SIDE, ROW_INDEX = "side", "row_index"
USER, TRACK = "user", "track"
SCHEMA = f"{SIDE} string, {ROW_INDEX} int, {FACTORS} array<float>"
ARROW_SCHEMA = pa.schema([(SIDE, pa.string()), (ROW_INDEX, pa.int32()), (FACTORS, pa.list_(pa.float32()))])
BATCH_NUMBERS = 1 << 20  # of factors in one Arrow batch: 4 MB
MLLIB_CHECKPOINT_SWEEPS = 5
PROGRESS_S = 10.0  # between two lines of a long training
MLLIB_BLOCK_ENTRIES = (100_000, 20_000_000)  # of a block: at least while there are fewer than 10 blocks, and at most


@dataclasses.dataclass(frozen=True)
class Side:
    """Listeners or tracks: how many, where their ids lie (URI of a table), its columns of indexes and ids, and the
    table that has the factors by id."""

    rows: int
    ids: str
    index: str
    name: str
    table: str


def train_in_one_task(
    session: SparkSession,
    path: str,
    sides: Mapping[str, Side],
    settings: Factorization,
    seed: int,
    places: Mapping[str, Place],
    start: str | None = None,
) -> list[Row]:
    """Read the matrix under `path` (see `read_matrix`), train on it and write the factors, all in one task's Python.

    `sides`: USER and TRACK. `places`: of als_factors and the tables of the sides; returned are rows of
    `task_files.PARTS`. `start`: the path of rows of SCHEMA, Parquet, from which the training begins (see `als.train`).

    The task has all cores of an executor (`session.one_task`), and a GPU where `settings.device` allows one and the
    cluster hands them out; in local mode it has the machine's. Neither the driver nor the JVM ever holds the matrix or
    a factor. A task that is tried again does no harm: only files that are told of are used.
    Raises what `read_matrix` and `als.train` raise, with their own text.
    """
    if _is_local(session):  # the task runs on this machine, so what is wrong with its GPU can be said at once
        settings = settings.model_copy(update={"device": devices.choose(settings.device)})
    n_users, n_items = (sides[name].rows for name in (USER, TRACK))
    als.check_limits(n_users, n_items, 0, settings.factors, "gpu" if settings.device == "gpu" else "cpu")

    def work(threads: int) -> Iterator[pa.RecordBatch]:
        first = _read_factors(start, n_users, n_items, settings.factors) if start else None
        factors = als.train(read_matrix(path, n_users, n_items), settings, seed, threads, _say, first)
        every = {USER: factors.users, TRACK: factors.tracks}
        rows = (row for name, side in sides.items() for row in _rows(name, side, every[name]))
        yield from task_files.stored(rows, places)

    return one_task(session, work, task_files.PARTS, gpu=settings.device != "cpu").collect()


def _rows(name: str, side: Side, factors: np.ndarray) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Of als_factors, and by the ids of the side of its own table."""
    ids, start = read_ids_by_index(side.ids, side.index, side.name), 0
    for batch in _batches(name, factors):
        yield TABLE, batch
        own = ids.slice(start, batch.num_rows).cast(pa.string())
        yield side.table, pa.record_batch({side.name: own, FACTORS: batch[FACTORS]})
        start += batch.num_rows


def by_index(
    users: DataFrame, items: DataFrame, user_factors: DataFrame, track_factors: DataFrame, width: int
) -> DataFrame:
    """Rows of SCHEMA: earlier factors of `width` numbers, by the indexes that their listeners and tracks have now."""
    sides = ((USER, users, user_factors, "user_id", USER_INDEX), (TRACK, items, track_factors, "track_id", ITEM_INDEX))
    found = []
    for side, rows, factors, name, index in sides:
        known = rows.join(factors.where(F.size(FACTORS) == width), on=name, how="inner")
        found.append(known.select(F.lit(side).alias(SIDE), F.col(index).alias(ROW_INDEX), FACTORS))
    return found[0].union(found[1])


def _read_factors(path: str, n_users: int, n_items: int, width: int) -> als.Factors:
    """What `by_index` gave, written to `path`; zeros for who is not in it."""
    system, name = file_system(path)
    table = dataset.dataset(name, filesystem=system, format="parquet").to_table(columns=ARROW_SCHEMA.names)
    sides = []
    for side, rows in ((USER, n_users), (TRACK, n_items)):
        factors = np.zeros((rows, width), np.float32)
        for batch in table.filter(dataset.field(SIDE) == side).to_batches():  # all numbers may be more than 2^31
            factors[batch[ROW_INDEX].to_numpy()] = batch[FACTORS].flatten().to_numpy().reshape(-1, width)
        sides.append(factors)
    return als.Factors(*sides)


def _say(done: int, total: int, seconds: float) -> None:
    every = max(1, math.ceil(PROGRESS_S / (seconds / done))) if seconds else total
    if done % every == 0 and done < total:
        print(f"ALS: sweep {done} of {total}, {seconds:.0f} s", file=sys.stderr, flush=True)  # noqa: T201  executor's log


def _batches(side: str, factors: np.ndarray) -> Iterator[pa.RecordBatch]:
    """`factors` float32 [rows, f] as Arrow batches of SCHEMA."""
    width = factors.shape[1]
    step = max(1, BATCH_NUMBERS // width)
    for start in range(0, len(factors), step):
        part = np.ascontiguousarray(factors[start : start + step])
        rows = len(part)
        offsets = pa.array(np.arange(0, (rows + 1) * width, width, dtype=np.int32))
        columns = [
            pa.array([side]).take(pa.array(np.zeros(rows, np.int32))),
            pa.array(np.arange(start, start + rows, dtype=np.int32)),
            pa.ListArray.from_arrays(offsets, pa.array(part.reshape(-1))),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=ARROW_SCHEMA)


def _is_local(session: SparkSession) -> bool:
    master = session.sparkContext.master or ""
    return master.startswith("local") and not master.startswith("local-cluster")


def train_mllib(
    user_item: DataFrame, n_users: int, n_items: int, settings: Factorization, seed: int, checkpoints: str | None = None
) -> DataFrame:
    """Train with MLlib on (user_index int, item_index int, weight float > 0), each pair once.

    `checkpoints` is a folder or URI that every executor reaches, for what has to be written between sweeps (a plan of
    20 of them overflows the JVM's stack); it is left as it was. None serves in local mode; on a cluster it means that
    of the session (`spark.checkpoint.dir`), and without one few sweeps only.

    The seed gives the same factors up to the order of floating-point sums, whatever the cores and partitions of
    `user_item` (scores within 1e-4). The result is kept on the executors' disks. `settings.device` is not looked at.
    Raises InputError for a weight that is null or not a positive number; MusaiError where the factors end in NaN.
    """
    weight = F.col(WEIGHT)
    found = user_item.agg(
        F.count(F.lit(1)).alias("entries"),
        F.count_if(weight.isNull() | F.isnan(weight) | (weight <= 0) | (weight == float("inf"))).alias("faults"),
        F.count_distinct(USER_INDEX).alias("users"),
        F.count_distinct(ITEM_INDEX).alias("items"),
        F.sum(weight.cast("double")).alias("total"),
    ).first()
    assert found is not None
    if found["faults"]:
        raise InputError(f"user_item: weights must be finite and > 0; {found['faults']:,} are not")
    users = tracks = user_item.sparkSession.createDataFrame([], "id int, features array<float>")
    with _checkpoints(user_item.sparkSession, checkpoints):
        if found["entries"]:
            regularization = als.mllib_regularization(
                settings.regularization, found["entries"], found["users"], found["items"]
            )
            model = ALS(
                rank=settings.factors,
                maxIter=settings.iterations,
                regParam=regularization,
                alpha=als.gain(settings.alpha, found["total"], found["entries"]),
                implicitPrefs=True,
                userCol=USER_INDEX,
                itemCol=ITEM_INDEX,
                ratingCol=WEIGHT,
                seed=seed,
                numUserBlocks=mllib_blocks(found["entries"]),
                numItemBlocks=mllib_blocks(found["entries"]),
                checkpointInterval=MLLIB_CHECKPOINT_SWEEPS,
            ).fit(user_item)
            users, tracks = model.userFactors, model.itemFactors
        every_user = _complete(users, USER, n_users, settings.factors)
        every_track = _complete(tracks, TRACK, n_items, settings.factors)
        trained = every_user.unionAll(every_track).localCheckpoint(True, StorageLevel.DISK_ONLY)
    if trained.where(F.exists(FACTORS, lambda x: F.isnan(x) | (F.abs(x) == float("inf")))).first():
        raise MusaiError(als.DIVERGED)
    return trained


@contextlib.contextmanager
def _checkpoints(session: SparkSession, folder: str | None) -> Iterator[None]:
    """Let Spark checkpoint under `folder`, in a folder of its own that is removed afterwards."""
    context = session.sparkContext
    with tempfile.TemporaryDirectory(prefix="musai-checkpoints-") as here:
        if folder is None and not _is_local(session):
            yield
            return
        context.setCheckpointDir(folder or here)
        own = context.getCheckpointDir()
        try:
            yield
        finally:
            assert context._jvm is not None
            assert context._jsc is not None
            path = context._jvm.org.apache.hadoop.fs.Path(own)
            path.getFileSystem(context._jsc.hadoopConfiguration()).delete(path, True)


def mllib_blocks(entries: int) -> int:
    """In how many blocks MLlib cuts users and tracks: by the data, never by the cores, for results depend on it."""
    least, most = MLLIB_BLOCK_ENTRIES
    return max(min(10, math.ceil(entries / least)), math.ceil(entries / most))


def _complete(factors: DataFrame, side: str, rows: int, width: int) -> DataFrame:
    """MLlib's (id, features) with zeros for the ids from 0 to rows - 1 that it does not know."""
    zeros = F.array_repeat(F.lit(0.0).cast("float"), width)
    every = factors.sparkSession.range(rows).select(F.col("id").cast("int").alias("id"))
    return every.join(factors, on="id", how="left").select(
        F.lit(side).alias(SIDE), F.col("id").alias(ROW_INDEX), F.coalesce("features", zeros).alias(FACTORS)
    )
