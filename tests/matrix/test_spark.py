"""Users, items and the matrix by real Spark: indexes in the order of the ids, whatever the files and partitions."""

from __future__ import annotations

import datetime as dt
import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.errors import MusaiError
from musai.matrix import spark as matrix
from musai.steps.build_user_item import BY_LISTENER
from musai.tables import TABLES
from musai.warehouse.digests import arrow_schema
from musai.warehouse.task_files import Place

SCHEMA = "user_id string, track_id string, plays double, events bigint, last_event_at timestamp"
UNTIL = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
HOSTILE = [
    "a", "A", "aa", "a a", " a", "a ", "", "0", "10", "9", "ä", "é", "e\u0301", "ß", "Ω", "жук", "音楽", "音",
    "العربية", "🎵", "🎵🎶", "\U0010ffff", "\uffff", "\u200d", "\t", "a\tb", "\n", "a\nb", "\x00", "a\x00", "\x7f", "'",
    '"', "\\", "a/b", "%41", "null", "NaN", "user_id=1", "x" * 500,
]  # fmt: skip


@pytest.fixture
def shuffle_partitions(spark):
    """Set the number of shuffle partitions; what it was comes back after the test."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    yield lambda number: spark.conf.set("spark.sql.shuffle.partitions", str(number))
    spark.conf.set("spark.sql.shuffle.partitions", before)


@pytest.fixture
def interactions(spark, shuffle_partitions):
    """A frame of rows (user_id, track_id, plays[, last_event_at])."""
    shuffle_partitions(2)
    return lambda rows: spark.createDataFrame([(u, t, float(p), 1, *(at or [None])) for u, t, p, *at in rows], SCHEMA)


@pytest.fixture
def tables(spark, settings, tmp_path):
    """users, items, user_item, unweighted (lists of rows as dicts) of a frame, under overrides of section `matrix`."""
    numbers = itertools.count()

    def of(frame, *overrides):
        folder = tmp_path / str(next(numbers))
        in_order = frame.repartitionByRange("user_id").sortWithinPartitions("user_id", "track_id")
        in_order.write.parquet(str(folder / "interactions"))
        counted = matrix.count(spark, str(folder / "interactions"), UNTIL)
        items = matrix.indexed(counted.items, "track_id", "item_index")
        items.write.parquet(str(folder / "items"))
        counted.release()
        section = settings(*(f"matrix.{override}" for override in overrides)).matrix
        places = {name: Place(str(folder / name), arrow_schema(TABLES[name])) for name in BY_LISTENER}
        parts = matrix.build(spark, counted, str(folder / "items"), section, places)
        files = {name: sorted(part["name"] for part in parts if part["table"] == name) for name in BY_LISTENER}
        found = {name: [pq.read_table(folder / name / file) for file in files[name]] for name in BY_LISTENER}
        assert sum(part["rows"] for part in parts) == sum(len(one) for some in found.values() for one in some)
        rows = {name: [row for one in some for row in one.to_pylist()] for name, some in found.items()}
        return rows | {"items": [row.asDict() for row in items.orderBy("item_index").collect()]}

    return of


@pytest.mark.parametrize("partitions", [1, 3, 11])
def test_indexes_are_dense_and_in_the_order_of_the_bytes(shuffle_partitions, interactions, tables, partitions):
    rows = [(name, f"t{n % 3}", 1.5 + n) for n, name in enumerate(HOSTILE)] + [(HOSTILE[7], "t9", 0.25)]
    shuffle_partitions(partitions)
    due = {name: (1, 1.5 + n) for n, name in enumerate(HOSTILE)} | {HOSTILE[7]: (2, 1.5 + 7 + 0.25)}
    for turned in (False, True):  # listeners, then tracks of these names
        found = tables(interactions([(b, a, plays) if turned else (a, b, plays) for a, b, plays in rows]))
        table, index, name = ("items", "item_index", "track_id") if turned else ("users", "user_index", "user_id")
        assert [row[index] for row in found[table]] == list(range(len(HOSTILE)))
        assert [row[name] for row in found[table]] == sorted(HOSTILE, key=lambda text: text.encode())
        assert {row[name]: (row["interactions"], row["plays"]) for row in found[table]} == due


def test_many_ids_in_more_partitions_than_one(spark, shuffle_partitions, tables):
    """Enough ids that every range holds some, and that ranges drawn by sample are of unequal size."""
    shuffle_partitions(7)
    wide = spark.range(20_000).selectExpr("concat('u', id * id % 10007) one", "concat('t', id) other")
    for user, track, table, index in (("one", "other", "users", "user_index"), ("other", "one", "items", "item_index")):
        columns = "1D plays", "1L events", "CAST(NULL AS timestamp) last_event_at"
        found = tables(wide.selectExpr(f"{user} user_id", f"{track} track_id", *columns))[table]
        ids = sorted({f"u{n * n % 10007}" for n in range(20_000)})
        assert [row["user_id" if table == "users" else "track_id"] for row in found] == ids
        assert [row[index] for row in found] == list(range(len(ids)))
        assert sum(row["interactions"] for row in found) == sum(row["plays"] for row in found) == 20_000


def test_files_out_of_order_are_refused(spark, tmp_path):
    for number, user in enumerate("ba"):
        rows = pa.table({"user_id": [user], "track_id": ["t"], "plays": [1.0]})
        pq.write_table(rows, tmp_path / f"part-{number}.parquet")
    with pytest.raises(MusaiError, match="files of the interactions are not in the order"):
        matrix.count(spark, str(tmp_path), UNTIL)


def test_the_same_bits_whatever_the_partitions(spark, shuffle_partitions, tables):
    frame = spark.range(3000).selectExpr(
        "concat('u', id % 97) user_id", "concat('t', id % 89) track_id", "(id * 7919 % 1000003) / 1e6D plays",
        "1L events", "timestamp_seconds(1700000000 + id * 7777) last_event_at",
    )  # fmt: skip
    results = []
    for partitions in (1, 5):
        shuffle_partitions(partitions)
        results.append(tables(frame.repartition(partitions + 1), "weighting=bm25", "recency_half_life_days=30"))
    assert len(results[0]["user_item"]) == 2999  # all but the one without plays
    assert results[0] == results[1]
