"""The aliases distributed: which of them are used, where they end, and rows with the good ids in place of the bad."""

from __future__ import annotations

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from musai.aliases import chains
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.inputs.lines import is_text

BROADCAST_BYTES = 2**27  # files of aliases up to this size are sent to every executor


class Aliases:
    """Bad track ids and the good ones they stand for, chains followed to their end."""

    def __init__(self, spark: SparkSession, survey: Survey) -> None:
        self._spark = spark
        self._survey = survey
        self._judged = self._first_of_each().persist(StorageLevel.DISK_ONLY)
        self._chained, self._dropped = self._chains()

    def applied(self, rows: DataFrame) -> DataFrame:
        """Rows with good track ids in place of bad ones."""
        table = self.ends
        if sum(entry.size for group in self._survey.groups for entry in group.entries) <= BROADCAST_BYTES:
            table = F.broadcast(table)
        good = F.coalesce("_good_id", "track_id")
        return rows.join(table, rows["track_id"] == table["_bad_id"], "left").withColumn("track_id", good)

    def rejected(self) -> DataFrame:
        """Aliases that were not used, with the reason."""
        rows = self._judged
        if self._dropped:
            broken = F.col("bad_id").isin(sorted(self._dropped)) & F.col("_reason").isNull()
            circle = F.lit("the aliases go round in a circle; this one is left out")
            rows = rows.withColumn("_reason", F.when(broken, circle).otherwise(F.col("_reason")))
        bad = rows.where("_reason IS NOT NULL").select(F.expr(inputs.bad_row()).alias("bad")).select("bad.*")
        return inputs.rejects(self._spark, self._survey, bad)

    def release(self) -> None:
        self._judged.unpersist()

    def _first_of_each(self) -> DataFrame:
        """Every alias once, the first of its bad id; `_reason` where it is not used."""
        reason = f"""CASE WHEN _reason IS NOT NULL THEN _reason
            WHEN bad_id IS NULL OR NOT {is_text("bad_id")} THEN 'no bad id'
            WHEN good_id IS NULL OR NOT {is_text("good_id")} THEN 'no good id'
            WHEN bad_id = good_id THEN 'the alias stands for itself' END"""
        rows = inputs.united(inputs.read(self._spark, self._survey), ("bad_id", "good_id"))
        rows = rows.where("_kind IS NULL").withColumn("_reason", F.expr(reason))
        order = Window.partitionBy("bad_id").orderBy(*map(F.expr, inputs.ORDER))
        good = rows.where("_reason IS NULL").withColumn("_rank", F.row_number().over(order))
        good = good.withColumn("_reason", F.expr("CASE WHEN _rank > 1 THEN 'bad id again' END")).drop("_rank")
        return good.union(rows.where("_reason IS NOT NULL"))

    def _used(self) -> DataFrame:
        return self._judged.where("_reason IS NULL").select("bad_id", "good_id")

    def _chains(self) -> tuple[dict[str, str], set[str]]:
        """Aliases that lead to other aliases, few if any, are followed by the driver."""
        used = self._used()
        leading = used.join(used.select(F.col("bad_id").alias("good_id")), "good_id", "left_semi")
        return chains.resolved({row["bad_id"]: row["good_id"] for row in leading.collect()})

    @property
    def ends(self) -> DataFrame:
        """`_bad_id`, `_good_id`: where each alias ends."""
        used = self._used()
        if self._chained:
            bad, via = list(self._chained), list(self._chained.values())
            table = pa.table({"bad_id": pa.array(bad, pa.string()), "_via": pa.array(via, pa.string())})
            used = used.join(F.broadcast(self._spark.createDataFrame(table)), "bad_id", "left")
            last = self._used().select(F.col("bad_id").alias("_via"), F.col("good_id").alias("_last"))
            last = last.where(~F.col("_via").isin(sorted(self._dropped))) if self._dropped else last
            used = used.join(last, "_via", "left").withColumn("good_id", F.coalesce("_last", "_via", "good_id"))
        used = used.where("bad_id <> good_id")
        return used.select(F.col("bad_id").alias("_bad_id"), F.col("good_id").alias("_good_id"))
