"""The list new_releases worked by hand: order, cap, what is withheld, listeners without factors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.ranking import new_releases


@pytest.fixture
def sources(tmp_path):
    """Five tracks: e > d > c > b > a for who likes large numbers; c is explicit, d and e are one artist's."""
    (tmp_path / "predicted").mkdir()
    (tmp_path / "tracks").mkdir()
    factors = [[float(n), 1.0] for n in (3, 1, 5, 4, 2)]
    predicted = {"track_id": ["c", "a", "e", "d", "b"], "factors": pa.array(factors, pa.list_(pa.float32()))}
    tracks = {
        "track_id": ["heard", "a", "b", "c", "d", "e"],
        "artist": ["x", "y", None, None, "z", "z"],
        "explicit": [False, None, False, True, False, False],
    }
    pq.write_table(pa.table(predicted), tmp_path / "predicted/part.parquet")
    pq.write_table(pa.table(tracks), tmp_path / "tracks/part.parquet")
    return new_releases.Sources(str(tmp_path / "predicted"), str(tmp_path / "tracks"), frozenset(), False, 4, 0)


def lists(sources, factors, mean=(0.0, 0.0)):
    users = pa.array([f"u{n}" for n in range(len(factors))])
    vectors = np.array(factors, np.float32)
    opened = new_releases.opened(sources)
    rows = new_releases.ranked(users, vectors, np.array(mean, np.float32), opened, sources).to_pylist()
    return {user: [row["track_id"] for row in rows if row["user_id"] == user] for user in users.to_pylist()}, rows


def test_best_first_for_each_listener(sources):
    found, rows = lists(sources, [[1, 0], [-1, 0]])
    assert found == {"u0": ["e", "d", "c", "b"], "u1": ["a", "b", "c", "d"]}
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] * 2
    assert [row["score"] for row in rows][:4] == [5, 4, 3, 2]
    assert {(row["list"], row["source"], row["because_track_id"]) for row in rows} == {
        ("new_releases", "content", None)
    }


def test_blocked_and_explicit_tracks_are_withheld(sources):
    withheld = dataclasses.replace(sources, blocked=frozenset({"e"}), exclude_explicit=True)
    assert lists(withheld, [[1, 0]])[0] == {"u0": ["d", "b", "a"]}


def test_the_cap_gives_way_before_a_list_stays_short(sources):
    assert lists(dataclasses.replace(sources, max_tracks_per_artist=1), [[1, 0]])[0] == {"u0": ["e", "c", "b", "a"]}
    longer = dataclasses.replace(sources, max_tracks_per_artist=1, top_n=5)
    assert lists(longer, [[1, 0]])[0] == {"u0": ["e", "c", "b", "a", "d"]}


def test_a_listener_without_factors_gets_the_mean_listeners_order(sources):
    assert lists(sources, [[0, 0]], mean=(-1, 0))[0] == {"u0": ["a", "b", "c", "d"]}


def test_nobody_and_nothing(sources):
    found, rows = lists(sources, np.empty((0, 2)))
    assert (found, rows) == ({}, [])
    nothing = dataclasses.replace(sources, blocked=frozenset("abcde"))
    assert lists(nothing, [[1, 0]]) == ({"u0": []}, [])
