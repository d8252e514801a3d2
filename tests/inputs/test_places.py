"""What is shown of a row that could not be used."""

import pyarrow as pa

from musai.inputs import places


def test_undecodable_bytes_are_shown_and_long_rows_are_cut() -> None:
    assert places.shown("é\0\x1b😀".encode() + b"\xff\xc3") == "é\0\x1b😀\\xff\\xc3"
    assert places.shown("😀".encode() * 1500) == "😀" * 1000
    assert places.shown(b"a" * 999 + b"\xff\xff") == "a" * 999 + "\\"
    assert places.shown(None) is None


def test_paths_as_spark_writes_them() -> None:
    assert places.plain("file:///a%20b/100%25.csv") == places.plain("file:/a%20b/100%25.csv") == "/a b/100%.csv"
    assert places.plain("s3a://bucket/a+b.csv") == "s3a://bucket/a+b.csv"


def test_ids_are_found_anywhere_and_as_csv_and_json_write_them() -> None:
    holds = places.holds_any(['a"b', "ü1", "x\ny"])
    assert holds(b'"a""b",t')
    assert holds('{"user_id": "ü1"'.encode())
    assert holds(b'{"user_id": "\\u00fc1"')
    assert holds(b'{"user_id": "x\\ny"')
    assert not holds(b"ab,u1,xy")
    assert not holds(b"")


def test_rows_become_place_reason_and_text() -> None:
    describe = places.described(
        {"/in/a.csv": "a.csv", "/in/b.parquet": "b.parquet"}, frozenset({"b.parquet"}), ["secret"]
    )
    batch = pa.record_batch(
        {
            "_file": ["file:///in/a.csv", "file:/in/a.csv", "file:/in/b.parquet", "file:/in/a.csv"],
            "_line": [2, None, 7, 3],
            "_reason": ["r1", "r2", "r3", "r4"],
            "_raw": pa.array([b"my secret", b"\xff", None, b"secret,t,x"], pa.binary()),
            "_unknown": [True, True, True, False],
        }
    )
    (found,) = describe(iter([batch]))
    assert found.to_pylist() == [
        {"place": "a.csv:2", "reason": "r1", "raw": "[erased]"},
        {"place": "a.csv", "reason": "r2", "raw": "\\xff"},
        {"place": "b.parquet:row 7", "reason": "r3", "raw": None},
        {"place": "a.csv:3", "reason": "r4", "raw": "secret,t,x"},
    ]
