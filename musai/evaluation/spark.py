"""The held-out split, and the counts that evaluation and audit take from whole tables."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import dataset
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.config import Evaluation
from musai.evaluation import key_order, lists
from musai.evaluation.key_order import Stretch
from musai.matrix.reading import data_files
from musai.session import each_number
from musai.storage import file_system


def split(interactions: DataFrame, settings: Evaluation, seed: int) -> tuple[DataFrame, DataFrame]:
    """(training interactions, held-out user_id and track_id).

    Of every listener with at least `min_tracks` tracks of plays > 0, `holdout_share` of them (at least one) are held
    out: the last by time where there are timestamps, else drawn by a hash of seed, listener and track. The training
    interactions are in the order of their key, as the night's are; the ranges of the one shuffle serve the windows.
    """
    drawn = F.xxhash64(F.lit(seed), "user_id", "track_id")
    liked = F.col("plays") > 0
    of_user = Window.partitionBy("user_id", "liked")
    latest_first = of_user.orderBy(F.col("last_event_at").desc_nulls_last(), drawn)
    ranked = (
        interactions.repartitionByRange("user_id")
        .withColumn("liked", liked)
        .withColumn("tracks", F.count(F.lit(1)).over(of_user))
        .withColumn("place", F.row_number().over(latest_first))
    )
    count = F.greatest(F.lit(1), F.floor(F.col("tracks") * settings.holdout_share))
    held_out = F.col("liked") & (F.col("tracks") >= settings.min_tracks) & (F.col("place") <= count)
    marked = ranked.withColumn("held_out", held_out)
    training = marked.where(~F.col("held_out")).select(*interactions.columns)
    training = training.sortWithinPartitions("user_id", "track_id")
    return training, marked.where("held_out").select("user_id", "track_id")


def sample_users(held_out: DataFrame, users: DataFrame, count: int, seed: int) -> DataFrame:
    """At most `count` users with held-out tracks, drawn by a hash: user_index, user_id, interactions, held_out."""
    truth = held_out.groupBy("user_id").agg(F.count(F.lit(1)).alias("held_out"))
    drawn = F.xxhash64(F.lit(seed), F.lit("evaluation"), "user_id")
    return users.join(truth, "user_id", "inner").orderBy(drawn, "user_id").limit(count)


def of_new_artists(held_out: DataFrame, training: DataFrame, tracks: DataFrame) -> DataFrame:
    """user_id, track_id of the held-out tracks that `discover` may find: of an artist who is known (tracks: track_id,
    artist) and of whom the listener has nothing in the training part."""
    artists = tracks.select("track_id", "artist").where("artist is not null")
    met = training.join(artists, "track_id", "inner").select("user_id", "artist").distinct()
    return (
        held_out.join(artists, "track_id", "inner")
        .join(met, ["user_id", "artist"], "left_anti")
        .select("user_id", "track_id")
    )


def collected(
    lists: DataFrame, sample: DataFrame, held_out: DataFrame, items: DataFrame, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """(item_index int64, hit bool), both [users of the sample by user_index, width]; padded with -1 and False."""
    hits = held_out.withColumn("hit", F.lit(True))
    rows = (
        lists.where(F.col("rank") <= width)
        .join(hits, ["user_id", "track_id"], "left")
        .join(F.broadcast(sample.select("user_id", "user_index")), "user_id", "inner")
        .join(items.select("track_id", "item_index"), "track_id", "left")
        .select(
            "user_index",
            "rank",
            F.coalesce("item_index", F.lit(-1)).alias("item"),
            F.coalesce("hit", F.lit(False)).alias("hit"),
        )
        .toArrow()
    )
    order = np.sort(np.asarray(sample.select("user_index").toArrow()["user_index"]))
    place = np.searchsorted(order, rows["user_index"].to_numpy())
    rank = rows["rank"].to_numpy() - 1
    recommended = np.full((len(order), width), -1, np.int64)
    hit = np.zeros((len(order), width), bool)
    recommended[place, rank] = rows["item"].to_numpy()
    hit[place, rank] = rows["hit"].to_numpy(zero_copy_only=False)
    return recommended, hit


@dataclasses.dataclass(frozen=True)
class Written:
    """A table, where it lies (URI), its key, and its rows as the manifest says."""

    frame: DataFrame
    uri: str
    key: Sequence[str]
    rows: int


def key_faults(session: SparkSession, tables: Mapping[str, Written]) -> dict[str, list[str]]:
    """What is wrong with the rows of each table: their number against the manifest, nulls and repeats in the key.

    Where their order shows that all is well they are not shuffled.
    """
    stretches = _stretches(session, {name: one for name, one in tables.items() if one.key and one.rows})
    return {name: _faults(one, stretches.get(name, [])) for name, one in tables.items()}


def _faults(table: Written, stretches: Sequence[Stretch]) -> list[str]:
    if not table.key:
        found = table.frame.count()
        return [] if found == table.rows else [f"{found} rows where the manifest says {table.rows}"]
    if sum(one.rows for one in stretches) == table.rows and key_order.unique(stretches):
        return []
    return _faults_by_hash(table.frame, table.key, table.rows)


def _stretches(session: SparkSession, tables: Mapping[str, Written]) -> dict[str, list[Stretch]]:
    """Of every file of the tables, one task a file."""
    files = [(name, one.uri, file, list(one.key)) for name, one in tables.items() for file in data_files(one.uri)[1]]

    def look(number: int) -> Iterator[pa.RecordBatch]:
        name, uri, file, key = files[number]
        found = json.dumps(dataclasses.astuple(key_order.stretch(file_system(uri)[0], file, key)))
        yield pa.record_batch({"table": pa.array([name], pa.string()), "stretch": pa.array([found], pa.string())})

    found: dict[str, list[Stretch]] = collections.defaultdict(list)
    for row in each_number(session, len(files), look, "table string, stretch string").collect() if files else ():
        rows, ascending, first, last = json.loads(row["stretch"])
        found[row["table"]].append(Stretch(rows, ascending, first and tuple(first), last and tuple(last)))
    return found


def _faults_by_hash(frame: DataFrame, key: Sequence[str], rows: int) -> list[str]:
    null = F.greatest(*(F.isnull(name).cast("int") for name in key)) if len(key) > 1 else F.isnull(key[0]).cast("int")
    counted = (
        frame.select(null.alias("null"), F.xxhash64(*key).alias("hash"))
        .repartition("hash")  # hardly any hash comes twice: to add up before the shuffle would be for nothing
        .groupBy("hash")
        .agg(F.count(F.lit(1)).alias("rows"), F.sum("null").alias("nulls"))
        .agg(
            F.sum("rows").alias("rows"),
            F.sum("nulls").alias("nulls"),
            F.sum((F.col("rows") > 1).cast("int")).alias("again"),
        )
        .first()
    )
    assert counted is not None
    faults = []
    if (counted["rows"] or 0) != rows:
        faults.append(f"{counted['rows'] or 0} rows where the manifest says {rows}")
    if counted["nulls"]:
        faults.append(f"{counted['nulls']} nulls in the key")
    if counted["again"]:  # equal hashes may be chance: look again at the keys themselves
        again = frame.groupBy(*key).count().where("count > 1").count()
        faults += [f"{again} keys more than once"] if again else []
    return faults


@dataclasses.dataclass(frozen=True)
class Lists:
    """What was looked at in all lists, in one pass: `lists.Piece` by piece."""

    found: DataFrame

    @property
    def heard(self) -> int:
        """Rows of lists over the catalogue that name a track which the listener has."""
        row = self.found.agg(F.sum("heard").alias("heard")).first()
        return int(row["heard"] or 0) if row else 0

    @property
    def sizes(self) -> DataFrame:
        """user_id, size: rows of for_you, of those who have any."""
        return self.found.where("size > 0").groupBy("user_id").agg(F.sum("size").alias("size"))

    def release(self) -> None:
        self.found.unpersist()


def looked_at(session: SparkSession, recommendations: str, interactions: str) -> Lists:
    """The lists and the interactions of two tables, by where they lie (URIs)."""
    names = data_files(recommendations)[1]

    def look(number: int) -> Iterator[pa.RecordBatch]:
        system, _ = file_system(recommendations)
        heard_in, heard_files = data_files(interactions)
        heard = dataset.dataset(heard_files, format="parquet", filesystem=heard_in)
        for piece in lists.pieces(system, names[number], heard):
            count = np.zeros(len(piece.users), np.int64)
            count[:1] = piece.heard
            yield pa.record_batch([piece.users, pa.array(piece.sizes), pa.array(count)], ["user_id", "size", "heard"])

    found = each_number(session, len(names), look, "user_id string, size bigint, heard bigint")
    return Lists(found.persist(StorageLevel.DISK_ONLY))


def full_lists(
    users: DataFrame,
    interactions: DataFrame,
    sizes: DataFrame,
    track_ids: DataFrame,
    withheld: DataFrame,
    top_n: int,
) -> int:
    """Listeners whose for_you list holds at least min(top_n, tracks that are neither heard nor withheld).

    sizes: user_id, size. track_ids, withheld: track_id, once each; what is withheld need not be among the tracks.
    """
    offered = track_ids.join(withheld, "track_id", "left_anti").count()
    counted = F.count(F.lit(1))
    both = interactions.join(withheld, "track_id", "left_semi").groupBy("user_id").agg(counted.alias("both"))
    heard = F.col("interactions") - F.coalesce("both", F.lit(0))  # of the tracks that are offered
    due = F.least(F.lit(top_n), F.lit(offered) - heard)
    joined = users.join(sizes, "user_id", "left").join(both, "user_id", "left")
    return joined.where(F.coalesce("size", F.lit(0)) >= due).count()


def mean_overlap(now: DataFrame, before: DataFrame, name: str) -> float | None:
    """Mean share of a listener's list that stood in the same list before, over listeners of both; None without any."""
    mine = now.where(F.col("list") == name).select("user_id", "track_id")
    theirs = before.where(F.col("list") == name).select("user_id", "track_id")
    both = (
        mine.groupBy("user_id")
        .agg(F.count(F.lit(1)).alias("size"))
        .join(theirs.select("user_id").distinct(), "user_id", "left_semi")
    )
    shared = (
        mine.join(theirs, ["user_id", "track_id"], "inner").groupBy("user_id").agg(F.count(F.lit(1)).alias("shared"))
    )
    row = (
        both.join(shared, "user_id", "left")
        .agg(F.avg(F.coalesce("shared", F.lit(0)) / F.col("size")).alias("overlap"))
        .first()
    )
    return None if row is None or row["overlap"] is None else float(row["overlap"])


def figures(metrics: DataFrame, metric: str, k: int) -> dict[str, float]:
    """value, low and high of one metric of for_you over all listeners; {} where it was not measured."""
    row = metrics.where(
        (F.col("metric") == metric) & (F.col("k") == k) & (F.col("list") == "for_you") & (F.col("listeners") == "all")
    ).first()
    return {name: row[name] for name in ("value", "low", "high")} if row else {}


def vectors(factors: DataFrame, wanted: np.ndarray) -> np.ndarray:
    """float32 [n, f] of the rows (row_index, factors) at these indexes, int [n], ascending."""
    rows = factors.sparkSession.createDataFrame(pa.table({"row_index": pa.array(wanted, pa.int32())}))
    table = factors.join(rows, "row_index", "left_semi").orderBy("row_index").select("factors").toArrow()
    return table["factors"].combine_chunks().flatten().to_numpy().reshape(len(wanted), -1)
