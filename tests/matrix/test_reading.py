"""`read_matrix` against a dictionary, and every kind of file that it refuses."""

from __future__ import annotations

import pathlib
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from musai.errors import InputError
from musai.matrix import reading
from musai.matrix.reading import read_matrix
from musai.storage import file_system

USERS, ITEMS = 40, 30


def triples(seed: int, entries: int = 300) -> dict[tuple[int, int], float]:
    """Distinct pairs in random order, each with a weight that float32 holds exactly."""
    rng = np.random.default_rng(seed)
    flat = rng.choice(USERS * ITEMS, entries, replace=False)
    return {(int(k) // ITEMS, int(k) % ITEMS): float(rng.integers(1, 1000)) / 8 for k in flat}


def write(path: pathlib.Path, pairs: dict[tuple[int, int], float], **types: pa.DataType) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "user_index": pa.array([u for u, _ in pairs], types.get("user_index", pa.int32())),
        "note": pa.array(["not ours"] * len(pairs)),
        "weight": pa.array(list(pairs.values()), types.get("weight", pa.float32())),
        "item_index": pa.array([i for _, i in pairs], types.get("item_index", pa.int32())),
    }
    pq.write_table(pa.table(columns), path, row_group_size=64)


def parts(pairs: dict[tuple[int, int], float], count: int) -> list[dict[tuple[int, int], float]]:
    entries = list(pairs.items())
    return [dict(entries[number::count]) for number in range(count)]


def dense(pairs: dict[tuple[int, int], float]) -> np.ndarray:
    expected = np.zeros((USERS, ITEMS), np.float32)
    for (user, item), weight in pairs.items():
        expected[user, item] = weight
    return expected


@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_files_in_any_order_gives_one_canonical_matrix(tmp_path: pathlib.Path, count: int) -> None:
    pairs = triples(seed=1)
    for number, part in enumerate(parts(pairs, count)):
        write(tmp_path / f"part-{number}.parquet", part)
    read = read_matrix(str(tmp_path), USERS, ITEMS)
    assert isinstance(read, csr_matrix)
    assert (read.dtype, read.indices.dtype, read.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert read.nnz == len(pairs)
    for row in range(USERS):
        assert (np.diff(read.indices[read.indptr[row] : read.indptr[row + 1]]) > 0).all()
    np.testing.assert_array_equal(read.toarray(), dense(pairs))


def test_what_spark_does_not_read_is_no_data(tmp_path: pathlib.Path) -> None:
    pairs = triples(seed=2)
    write(tmp_path / "day=1" / "part-0.parquet", pairs)
    for hidden in ("_temporary/part-0.parquet", ".part-1.parquet", "_part-2.parquet", "day=1/.hidden/part-3.parquet"):
        write(tmp_path / hidden, triples(seed=3))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "_manifest.json").write_text("{}")
    (tmp_path / "readme.txt").write_text("not Parquet")
    np.testing.assert_array_equal(read_matrix(str(tmp_path), USERS, ITEMS).toarray(), dense(pairs))


def test_a_folder_below_a_hidden_one_is_read(tmp_path: pathlib.Path) -> None:
    """Internal tables lie under `_nights/`: only names below the given folder are looked at."""
    pairs = triples(seed=4)
    write(tmp_path / "_nights" / "user_item" / "part-0.parquet", pairs)
    read = read_matrix(str(tmp_path / "_nights" / "user_item"), USERS, ITEMS)
    np.testing.assert_array_equal(read.toarray(), dense(pairs))


@pytest.mark.parametrize("form", ["{path}", "file://{quoted}", "file:{quoted}", "{path}/part-0.parquet"])
def test_paths_and_uris(tmp_path: pathlib.Path, form: str) -> None:
    folder = tmp_path / "Größe 100%"
    pairs = triples(seed=5)
    write(folder / "part-0.parquet", pairs)
    name = form.format(path=folder, quoted=folder.as_uri().removeprefix("file://"))
    np.testing.assert_array_equal(read_matrix(name, USERS, ITEMS).toarray(), dense(pairs))


def test_a_relative_path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = triples(seed=6)
    write(tmp_path / "user_item" / "part-0.parquet", pairs)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read_matrix("user_item", USERS, ITEMS).toarray(), dense(pairs))


def test_s3a_is_s3() -> None:
    system, name = file_system("s3a://bucket/warehouse/user_item?region=eu-west-1")
    assert isinstance(system, pa.fs.S3FileSystem)
    assert name == "bucket/warehouse/user_item"


