"""Order of keys against a plain sort of them, on random tables cut into files."""

import itertools

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musai.evaluation import key_order
from musai.evaluation.spark import Written, key_faults

KEY = ("user", "rank")
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "é", "\U0001f3b5", "\uffee"]), st.integers(1, 4)), max_size=12)


def stretches(folder, files, batch_rows):
    found = []
    for number, rows in enumerate(files):
        name = str(folder / f"{number}.parquet")
        columns = {
            "rank": pa.array([r for _, r in rows], pa.int32()),
            "user": pa.array([u for u, _ in rows], pa.string()),
        }
        pq.write_table(pa.table(columns), name, row_group_size=batch_rows)
        found.append(key_order.stretch(pyarrow.fs.LocalFileSystem(), name, KEY))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=3), in_order=st.booleans(), size=st.integers(1, 5))
def test_order_shows_uniqueness_exactly_where_the_rows_are_sorted_and_unique(tmp_path, rows, cuts, in_order, size):
    rows = sorted(rows) if in_order else rows
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    files = [rows[start:end] for start, end in itertools.pairwise(ends)]
    found = stretches(tmp_path, files, size)
    assert sum(one.rows for one in found) == len(rows)
    for one, file in zip(found, files, strict=True):
        assert one.ascending == (file == sorted(set(file)))
    if in_order:
        assert key_order.unique(found) == (len(set(rows)) == len(rows))


def test_a_null_in_the_key_is_no_order(tmp_path):
    pq.write_table(pa.table({"user": ["a", None], "rank": [1, 2]}), tmp_path / "0.parquet")
    assert not key_order.stretch(pyarrow.fs.LocalFileSystem(), str(tmp_path / "0.parquet"), KEY).ascending


@pytest.mark.parametrize(
    ("rows", "counted", "faults"),
    [
        ([("a", 1), ("a", 2), ("b", 1)], 3, []),
        ([("a", 1), ("b", 1), ("a", 2)], 3, []),  # out of order, and yet no key comes twice
        ([("a", 1), ("a", 1), ("b", 1)], 3, ["1 keys more than once"]),
        ([("a", 1), (None, 2), ("b", 1)], 3, ["1 nulls in the key"]),
        ([("a", 1), ("a", 2)], 3, ["2 rows where the manifest says 3"]),
    ],
)
def test_faults_of_a_key_are_told_whatever_the_order(spark, tmp_path, rows, counted, faults):
    spark.createDataFrame(rows, "user string, rank int").coalesce(1).write.parquet(str(tmp_path / "table"))
    frame = spark.read.parquet(str(tmp_path / "table"))
    written = Written(frame, str(tmp_path / "table"), KEY, counted)
    assert key_faults(spark, {"table": written}) == {"table": faults}
