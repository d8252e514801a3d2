"""python tests/benchmarks/report.py [LISTENERS [PLACES]]: how long the page of a large night takes.

Writes synthetic tables for so many listeners (default 1,000,000) with PLACES places in their lists (default 20) and 10
tracks heard each, 100,000 tracks with emotions and embeddings and 24 created tracks, as the jobs write them; then times
`build_report` as a night runs it: samples and sums in Spark, the page, the clips. The bound is a minute. The driver has
1 GB.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import resource
import sys
import tempfile
import time

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from musai import config as configuration
from musai import session, storage
from musai.steps import Night, build_report
from musai.tables import TABLES
from musai.warehouse import Run, Warehouse, begin_record
from tests.report.conftest import created

TRACKS, HEARD, VECTOR, MADE = 100_000, 10, 64, 24


def drawn(*columns: str | Column) -> Column:
    """0 to 1, by a hash."""
    return F.pmod(F.xxhash64(*columns), F.lit(1_000_003)) / 1_000_003


def track(number: Column) -> Column:
    return F.format_string("track-%06d", number.cast("int"))


def user(number: Column) -> Column:
    return F.format_string("listener-%08d", number.cast("int"))


def tables(spark: SparkSession, listeners: int, places: int) -> dict[str, DataFrame]:
    """The rows that build_report reads, sorted as the jobs sort them."""
    number = F.col("id")
    everybody = spark.range(0, listeners, numPartitions=8)
    heard = spark.range(0, listeners * HEARD, numPartitions=8)
    listed = spark.range(0, listeners * places, numPartitions=8)
    songs = spark.range(0, TRACKS, numPartitions=2)
    genre = F.element_at(F.array(*map(F.lit, ("reel", "jig", "air", "chorale"))), (number % 4 + 1).cast("int"))
    valence, arousal = 2 * drawn("id") - 1, 2 * drawn("id", F.lit(1)) - 1
    label = F.when(valence > 0, F.when(arousal > 0, "happy").otherwise("calm"))
    vector = F.transform(F.sequence(F.lit(1), F.lit(VECTOR)), lambda place: drawn("id", place).cast("float"))
    made = [{**created(n), "generated_id": f"made-{n}", "embedding": None} for n in range(MADE)]
    return {
        "users": everybody.select(
            number.cast("int").alias("user_index"), user(number).alias("user_id"),
            F.lit(HEARD).cast("bigint").alias("interactions"), F.lit(20.0).alias("plays"),
        ),
        "interactions": heard.select(
            user(number / HEARD).alias("user_id"), track(drawn("id") * (TRACKS - 1)).alias("track_id"),
            (1 + 9 * drawn("id", F.lit(2))).alias("plays"), F.lit(1).cast("bigint").alias("events"),
            F.lit(None).cast("timestamp").alias("last_event_at"),
        ),
        "recommendations": listed.select(
            user(number / places).alias("user_id"), F.lit("for_you").alias("list"),
            (number % places + 1).cast("int").alias("rank"), track(drawn("id") * (TRACKS - 1)).alias("track_id"),
            drawn("id").cast("float").alias("score"), F.lit("als").alias("source"),
            track(drawn("id", F.lit(3)) * (TRACKS - 1)).alias("because_track_id"),
        ),
        "tracks": songs.select(
            track(number).alias("track_id"), F.concat(F.lit("Title "), number).alias("title"),
            F.concat(F.lit("Artist "), F.floor(number / 9)).alias("artist"), genre.alias("genre"),
            *(F.lit(None).alias(name) for name in TABLES["tracks"].column_names[3:] if name != "genre"),
        ),
        "track_emotions": songs.select(
            track(number).alias("track_id"), valence.alias("valence"), arousal.alias("arousal"),
            F.coalesce(label, F.when(arousal > 0, "tense").otherwise("sad")).alias("label"),
            F.create_map(F.lit("happy"), F.lit(1.0)).alias("probabilities"), F.array(F.lit("tags")).alias("sources"),
            F.lit(0.9).alias("confidence"),
        ),
        "track_embeddings": songs.select(
            track(number).alias("track_id"), F.lit("net").alias("model"), vector.alias("embedding"),
            F.lit("x").alias("content_hash"),
        ),
        "generated_tracks": spark.createDataFrame(made, schema_of("generated_tracks")),
        "items": songs.select(
            number.cast("int").alias("item_index"), track(number).alias("track_id"),
            F.lit(9).cast("bigint").alias("interactions"), F.lit(20.0).alias("plays"),
        ),
        "audit_results": spark.createDataFrame([("a", True, "as declared")], schema_of("audit_results")),
    }  # fmt: skip


def schema_of(table: str) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in TABLES[table].columns)


def main(listeners: int, places: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"warehouse={folder}", "spark.master=local[2]", "spark.driver_memory=1g"]
        config = configuration.load([], settings)
        spark = session.build(config)
        warehouse = Warehouse(storage.at(folder, spark), config)
        run: Run = warehouse.begin(begin_record(config, "bench", dt.date(2026, 1, 1), [], None))
        for name, frame in tables(spark, listeners, places).items():
            started = time.monotonic()
            rows = run.write(frame, name, TABLES[name].writer)["rows"]
            print(f"wrote {name:<18} {rows:>12,} rows  {time.monotonic() - started:6.1f} s", flush=True)
        for attempt in ("first", "second"):
            run.discard("report_files")
            night = Night(spark, config, warehouse, run, dt.datetime.now(dt.UTC))
            started = time.monotonic()
            build_report.run(night)
            print(f"build_report, {attempt} time: {time.monotonic() - started:.1f} s; {night.notes[0]}", flush=True)
        spark.stop()
        size = sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*.parquet")) / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{listeners:,} listeners x {places} places: {size:.0f} MB of tables; this process's peak {peak:.0f} MiB")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]] + [1_000_000, 20][len(sys.argv) - 1 :]
    main(*numbers)
