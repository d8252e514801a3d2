"""The passes over a file of interactions: weights worked by hand, exact sums, and that no pair is lost."""

from __future__ import annotations

import collections
import datetime as dt
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.errors import MusaiError
from musai.matrix import building
from musai.storage import file_system

SCHEMA = pa.schema(
    {
        "user_id": pa.string(),
        "track_id": pa.string(),
        "plays": pa.float64(),
        "events": pa.int64(),
        "last_event_at": pa.timestamp("us", "UTC"),
    }
)
UNTIL = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def tables(settings, tmp_path):
    """users, items, user_item, unweighted (lists of rows as dicts) of rows (user_id, track_id, plays[, last_event_at]),
    under overrides of the section `matrix`."""

    def of(rows, *overrides):
        columns = zip(*((u, t, float(p), 1, *(at or [None])) for u, t, p, *at in sorted(rows, key=key)), strict=True)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, SCHEMA.types, strict=True)] if rows else None
        pq.write_table(pa.table(arrays, SCHEMA) if arrays else SCHEMA.empty_table(), tmp_path / "part.parquet")
        system, name = file_system(str(tmp_path / "part.parquet"))
        counted = building.count(system, name)
        items = counted.tracks.sort_by("track_id")
        plays = building.plays_of(tuple(items[name].to_numpy() for name in building.EXACT))
        items = pa.table({"item_index": pa.array(range(len(items)), pa.int32()), "plays": plays} | columns_of(items))
        mean = float(building.plays_of(counted.heard)) / max(counted.users, 1)
        totals = building.Totals(counted.users, mean, UNTIL)
        section = settings(*(f"matrix.{override}" for override in overrides)).matrix
        found = collections.defaultdict(list, items=items.to_pylist())
        for table, batch in building.build(system, name, 0, items, totals, section):
            found[table] += batch.to_pylist()
        return found

    return of


def key(row):
    return row[0].encode(), row[1].encode()


def columns_of(table):
    return {name: table[name] for name in ("track_id", "interactions")}


@pytest.fixture
def built(tables):
    """(user_item, unweighted) as {(user_id, track_id): weight} of such rows."""

    def of(rows, *overrides):
        every = tables(rows, *overrides)
        user = {row["user_index"]: row["user_id"] for row in every["users"]}
        item = {row["item_index"]: row["track_id"] for row in every["items"]}
        found = []
        for some in (every["user_item"], every["unweighted"]):
            keys = [(row["user_index"], row["item_index"]) for row in some]
            assert keys == sorted(set(keys)), "in the order of the key, each once"
            found.append({(user[row["user_index"]], item[row["item_index"]]): row["weight"] for row in some})
        assert not found[0].keys() & found[1].keys()
        assert len(found[0]) + len(found[1]) == len(rows), "a pair was lost"
        return found

    return of


def test_sums_are_exact_in_any_order(tables):
    """As floats these come to something else from every side; millionths add up."""
    values = [1e12, 0.000001, -1e12, 0.1, 0.2, 0.3, 1e-6, 123456.789012, -0.5]
    for order in (values, sorted(values)):
        found = tables([("u", f"t{n}", value) for n, value in enumerate(order)])["users"]
        assert [(row["interactions"], row["plays"]) for row in found] == [(9, 123456.889014)]
        found = tables([(f"u{n}", "t", value) for n, value in enumerate(order)])["items"]
        assert [(row["interactions"], row["plays"]) for row in found] == [(9, 123456.889014)]


def test_the_greatest_plays_that_a_log_may_count_are_added_up(built, tables):
    """A billion rows of 1e9 plays with an event weight of 9,000 each are 9e21 plays of one pair."""
    frame = [("u", "t", 9e21), ("u", "s", 0.000001)]
    assert [(row["interactions"], row["plays"]) for row in tables(frame)["users"]] == [(2, 9e21)]
    weighted, _ = built(frame, "weighting=log")
    assert weighted["u", "t"] == pytest.approx(math.log(1 + 9e21))


def test_weights_worked_by_hand(built):
    """Anna has x 8 and y 2, Ben x 5, Cy z 1: 4 pairs, 3 listeners, of whom x has two."""
    frame = [("anna", "x", 8), ("anna", "y", 2), ("ben", "x", 5), ("cy", "z", 1)]
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


