"""Indexes and weights by real Spark: order, exact sums, weights worked by hand, and that no pair is lost."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from musai.matrix import spark as matrix

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
def built(settings):
    """(user_item, unweighted) as {(user_id, track_id): weight} of a frame, under overrides of the section `matrix`."""

    def of(frame, *overrides):
        users = matrix.indexed(frame, "user_id", "user_index").persist()
        items = matrix.indexed(frame, "track_id", "item_index").persist()
        section = settings(*(f"matrix.{override}" for override in overrides)).matrix
        views = matrix.pairs(frame, users, items, section, UNTIL)
        columns = [("user_index", "int"), ("item_index", "int"), ("weight", "float")]
        assert views[0].dtypes == views[1].dtypes == columns
        user = {row["user_index"]: row["user_id"] for row in users.collect()}
        item = {row["item_index"]: row["track_id"] for row in items.collect()}
        found = []
        for view in views:
            rows = view.collect()
            assert rows == sorted(rows, key=lambda row: row[:2])
            found.append({(user[row["user_index"]], item[row["item_index"]]): row["weight"] for row in rows})
            assert len(found[-1]) == len(rows), "a pair comes twice"
        assert not found[0].keys() & found[1].keys()
        assert len(found[0]) + len(found[1]) == frame.count(), "a pair was lost"
        return found

    return of


@pytest.mark.parametrize("partitions", [1, 3, 11])
def test_indexes_are_dense_and_in_the_order_of_the_bytes(spark, shuffle_partitions, interactions, partitions):
    rows = [(user, f"t{n % 3}", 1.5 + n) for n, user in enumerate(HOSTILE)] + [(HOSTILE[7], "t9", 0.25)]
    frame = interactions(rows[::2] + rows[1::2]).repartition(partitions)
    shuffle_partitions(partitions)
    found = matrix.indexed(frame, "user_id", "user_index")
    assert found.columns == ["user_index", "user_id", "interactions", "plays"]
    assert found.dtypes[0] == ("user_index", "int")
    collected = sorted(found.collect())
    assert [row["user_index"] for row in collected] == list(range(len(HOSTILE)))
    assert [row["user_id"] for row in collected] == sorted(HOSTILE, key=lambda text: text.encode())
    due = {user: (1, 1.5 + n) for n, user in enumerate(HOSTILE)} | {HOSTILE[7]: (2, 1.5 + 7 + 0.25)}
    assert {row["user_id"]: (row["interactions"], row["plays"]) for row in collected} == due


def test_many_ids_in_more_partitions_than_one(spark, shuffle_partitions):
    """Enough ids that every range holds some, and that ranges drawn by sample are of unequal size."""
    shuffle_partitions(7)
    frame = spark.range(20_000).selectExpr("concat('u', id * id % 10007) user_id", "'t' track_id", "1D plays")
    found = matrix.indexed(frame, "user_id", "user_index").toPandas()
    ids = sorted({f"u{n * n % 10007}" for n in range(20_000)})
    assert found.sort_values("user_index")["user_id"].tolist() == ids
    assert sorted(found["user_index"]) == list(range(len(ids)))
    assert found["interactions"].sum() == found["plays"].sum() == 20_000


def test_sums_are_exact_in_any_order(shuffle_partitions, interactions):
    """As floats these come to something else from every side; millionths add up."""
    values = [1e12, 0.000001, -1e12, 0.1, 0.2, 0.3, 1e-6, 123456.789012, -0.5]
    rows = [("u", f"t{n}", value) for n, value in enumerate(values)]
    for order in (rows, rows[::-1], sorted(rows, key=lambda row: row[2])):
        row = matrix.indexed(interactions(order).repartition(3), "user_id", "user_index").collect()[0]
        assert (row["interactions"], row["plays"]) == (9, 123456.889014)


def test_the_greatest_plays_that_a_log_may_count_are_added_up(interactions, built):
    """A billion rows of 1e9 plays with an event weight of 9,000 each are 9e21 plays of one pair."""
    frame = interactions([("u", "t", 9e21), ("u", "s", 0.000001)])
    users = matrix.indexed(frame, "user_id", "user_index").collect()
    assert [(row["interactions"], row["plays"]) for row in users] == [(2, 9e21)]
    weighted, _ = built(frame, "weighting=log")
    assert weighted["u", "t"] == pytest.approx(math.log(1 + 9e21))


def test_weights_worked_by_hand(interactions, built):
    """Anna has x 8 and y 2, Ben x 5, Cy z 1: 4 pairs, 3 listeners, of whom x has two."""
    frame = interactions([("anna", "x", 8), ("anna", "y", 2), ("ben", "x", 5), ("cy", "z", 1)])
    none, _ = built(frame, "weighting=none")
    assert none == {("anna", "x"): 8, ("anna", "y"): 2, ("ben", "x"): 5, ("cy", "z"): 1}
    log, _ = built(frame, "weighting=log", "log_scale=2")
    assert log == pytest.approx(
        {("anna", "x"): 1.6094379, ("anna", "y"): 0.6931472, ("ben", "x"): 1.2527630, ("cy", "z"): 0.4054651}, rel=1e-6
    )
    # k1 = 1.2, b = .5; plays of a listener 10, 5, 1, so 16/3 in the mean; rarity ln(1 + 1.5/2.5) and ln(1 + 2.5/1.5)
    bm25, _ = built(frame, "weighting=bm25", "bm25_k1=1.2", "bm25_b=0.5")
    common, rare = math.log(1.6), math.log(1 + 5 / 3)
    assert bm25 == pytest.approx(
        {
            ("anna", "x"): 8 * 2.2 / (8 + 1.2 * (0.5 + 0.5 * 10 / (16 / 3))) * common,
            ("anna", "y"): 2 * 2.2 / (2 + 1.2 * (0.5 + 0.5 * 10 / (16 / 3))) * rare,
            ("ben", "x"): 5 * 2.2 / (5 + 1.2 * (0.5 + 0.5 * 5 / (16 / 3))) * common,
            ("cy", "z"): 1 * 2.2 / (1 + 1.2 * (0.5 + 0.5 * 1 / (16 / 3))) * rare,
        },
        rel=1e-6,
    )
    assert bm25["anna", "x"] == pytest.approx(1.8097686 * 0.4700036, rel=1e-6)  # 17.6 / 9.725, on paper


def test_skips_that_weigh_more_than_the_plays_count_as_a_history_of_none(interactions, built):
    """b = 1: a has 4 plays and b, with -2 and 1, none; 2 in the mean of the two."""
    weights, _ = built(interactions([("a", "x", 4), ("b", "x", -2), ("b", "y", 1)]), "weighting=bm25", "bm25_b=1")
    assert weights == pytest.approx(
        {("a", "x"): 4 * 2.2 / (4 + 1.2 * 4 / 2) * math.log(1 + 0.5 / 2.5), ("b", "y"): 2.2 * math.log(2)}, rel=1e-6
    )


def test_a_weight_halves_with_every_half_life(interactions, built):
    ages = {"now": 0, "half": 10, "fourth": 20, "future": -5, "root": 5, "old": 36500}
    frame = interactions(
        [("u", track, 3, UNTIL - dt.timedelta(days=days)) for track, days in ages.items()] + [("u", "never", 3)]
    )
    weights, heard_only = built(frame, "weighting=none", "recency_half_life_days=10")
    assert {track: weight for (_, track), weight in weights.items()} == pytest.approx(
        {"now": 3, "half": 1.5, "fourth": 0.75, "future": 3, "root": 3 / math.sqrt(2), "never": 3}, rel=1e-6
    )
    assert heard_only == {("u", "old"): 0.0}  # 2^-3650 is no number of 32 bits


def test_the_moment_counts_not_the_zone_in_which_it_is_shown(spark, interactions, built):
    east = dt.timezone(dt.timedelta(hours=9))
    at = dt.datetime(2025, 2, 28, 21, 0, tzinfo=east)  # half a day before UNTIL
    weights, _ = built(interactions([("u", "t", 1, at)]), "weighting=none", "recency_half_life_days=0.5")
    assert weights == {("u", "t"): 0.5}


@pytest.mark.parametrize("weighting", ["none", "log", "bm25"])
def test_no_plays_is_heard_without_weight(interactions, built, weighting):
    rows = [("u", "liked", 2), ("u", "zero", 0), ("u", "skipped", -3), ("v", "skipped", -1), ("v", "liked", 0.000001)]
    weights, heard_only = built(interactions(rows), f"weighting={weighting}", "bm25_b=1")
    assert set(weights) == {("u", "liked"), ("v", "liked")}
    assert all(0 < weight < math.inf for weight in weights.values())
    assert set(heard_only) == {("u", "zero"), ("u", "skipped"), ("v", "skipped")}


def test_activity_filters_look_at_the_unfiltered_counts_once(interactions, built):
    """`rare` has one listener. `few` has two tracks, one of them rare: he stays, because he is counted before."""
    rows = [
        ("few", "hit", 1),
        ("few", "rare", 1),
        ("one", "hit", 1),
        ("two", "hit", 1),
        ("two", "b", -1),
        ("one", "b", 1),
    ]
    weights, heard_only = built(interactions(rows), "min_tracks_per_user=2", "min_users_per_track=2")
    assert set(weights) == {("few", "hit"), ("one", "hit"), ("two", "hit"), ("one", "b")}
    assert set(heard_only) == {("few", "rare"), ("two", "b")}
    assert set(heard_only.values()) == {0}
    weights, heard_only = built(interactions(rows), "min_tracks_per_user=3")
    assert weights == {}
    assert len(heard_only) == 6


def test_pairs_of_filtered_listeners_keep_what_they_would_weigh(interactions, built):
    """For fold-in: not what is no taste (b, skipped), nor a track that the filter of tracks takes out (rare)."""
    rows = [("few", "hit", 2), ("few", "b", -1), ("few", "rare", 5), ("many", "hit", 1), ("many", "b", 1)]
    rows += [("many", "c", 1), ("many", "d", 1)]
    weights, heard_only = built(interactions(rows), "min_tracks_per_user=4", "min_users_per_track=2", "weighting=none")
    assert weights == {("many", "hit"): 1, ("many", "b"): 1}
    assert heard_only == {
        ("few", "hit"): 2, ("few", "b"): 0, ("few", "rare"): 0, ("many", "c"): 0, ("many", "d"): 0,
    }  # fmt: skip


@pytest.mark.parametrize("weighting", ["none", "log", "bm25"])
def test_one_pair_and_none(interactions, built, weighting):
    weights, heard_only = built(interactions([("u", "t", 3)]), f"weighting={weighting}", "bm25_b=0.75")
    due = {"none": 3, "log": math.log(4), "bm25": 3 * 2.2 / (3 + 1.2) * math.log(1 + 0.5 / 1.5)}
    assert weights == pytest.approx({("u", "t"): due[weighting]}, rel=1e-6)
    assert heard_only == {}
    assert built(interactions([]), f"weighting={weighting}") == [{}, {}]


def test_the_same_bits_whatever_the_partitions(spark, shuffle_partitions, settings):
    frame = spark.range(3000).selectExpr(
        "concat('u', id % 97) user_id", "concat('t', id % 89) track_id", "(id * 7919 % 1000003) / 1e6D plays",
        "timestamp_seconds(1700000000 + id * 7777) last_event_at",
    )  # fmt: skip
    results = []
    for partitions in (1, 5):
        shuffle_partitions(partitions)
        shuffled = frame.repartition(partitions + 1)
        users, items = (
            matrix.indexed(shuffled, *names) for names in (("user_id", "user_index"), ("track_id", "item_index"))
        )
        section = settings("matrix.weighting=bm25", "matrix.recency_half_life_days=30").matrix
        rows = matrix.pairs(shuffled, users, items, section, UNTIL)[0].toPandas()
        results.append((rows, users.toPandas().sort_values("user_index", ignore_index=True)))
    assert len(results[0][0]) == 2999  # all but the one without plays
    assert all(one.equals(other) for one, other in zip(*results, strict=True))
