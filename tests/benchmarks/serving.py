"""python tests/benchmarks/serving.py [LISTENERS]: how fast one listener's list comes out of the published Parquet.

Publishes 100 tracks for each listener (default 100,000) as `recommend_tracks` does, then asks for the list of listeners
drawn at random: by pyarrow and DuckDB with the files opened once, as a service would, and by `musai.read`, which looks
up what is published each time. Prints the median and the 99th percentile in milliseconds; 10 ms are the bound.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import functions as F

import musai
from musai import config as configuration
from musai import session, storage
from musai.warehouse import Warehouse, begin_record

TOP_N, TRACKS, ASKED = 100, 50_000, 300


def publish(root: pathlib.Path, listeners: int) -> None:
    config = configuration.load([], [f"warehouse={root}", "spark.master=local[2]", "spark.driver_memory=2g"])
    spark = session.build(config)
    rows = spark.range(0, listeners * TOP_N, numPartitions=8)
    rank, user = F.col("id") % TOP_N + 1, F.floor(F.col("id") / TOP_N)
    frame = rows.select(
        F.format_string("listener-%08d", user).alias("user_id"),
        F.lit("for_you").alias("list"),
        rank.cast("int").alias("rank"),
        F.format_string("track-%06d", F.pmod(F.xxhash64("id"), F.lit(TRACKS))).alias("track_id"),
        (1 / rank).cast("float").alias("score"),
        F.when(rank < 50, "als").otherwise("cooccurrence").alias("source"),
        F.format_string("track-%06d", F.pmod(F.xxhash64("id", "id"), F.lit(TRACKS))).alias("because_track_id"),
    )
    warehouse = Warehouse(storage.at(str(root)), config)
    run = warehouse.begin(begin_record(config, "serving", dt.date(2026, 1, 1), [], None))
    run.write(frame, "recommendations", "recommend_tracks")
    warehouse.publish(run)
    spark.stop()


def measure(name: str, ask: Callable[[str], int], listeners: int) -> None:
    asked = np.random.default_rng(7).integers(0, listeners, ASKED)
    took = []
    for number in asked:
        started = time.perf_counter()
        rows = ask(f"listener-{number:08d}")
        took.append(1000 * (time.perf_counter() - started))
        assert rows == TOP_N
    print(f"{name:<32} median {np.median(took):7.2f} ms   p99 {np.quantile(took, 0.99):7.2f} ms")


def main(listeners: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        publish(root, listeners)
        path = root / "recommendations" / "run_id=serving"
        files = sorted(path.glob("part-*.parquet"))
        groups = [pq.ParquetFile(file).metadata for file in files]
        print(
            f"{listeners:,} listeners x {TOP_N}: {len(files)} files, {sum(meta.num_row_groups for meta in groups)} row "
            f"groups, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB"
        )
        dataset = ds.dataset(path, format="parquet", partitioning=None)
        for fragment in dataset.get_fragments():
            fragment.ensure_complete_metadata()
        database = duckdb.connect()
        database.execute("set parquet_metadata_cache = true; set threads = 1")
        database.execute(f"create view lists as select * from read_parquet('{path}/*.parquet')")  # noqa: S608
        query = "select * from lists where user_id = ? order by list, rank"
        measure(
            "pyarrow, opened once",
            lambda user: dataset.to_table(filter=pc.field("user_id") == user, use_threads=False).num_rows,
            listeners,
        )
        measure("DuckDB, metadata cached", lambda user: len(database.execute(query, [user]).fetchall()), listeners)
        measure(
            "musai.read",
            lambda user: len(musai.read("recommendations", warehouse=root, as_="arrow", where={"user_id": user})),
            listeners,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