def test_skips_that_weigh_more_than_the_plays_count_as_a_history_of_none(built):
    """b = 1: a has 4 plays and b, with -2 and 1, none; 2 in the mean of the two."""
    weights, _ = built([("a", "x", 4), ("b", "x", -2), ("b", "y", 1)], "weighting=bm25", "bm25_b=1")
    assert weights == pytest.approx(
        {("a", "x"): 4 * 2.2 / (4 + 1.2 * 4 / 2) * math.log(1 + 0.5 / 2.5), ("b", "y"): 2.2 * math.log(2)}, rel=1e-6
    )


def test_a_weight_halves_with_every_half_life(built):
    ages = {"now": 0, "half": 10, "fourth": 20, "future": -5, "root": 5, "old": 36500}
    frame = [("u", track, 3, UNTIL - dt.timedelta(days=days)) for track, days in ages.items()] + [("u", "never", 3)]
    weights, heard_only = built(frame, "weighting=none", "recency_half_life_days=10")
    assert {track: weight for (_, track), weight in weights.items()} == pytest.approx(
        {"now": 3, "half": 1.5, "fourth": 0.75, "future": 3, "root": 3 / math.sqrt(2), "never": 3}, rel=1e-6
    )
    assert heard_only == {("u", "old"): 0.0}  # 2^-3650 is no number of 32 bits


def test_the_moment_counts_not_the_zone_in_which_it_is_shown(built):
    east = dt.timezone(dt.timedelta(hours=9))
    at = dt.datetime(2025, 2, 28, 21, 0, tzinfo=east)  # half a day before UNTIL
    weights, _ = built([("u", "t", 1, at)], "weighting=none", "recency_half_life_days=0.5")
    assert weights == {("u", "t"): 0.5}


@pytest.mark.parametrize("weighting", ["none", "log", "bm25"])
def test_no_plays_is_heard_without_weight(built, weighting):
    rows = [("u", "liked", 2), ("u", "zero", 0), ("u", "skipped", -3), ("v", "skipped", -1), ("v", "liked", 0.000001)]
    weights, heard_only = built(rows, f"weighting={weighting}", "bm25_b=1")
    assert set(weights) == {("u", "liked"), ("v", "liked")}
    assert all(0 < weight < math.inf for weight in weights.values())
    assert set(heard_only) == {("u", "zero"), ("u", "skipped"), ("v", "skipped")}


def test_activity_filters_look_at_the_unfiltered_counts_once(built):
    """`rare` has one listener. `few` has two tracks, one of them rare: he stays, because he is counted before."""
    rows = [
        ("few", "hit", 1),
        ("few", "rare", 1),
        ("one", "hit", 1),
        ("two", "hit", 1),
        ("two", "b", -1),
        ("one", "b", 1),
    ]
    weights, heard_only = built(rows, "min_tracks_per_user=2", "min_users_per_track=2")
    assert set(weights) == {("few", "hit"), ("one", "hit"), ("two", "hit"), ("one", "b")}
    assert set(heard_only) == {("few", "rare"), ("two", "b")}
    assert set(heard_only.values()) == {0}
    weights, heard_only = built(rows, "min_tracks_per_user=3")
    assert weights == {}
    assert len(heard_only) == 6


def test_pairs_of_filtered_listeners_keep_what_they_would_weigh(built):
    """For fold-in: not what is no taste (b, skipped), nor a track that the filter of tracks takes out (rare)."""
    rows = [("few", "hit", 2), ("few", "b", -1), ("few", "rare", 5), ("many", "hit", 1), ("many", "b", 1)]
    rows += [("many", "c", 1), ("many", "d", 1)]
    weights, heard_only = built(rows, "min_tracks_per_user=4", "min_users_per_track=2", "weighting=none")
    assert weights == {("many", "hit"): 1, ("many", "b"): 1}
    assert heard_only == {
        ("few", "hit"): 2, ("few", "b"): 0, ("few", "rare"): 0, ("many", "c"): 0, ("many", "d"): 0,
    }  # fmt: skip