def test_wider_types_are_narrowed(tmp_path: pathlib.Path) -> None:
    pairs = triples(seed=7)
    write(tmp_path / "a.parquet", pairs, user_index=pa.int64(), item_index=pa.int64(), weight=pa.float64())
    read = read_matrix(str(tmp_path), USERS, ITEMS)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read.toarray(), dense(pairs))


def test_files_without_rows_make_an_empty_matrix(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "a.parquet", {})
    read = read_matrix(str(tmp_path), USERS, ITEMS)
    assert (read.shape, read.nnz) == ((USERS, ITEMS), 0)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({(0, 0): 1.0, (USERS, 0): 1.0}, r"user_index runs from 0 to 40, not within 0 to 39"),
        ({(0, 0): 1.0, (-1, 0): 1.0}, r"user_index runs from -1 to 0, not within 0 to 39"),
        ({(0, ITEMS): 1.0}, r"item_index runs from 30 to 30, not within 0 to 29"),
        ({(0, -2): 1.0}, r"item_index runs from -2 to -2, not within 0 to 29"),
    ],
)
def test_an_index_out_of_range(tmp_path: pathlib.Path, pairs: dict[tuple[int, int], float], message: str) -> None:
    write(tmp_path / "a.parquet", pairs)
    with pytest.raises(InputError, match=message):
        read_matrix(str(tmp_path), USERS, ITEMS)


def test_an_index_beyond_32_bits(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "a.parquet", {(2**32, 0): 1.0}, user_index=pa.int64())
    with pytest.raises(InputError, match=r"a\.parquet: user_index: .*4294967296"):
        read_matrix(str(tmp_path), USERS, ITEMS)


def test_a_pair_that_comes_twice(tmp_path: pathlib.Path) -> None:
    pairs = triples(seed=8)
    write(tmp_path / "a.parquet", pairs)
    write(tmp_path / "b.parquet", dict(list(pairs.items())[:2]))
    with pytest.raises(InputError, match="2 entries repeat the user and item"):
        read_matrix(str(tmp_path), USERS, ITEMS)


@pytest.mark.parametrize("column", ["user_index", "item_index", "weight"])
def test_a_null_and_a_missing_column(tmp_path: pathlib.Path, column: str) -> None:
    write(tmp_path / "a.parquet", triples(seed=9))
    table = pq.read_table(tmp_path / "a.parquet")
    values = pa.array([None, *table[column].to_pylist()[1:]], table[column].type)
    pq.write_table(table.set_column(table.column_names.index(column), column, values), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=rf"a\.parquet: {column} is null in 1 rows"):
        read_matrix(str(tmp_path), USERS, ITEMS)
    pq.write_table(table.drop_columns([column]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=rf"a\.parquet: no column {column}"):
        read_matrix(str(tmp_path), USERS, ITEMS)


def test_a_place_without_data(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        read_matrix(str(tmp_path / "nowhere"), USERS, ITEMS)
    with pytest.raises(InputError, match="no Parquet file in this folder"):
        read_matrix(str(tmp_path), USERS, ITEMS)
    (tmp_path / "a.parquet").write_bytes(b"user_index,item_index,weight\n")
    with pytest.raises(InputError, match=r"a\.parquet: not Parquet"):
        read_matrix(str(tmp_path), USERS, ITEMS)


def test_more_entries_than_can_be_indexed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet", triples(seed=10, entries=11))
    monkeypatch.setattr(reading, "MAX_ENTRIES", 10)
    with pytest.raises(InputError, match="11 entries are more than one process can index"):
        read_matrix(str(tmp_path), USERS, ITEMS)


def test_memory_stays_under_three_times_the_matrix(tmp_path: pathlib.Path) -> None:
    """numpy's and scipy's part of it; Arrow's is one row group, whatever the number of entries."""
    entries, users = 400_000, 20_000
    rng = np.random.default_rng(11)
    columns = {
        "user_index": pa.array(np.arange(entries, dtype=np.int32) % users),
        "item_index": pa.array(np.arange(entries, dtype=np.int32) // users),
        "weight": pa.array(rng.random(entries, dtype=np.float32) + 1),
    }
    pq.write_table(pa.table(columns).take(rng.permutation(entries)), tmp_path / "a.parquet")
    tracemalloc.start()
    try:
        read = read_matrix(str(tmp_path), users, entries // users)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    own = read.data.nbytes + read.indices.nbytes + read.indptr.nbytes
    assert own > 8 * entries
    assert peak < 3 * own
