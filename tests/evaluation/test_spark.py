"""The training part of the held-out split lies as the night's interactions do: by listener, over all files."""

from __future__ import annotations

import itertools
import pathlib

import pytest
from pyspark.sql import SparkSession

from musai.evaluation import spark as evaluation
from musai.matrix import building
from musai.matrix.reading import data_files

USER = {"many": "concat('u', id * 7919 % 997)", "nearly all rows are one's": "if(id % 50 = 0, concat('v', id), 'u')"}


@pytest.mark.parametrize("adaptive", ["true", "false"])
def test_files_of_the_training_part_are_in_order(
    spark: SparkSession, settings, tmp_path: pathlib.Path, adaptive: str
) -> None:
    before = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", adaptive)
    try:
        for name, user in USER.items():
            rest = ("concat('t', id) track_id", "1D plays", "1L events", "timestamp_seconds(id) last_event_at")
            frame = spark.range(3000).selectExpr(f"{user} user_id", *rest).repartition(3)
            train, held_out = evaluation.split(frame, settings().evaluation, 1)
            train.write.parquet(str(tmp_path / f"100%20 {name}"))
            system, names = data_files(str(tmp_path / f"100%20 {name}"))
            found = [one for one in (building.count(system, file) for file in names) if one.users]
            assert all(one.last < other.first for one, other in itertools.pairwise(found))
            assert sum(sum(one.tracks["interactions"].to_pylist()) for one in found) + held_out.count() == 3000
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", before)


def test_what_discover_may_find_is_of_an_artist_whom_the_listener_does_not_have(spark: SparkSession) -> None:
    tracks = spark.createDataFrame(
        [("a1", "A"), ("a2", "A"), ("b1", "B"), ("x", None)], "track_id string, artist string"
    )
    training = spark.createDataFrame([("u", "a1"), ("v", "b1"), ("v", "x")], "user_id string, track_id string")
    pairs = [("u", "a2"), ("u", "b1"), ("v", "a2"), ("v", "x"), ("u", "unlisted")]
    held_out = spark.createDataFrame(pairs, "user_id string, track_id string")
    found = evaluation.of_new_artists(held_out, training, tracks).collect()
    assert sorted(tuple(row) for row in found) == [("u", "b1"), ("v", "a2")]