@pytest.mark.parametrize("weighting", ["none", "log", "bm25"])
def test_one_pair_and_none(built, weighting):
    weights, heard_only = built([("u", "t", 3)], f"weighting={weighting}", "bm25_b=0.75")
    due = {"none": 3, "log": math.log(4), "bm25": 3 * 2.2 / (3 + 1.2) * math.log(1 + 0.5 / 1.5)}
    assert weights == pytest.approx({("u", "t"): due[weighting]}, rel=1e-6)
    assert heard_only == {}
    assert built([], f"weighting={weighting}") == [{}, {}]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_pieces_cut_no_listener(monkeypatch, tmp_path, chunk):
    """Listeners of 1 to 12 rows, in row groups of 5 and batches of 4."""
    monkeypatch.setattr(building, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(building, "GROUP_ROWS", 4)
    users = [f"u{n:02d}" for n in range(1, 13) for _ in range(n)]
    rows = pa.table({"user_id": users, "track_id": [f"t{n:03d}" for n in range(len(users))], "plays": [0.5] * 78})
    pq.write_table(rows, tmp_path / "part.parquet", row_group_size=5)
    system, name = file_system(str(tmp_path / "part.parquet"))
    pieces = list(building.chunks(system, name, ["user_id", "track_id", "plays"]))
    assert pa.concat_tables(pieces).equals(rows)
    listeners = [set(piece["user_id"].to_pylist()) for piece in pieces]
    assert sum(map(len, listeners)) == len(set.union(*listeners)) == 12
    assert (len(pieces) > 1) == (chunk < 78)
    found = building.count(system, name)
    assert (found.users, found.first, found.last, found.heard) == (12, "u01", "u12", (0, 0, 39_000_000))


def test_a_listener_of_many_groups_is_one_piece(monkeypatch, tmp_path):
    """Listeners of 12, 4 and 4 rows in groups of 4: their ends are those of groups."""
    monkeypatch.setattr(building, "CHUNK_ROWS", 4)
    monkeypatch.setattr(building, "GROUP_ROWS", 4)
    users = ["a"] * 12 + ["b"] * 4 + ["c"] * 4
    rows = pa.table({"user_id": users, "track_id": [f"t{n % 12:02d}" for n in range(20)], "plays": [1.0] * 20})
    pq.write_table(rows, tmp_path / "part.parquet", row_group_size=4)
    system, name = file_system(str(tmp_path / "part.parquet"))
    pieces = building.chunks(system, name, ["user_id", "plays"])
    assert [set(piece["user_id"].to_pylist()) for piece in pieces] == [{"a"}, {"b"}, {"c"}]
    tracks = building.count(system, name).tracks.sort_by("track_id")
    assert tracks["interactions"].to_pylist() == [2] * 8 + [1] * 4


@pytest.mark.parametrize("chunk", [1, 1000])
def test_the_first_and_the_last_id_of_a_file(monkeypatch, tmp_path, chunk):
    """By bytes, whatever ids are: none of them is taken for a missing one."""
    monkeypatch.setattr(building, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(building, "GROUP_ROWS", 1)
    users = ["", "\0", "a" * 5000, "a" * 5000 + "b", "\ud7ff", "\ue000", "\U0001f600"]
    rows = pa.table({"user_id": users, "track_id": ["t"] * 7, "plays": [1.0, 0.0, -0.0, -1.0, 9e21, 1.0, 1.0]})
    pq.write_table(rows, tmp_path / "part.parquet")
    found = building.count(*file_system(str(tmp_path / "part.parquet")))
    assert (found.users, found.first, found.last) == (7, users[0], users[-1])


@pytest.mark.parametrize("users", [["b", "a"], ["a", "b", "a"]])
@pytest.mark.parametrize("chunk", [1, 1000])
def test_interactions_out_of_order_are_refused(monkeypatch, tmp_path, users, chunk):
    monkeypatch.setattr(building, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(building, "GROUP_ROWS", 1)
    rows = pa.table({"user_id": users, "track_id": ["t"] * len(users), "plays": [1.0] * len(users)})
    pq.write_table(rows, tmp_path / "part.parquet")
    with pytest.raises(MusaiError, match="not in the order of user_id"):
        building.count(*file_system(str(tmp_path / "part.parquet")))
