"""Lists held against interactions, beside sets in Python, whatever the order and the row groups."""

from __future__ import annotations

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from musai.evaluation import lists
from musai.storage import file_system


@pytest.mark.parametrize("piece", [1, 100, 10_000])
@pytest.mark.parametrize("in_order", [True, False])
def test_heard_tracks_and_sizes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, piece: int, in_order: bool
) -> None:
    monkeypatch.setattr(lists, "PIECE_ROWS", piece)
    monkeypatch.setattr(lists, "GROUP_ROWS", 8)
    draw = np.random.default_rng(1)
    users, tracks = [f"u{n}" for n in range(40)] + ["ä", "音", ""], [f"t{n}" for n in range(25)]
    heard = sorted(
        {(str(draw.choice(users)), str(draw.choice(tracks))) for _ in range(300)}, key=lambda one: one[0].encode()
    )
    rows = [
        (user, name, str(draw.choice(tracks))) for user in users[3:] for name in ("for_you", "made_for_you", "mood:sad")
        for _ in range(draw.integers(0, 6))
    ]  # fmt: skip
    rows.sort(key=lambda one: one[0].encode())
    if not in_order:
        draw.shuffle(rows)
    columns = dict(zip(("user_id", "list", "track_id"), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "lists.parquet", row_group_size=50)
    (tmp_path / "heard").mkdir()
    for number, part in enumerate((heard[:100], heard[100:])):
        both = dict(zip(("user_id", "track_id"), map(list, zip(*part, strict=True)), strict=True))
        pq.write_table(pa.table(both), tmp_path / f"heard/{number}.parquet", row_group_size=30)
    found = list(lists.pieces(*file_system(str(tmp_path / "lists.parquet")), ds.dataset(tmp_path / "heard")))
    due = sum((user, track) in set(heard) for user, name, track in rows if name != "made_for_you")
    assert due > 20
    assert sum(one.heard for one in found) == due
    sizes = dict.fromkeys(users, 0)
    for one in found:
        for user, size in zip(one.users.to_pylist(), one.sizes.tolist(), strict=True):
            sizes[user] += size
    assert sizes == {user: sum(row[:2] == (user, "for_you") for row in rows) for user in users}


def test_no_list(tmp_path: pathlib.Path) -> None:
    nothing = pa.table({name: pa.array([], pa.string()) for name in ("user_id", "list", "track_id")})
    pq.write_table(nothing, tmp_path / "lists.parquet")
    found = lists.pieces(*file_system(str(tmp_path / "lists.parquet")), ds.dataset(tmp_path / "lists.parquet"))
    assert sum(one.heard for one in found) == 0


def test_long_ids_have_no_bounds_in_the_footer(tmp_path: pathlib.Path) -> None:
    """Of texts beyond 4 KB Parquet keeps no least and greatest; those that it keeps differ at their end alone."""
    users = ["", *("u" * size + end for size in (60, 5000) for end in "abc"), "v" * 500, "\U0001f600"]
    heard = pa.table({"user_id": users, "track_id": ["t"] * len(users)})
    pq.write_table(heard, tmp_path / "heard.parquet", row_group_size=1)
    rows = pa.table({"user_id": users * 2, "list": ["for_you"] * 2 * len(users), "track_id": ["t", "s"] * len(users)})
    for number, part in enumerate((rows.slice(0, 5), rows.slice(0, 0), rows.slice(5))):
        pq.write_table(part, tmp_path / f"{number}.parquet")
    files = (file_system(str(tmp_path / f"{number}.parquet")) for number in range(3))
    found = [one for file in files for one in lists.pieces(*file, ds.dataset(tmp_path / "heard.parquet"))]
    assert sum(one.heard for one in found) == len(users)
    assert sum(int(one.sizes.sum()) for one in found) == 2 * len(users)
