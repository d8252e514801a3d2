"""The distributed form: the lists of `blocks`, bit for bit, whatever the partitions, the order and the ids."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from musai.ranking import blocks, listeners, models
from musai.ranking import spark as ranking
from musai.ranking.blocks import Block, Lists
from musai.ranking.listeners import Listeners
from musai.ranking.models import Sources
from musai.tables import TABLES
from musai.warehouse.digests import arrow_schema
from musai.warehouse.task_files import Place

SIZE = 5  # users in a block
IDS = [
    "",
    " ",
    "a\tb",
    "a\nb",
    '"',
    "\\",
    "\x00",
    "null",
    "user_id=1",
    "e\u0301",
    "жук",
    "音楽",
    "العربية",
    "🎵",
    "\U0010ffff",
]
ALL_LISTS = Lists(7, ("for_you", "discover"), {"als": 0.4, "cooccurrence": 0.6}, 2)


@dataclasses.dataclass
class Tables:
    """A world in Parquet, and what `recommend` is handed."""

    spark: SparkSession
    folders: dict[str, str]
    sources: Sources
    world: Any
    user_ids: list[str]

    def given(self, lists: Lists = ALL_LISTS, partitions: int = 2, some: Sequence[int] | None = None, **folders: str):
        uris = {**self.folders, **folders}
        als = uris["factors"] if "als" in lists.blend else None
        methods = tuple(name for name in lists.blend if name != "als")
        sources = dataclasses.replace(self.sources, methods=methods, factors=als)
        only = None if some is None else np.array(some, np.int32)
        listeners = Listeners(uris["users"], uris["user_item"], uris["unweighted"], als, len(self.user_ids), SIZE, only)
        return self.spark, listeners, sources, lists, partitions

    def recommend(self, *args, **given):
        return ranking.recommend(*self.given(*args, **given))


@pytest.fixture(scope="module")
def tables(spark, world, tmp_path_factory) -> Tables:
    """23 users with hostile ids, some heavy, some without weights; 40 tracks and 5 that nobody has heard."""
    made = world(int(np.random.SeedSequence().generate_state(1)[0]), users=23)
    user_ids = sorted(IDS + [f"u{n}" for n in range(23 - len(IDS))], key=lambda text: text.encode())
    track_ids = sorted((f"{text}{n}" for n in range(3) for text in IDS), key=lambda text: text.encode())
    pairs = [(int(u), int(j), float(made.values[u, j])) for u, j in zip(*made.heard.nonzero(), strict=True)]
    near = [
        (name, i, rank, int(j), float(row[j]))
        for name, dense in made.near.items()
        for i, row in enumerate(dense)
        for rank, j in enumerate(np.argsort(-row)[: np.count_nonzero(row)], start=1)
    ]
    factors = [
        (side, n, row.tolist())
        for side, rows in (("user", made.users), ("track", made.tracks))
        for n, row in enumerate(rows)
    ]
    catalogue = [(track_ids[j], None if made.artist[j] < 0 else f"artist {made.artist[j]}", None) for j in range(45)]
    indexes = range(len(user_ids))
    rows: dict[str, Any] = {
        "users": ("user_index int32, user_id string", list(zip(indexes, user_ids, strict=True))),
        "items": (
            "item_index int32, track_id string, interactions int64",
            [(j, track_ids[j], int(made.listeners[j])) for j in range(40)],
        ),
        "user_item": ("user_index int32, item_index int32, weight float32", [row for row in pairs if row[2] > 0]),
        "unweighted": ("user_index int32, item_index int32, weight float32", [row for row in pairs if row[2] == 0]),
        "neighbours": ("method string, item_index int32, rank int32, similar_index int32, score float32", near),
        "factors": ("side string, row_index int32, factors floats", factors),
        "tracks": ("track_id string, artist string, explicit bool", catalogue),
    }
    folder, folders = tmp_path_factory.mktemp("tables"), {}
    for name, (schema, values) in rows.items():
        types = [column.split() for column in schema.split(", ")]
        arrays = [
            pa.array(column, pa.list_(pa.float32()) if kind == "floats" else pa.type_for_alias(kind))
            for column, (_, kind) in zip(zip(*values, strict=True), types, strict=True)
        ]
        (folder / name).mkdir()
        pq.write_table(pa.table(arrays, [column for column, _ in types]), folder / name / "part-0.parquet")
        folders[name] = str(folder / name)
    blocked = tuple(track_ids[j] for j in np.flatnonzero(made.blocked))
    uris = {name: folders[name] for name in ("items", "neighbours", "factors", "tracks")}
    sources = Sources(**uris, blocked=blocked, exclude_explicit=False, methods=(), digest=str(folder))
    return Tables(spark, folders, sources, made, user_ids)


def expected(tables: Tables, lists: Lists, users: list[int] | None = None) -> pd.DataFrame:
    """The table that `blocks.recommend` gives, block by block."""
    methods = tuple(name for name in lists.blend if name != "als")
    opened = models.opened(dataclasses.replace(tables.sources, methods=methods))
    whole, rows = tables.world.block(), []
    kept = range(len(tables.user_ids)) if users is None else users
    for start in range(0, len(tables.user_ids), SIZE):
        mine = [u for u in kept if start <= u < start + SIZE]
        if not mine:
            continue
        pieces = [slice(whole.heard_indptr[u], whole.heard_indptr[u + 1]) for u in mine]
        block = Block(
            [tables.user_ids[u] for u in mine],
            np.cumsum([0, *(piece.stop - piece.start for piece in pieces)]).astype(np.int64),
            np.concatenate([whole.heard_indices[piece] for piece in pieces]),
            np.concatenate([whole.values[piece] for piece in pieces]),
            whole.factors[mine],
        )
        ranked = blocks.recommend(block, opened, lists)
        names, track = blocks.source_names(opened), opened.track_ids.to_pylist()
        for at in zip(*np.nonzero(ranked.items >= 0), strict=True):
            because = ranked.because[at]
            rows.append(
                (
                    block.user_ids[at[0]], lists.names[at[1]], at[2] + 1, track[ranked.items[at]], ranked.scores[at],
                    names[ranked.source[at]], track[because] if because >= 0 else None,
                )
            )  # fmt: skip
    columns = ["user_id", "list", "rank", "track_id", "score", "source", "because_track_id"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:3], key=as_bytes, ignore_index=True)


def as_bytes(column: pd.Series) -> pd.Series:
    return column.map(str.encode) if column.dtype == object else column


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(["user_id", "list", "rank"], key=as_bytes, ignore_index=True)


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_the_lists_of_blocks_bit_for_bit(tables, tmp_path, partitions):
    folders = {}
    for name in ("users", "user_item", "unweighted", "factors"):
        table = pq.read_table(tables.folders[name])
        order = np.random.default_rng(partitions).permutation(table.num_rows)
        folders[name] = str(tmp_path / name)
        (tmp_path / name).mkdir()
        for number, rows in enumerate(np.array_split(order, partitions)):
            pq.write_table(table.take(rows), tmp_path / name / f"part-{number}.parquet")
    found = tables.recommend(partitions=partitions, **folders)
    assert found.dtypes == [
        ("user_id", "string"), ("list", "string"), ("rank", "int"), ("track_id", "string"), ("score", "float"),
        ("source", "string"), ("because_track_id", "string"),
    ]  # fmt: skip
    due = expected(tables, ALL_LISTS)
    assert set(due["source"]) == {"als", "cooccurrence", "popularity", "catalogue"}
    assert due["because_track_id"].notna().any()
    pd.testing.assert_frame_equal(in_order(found.toPandas()), due, check_exact=True, check_dtype=False)


def test_tasks_write_the_same_rows_in_the_order_of_the_key(tables, tmp_path):
    """Every file, and their sequence."""
    place = Place(str(tmp_path / "out"), arrow_schema(TABLES["recommendations"]))
    parts = ranking.stored(*tables.given(partitions=3), place).collect()
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == sorted(part["name"] for part in parts)
    assert len(files) == 3
    rows = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files], ignore_index=True)
    pd.testing.assert_frame_equal(rows, expected(tables, ALL_LISTS), check_exact=True, check_dtype=False)
    assert len(rows) == sum(part["rows"] for part in parts)


@pytest.mark.parametrize("blend", [{}, {"cosine": 1.0}, {"als": 1.0}, {"cosine": 0.2, "cooccurrence": 0.8}])
def test_every_kind_of_blend(tables, blend):
    lists = Lists(5, ("for_you",), blend, 0)
    found = in_order(tables.recommend(lists).toPandas())
    pd.testing.assert_frame_equal(found, expected(tables, lists), check_exact=True, check_dtype=False)
    if not blend:
        assert set(found["source"]) <= {"popularity", "catalogue"}


def test_some_users_only(tables):
    """A block without any of them, and one with a few."""
    users = [0, 11, 12, 22]
    lists = Lists(6, ("for_you",), {"cooccurrence": 1.0}, 0)
    found = in_order(tables.recommend(lists, some=users).toPandas())
    everyone = expected(tables, lists)
    due = everyone[everyone["user_id"].isin([tables.user_ids[u] for u in users])].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, due, check_exact=True, check_dtype=False)
    with_als = in_order(tables.recommend(some=users).toPandas())
    pd.testing.assert_frame_equal(with_als, expected(tables, ALL_LISTS, users), check_exact=True, check_dtype=False)
    assert tables.recommend(some=[]).count() == 0


def test_listeners_that_are_read_a_few_at_a_time(tables, monkeypatch):
    due = [(b.user_ids.to_pylist(), b.heard_indices.tolist()) for b in tables.given()[1].of_partition(0, 1)]
    monkeypatch.setattr(listeners, "STRETCH", SIZE)
    found = [(b.user_ids.to_pylist(), b.heard_indices.tolist()) for b in tables.given()[1].of_partition(0, 1)]
    assert found == due
    assert len(due) == 5


def test_users_without_a_vector_have_zeros(tables, tmp_path):
    """Whoever made the factors may leave out who has no weights, and with them a whole block."""
    without, zeroed = tmp_path / "without", tmp_path / "zeroed"
    rows = pq.read_table(tables.folders["factors"])
    users = pc.equal(rows["side"], "user")
    gone = pc.and_(users, pc.is_in(rows["row_index"], pa.array([0, 10, 11, 12, 13, 14], pa.int32())))
    vectors = [[0.0] * len(vector) if lost else vector for lost, vector in
               zip(gone.to_pylist(), rows["factors"].to_pylist(), strict=True)]  # fmt: skip
    for folder in (without, zeroed):
        folder.mkdir()
    pq.write_table(rows.filter(pc.invert(gone)), without / "part-0.parquet")
    column = pa.array(vectors, pa.list_(pa.float32()))
    pq.write_table(rows.set_column(2, "factors", column), zeroed / "part-0.parquet")
    found = in_order(tables.recommend(factors=str(without)).toPandas())
    due = in_order(tables.recommend(factors=str(zeroed)).toPandas())
    pd.testing.assert_frame_equal(found, due, check_exact=True)


def test_tasks_enough_for_the_cores_and_no_more_than_blocks():
    assert ranking.partitions_for(0, 256, 8) == 1
    assert ranking.partitions_for(257, 256, 8) == 2
    assert ranking.partitions_for(10**6, 256, 8) == 64
