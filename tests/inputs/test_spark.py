"""Reading inputs with Spark: every line of every kind of file, with its place."""

import datetime as dt
import decimal
import functools
import gzip
import pathlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from musai.config import FileFormat
from musai.errors import InputError
from musai.inputs import places
from musai.inputs import spark as inputs
from musai.inputs.sources import Source

FIELDS = ("user_id", "track_id", "plays")


@pytest.fixture
def source(tmp_path: pathlib.Path):
    def described(
        files: Mapping[str, bytes], columns: Mapping[str, str | int] | None = None, multiline: bool = False, **settings
    ) -> Source:
        for name, content in files.items():
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / name).write_bytes(content)
        how = FileFormat(**{"separator": None, "quote": '"', "header": True, "encoding": "utf-8", **settings})
        return Source("interactions", str(tmp_path / "in"), columns or {}, how, multiline)

    return described


def read(spark, source: Source) -> dict[str, tuple]:
    """(kind or reason, user_id, track_id) of every line, by its place; every line is asked for as if it were bad."""
    survey = inputs.surveyed(spark, source)
    frame = inputs.united(inputs.read(spark, survey), ("user_id", "track_id"))
    said = F.to_json(F.struct(F.coalesce("_kind", "_reason").alias("said"), "user_id", "track_id"))
    rows = inputs.rejects(spark, survey, bad(frame.withColumn("_reason", said))).collect()
    return {row["place"]: row["reason"] for row in rows}


def bad(rows: DataFrame) -> DataFrame:
    return rows.select(F.expr(inputs.bad_row()).alias("bad")).select("bad.*")


def row(user: str | None = None, track: str | None = None, said: str | None = None) -> str:
    parts = {"said": said, "user_id": user, "track_id": track}
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in parts.items() if value is not None) + "}"


HEADER = row(said="header")


def test_line_numbers_over_many_splits_line_ends_and_files(spark, source) -> None:
    """A file of each line end, cut into pieces of a few hundred bytes that end in the middle of lines."""
    expected, files = {}, {}
    for name, end in (("a.csv", "\n"), ("b.csv", "\r\n"), ("c.csv", "\r")):
        lines = ["user_id,track_id", *(f"u{number},t{number}" + "x" * (number % 37) for number in range(2, 150))]
        lines[50] = lines[51] = ""  # blank
        files[name] = end.join(lines).encode()
        for number, line in enumerate(lines, start=1):
            user, _, track = line.partition(",")
            plain = row(user, track) if line else row(said="blank")
            expected[f"{name}:{number}"] = HEADER if number == 1 else plain
    keys = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
    before = [spark.conf.get(key) for key in keys]
    try:
        spark.conf.set(keys[0], "700")
        spark.conf.set(keys[1], "0")
        described = source(files)
        survey = inputs.surveyed(spark, described)
        assert inputs.read(spark, survey)[0].frame.rdd.getNumPartitions() > 12
        assert read(spark, described) == expected
    finally:
        for key, value in zip(keys, before, strict=True):
            spark.conf.set(key, value)


def test_names_of_files_are_taken_as_they_stand(spark, source) -> None:
    names = [
        "a b.csv",
        "100%.csv",
        "p%41.csv",
        "x[1].csv",
        "{y}.csv",
        "z*.csv",
        "q?.csv",
        "c:d.csv",
        "naïve+é.csv",
        "#h.csv",
    ]
    names += ["back\\s.csv", "quo'te\".csv", " lead.csv", "日本.csv", "sub dir/day=1/x.csv", "zipped +.csv.gz"]
    body = b"user_id,track_id\nu,t"
    files = {name: gzip.compress(body) if name.endswith("gz") else body for name in names}
    found = read(spark, source(files))
    assert found == {f"{name}:{line}": text for name in names for line, text in ((1, HEADER), (2, row("u", "t")))}
    wide = read(spark, source(files, multiline=True))
    assert wide == found


def test_a_stale_checksum_file_of_hadoop_does_not_stop_the_run(spark, source) -> None:
    described = source({"a.csv": b"user_id,track_id\nu,t\n", ".a.csv.crc": b"crc\0\0\0\2\0nonsense"})
    assert read(spark, described) == {"a.csv:1": HEADER, "a.csv:2": row("u", "t")}


def test_byte_order_marks_and_files_joined_to_others(spark, source) -> None:
    one = b"\xef\xbb\xbfuser_id,track_id\r\nu,t\r\n"
    found = read(spark, source({"a.csv": one + one, "b.jsonl": b'\xef\xbb\xbf{"user_id": 1, "track_id": "x"}'}))
    assert found == {
        "a.csv:1": HEADER,
        "a.csv:2": row("u", "t"),
        "a.csv:3": HEADER,
        "a.csv:4": row("u", "t"),
        "b.jsonl:1": row("1", "x"),
    }


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [
        ("iso-8859-1", None),
        ("gb18030", b"\xff,x\n"),
        ("shift_jis", b"\x81\xff,x\n"),
        ("ascii", b"\xe9,x\n"),
        ("utf-8", b"\xe9,x\n"),
    ],
)
def test_encodings_whose_lines_end_with_a_byte(spark, source, encoding: str, bad: bytes | None) -> None:
    text = {"iso-8859-1": "ünïcödé", "gb18030": "音楽", "shift_jis": "音楽ソ", "ascii": "plain", "utf-8": "音é"}[
        encoding
    ]
    content = f"user_id,track_id\n{text},\\\n".encode(encoding) + (bad or b"")
    expected = {"a.csv:1": HEADER, "a.csv:2": row(text, "\\\\")}
    if bad:
        expected["a.csv:3"] = row(said=f"not valid {encoding}")
    assert read(spark, source({"a.csv": content}, encoding=encoding)) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "cp037"])
def test_encodings_whose_lines_end_otherwise(spark, source, encoding: str) -> None:
    content = '{"user_id": "ü", "track_id": "t"}\r\n\nno\n'.encode(encoding)
    assert read(spark, source({"a.jsonl": content, "b.jsonl.gz": gzip.compress(content)}, encoding=encoding)) == {
        f"{name}:{line}": text
        for name in ("a.jsonl", "b.jsonl.gz")
        for line, text in ((1, row("ü", "t")), (2, row(said="blank")), (3, row(said="not a JSON object")))
    }


def test_half_a_character_of_utf_16_costs_its_line(spark, source) -> None:
    content = "user_id,track_id\n".encode("utf-16-le") + b"\x00\xd8" + "u,t\nv,t\n".encode("utf-16-le")
    found = read(spark, source({"a.csv": content}, encoding="utf-16-le"))
    assert found == {"a.csv:1": HEADER, "a.csv:2": row(said="not valid utf-16-le"), "a.csv:3": row("v", "t")}


def test_quoted_fields_with_line_ends(spark, source) -> None:
    files = {
        "a.csv": b'user_id,track_id\n"a\nb",c\n"open,c\nd,e\n',
        "b.csv.gz": gzip.compress(b'track_id,user_id\r\nt,"u"\r\n'),
    }
    many = read(spark, source(files, multiline=True))
    assert many == {
        "a.csv:1": HEADER,
        "a.csv:2": row("a\\nb", "c"),
        "a.csv:4": row(said="broken quoting"),
        "a.csv:5": row("d", "e"),
        "b.csv.gz:1": HEADER,
        "b.csv.gz:2": row("u", "t"),
    }
    single = read(spark, source(files))
    assert single["a.csv:2"] == single["a.csv:4"] == row(said="broken quoting")
    assert single["a.csv:3"] == row('b\\"', "c")  # a quote that begins no field is a character like any other


def test_files_that_break_off_are_rejects_as_a_whole(spark, source, tmp_path: pathlib.Path) -> None:
    pq.write_table(
        pa.table({"user_id": [str(n) for n in range(5000)], "track_id": ["t"] * 5000}), tmp_path / "t.parquet"
    )
    whole = (tmp_path / "t.parquet").read_bytes()
    torn = whole[:200] + bytes(255 - byte for byte in whole[200:20000]) + whole[20000:]
    body = b"user_id,track_id\n" + b"".join(b"u%d,t\n" % number for number in range(50_000))
    packed = gzip.compress(body)
    files = {
        "a.csv": b"user_id,track_id\nu,t\n",
        "b.parquet": torn,
        "c.parquet": whole[:-10],
        "d.csv.gz": packed[:-100],
    }
    files["e.csv.gz"] = packed[:5000] + b"\0" * 50 + packed[5050:]
    survey = inputs.surveyed(spark, source(files))
    assert [entry.name for group in survey.groups for entry in group.entries] == ["a.csv"]
    assert [name for name, _ in survey.rejects] == ["b.parquet", "c.parquet", "d.csv.gz", "e.csv.gz"]
    assert [reason.split(":")[0] for _, reason in survey.rejects] == ["unreadable Parquet"] * 2 + [
        "unreadable gzip"
    ] * 2
    assert read(spark, source({}))["d.csv.gz"].startswith("unreadable gzip: ")


def test_many_bytes_are_verified_by_spark(spark, source, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(b"user_id,track_id\n" * 1000)
    described = source({"a.csv.gz": packed, "b.csv.gz": packed[:-9], "c.parquet": b"x"})
    monkeypatch.setattr(inputs, "VERIFIED_BY_DRIVER", 0)
    survey = inputs.surveyed(spark, described)
    assert [entry.name for group in survey.groups for entry in group.entries] == ["a.csv.gz"]
    assert [name for name, _ in survey.rejects] == ["b.csv.gz", "c.parquet"]


def test_an_input_without_a_usable_file_is_an_input_error(spark, source) -> None:
    packed = gzip.compress(b"user_id,track_id\n" * 1000)
    with pytest.raises(InputError) as caught:
        inputs.surveyed(spark, source({"a.csv.gz": packed[:-9], "b.csv.gz": packed[:-5]}))
    assert [fault.split(": ")[:3] for fault in caught.value.faults] == [
        ["inputs.interactions", f"{name}.csv.gz", "unreadable gzip"] for name in "ab"
    ]


def _parquet(**columns: pa.Array) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


def _frame(spark, source: Source) -> DataFrame:
    rows = inputs.read(spark, inputs.surveyed(spark, source))
    return functools.reduce(DataFrame.union, [group.frame for group in rows])


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        (pa.array([1, None, -7]), ["1", None, "-7"]),
        (pa.array([1.0, None, 2.5]), ["1", None, "2.5"]),
        (pa.array([1e300, float("nan"), 123456789012.0]), ["1.0E300", None, "123456789012"]),
        (pa.array([2**64 - 1, None, 0], pa.uint64()), ["18446744073709551615", None, "0"]),
        (pa.array([200, None, 0], pa.uint8()), ["200", None, "0"]),
        (pa.array([" a\n", None, ""]), [" a\n", None, ""]),
        (pa.array(["é", None, "é"]).dictionary_encode(), ["é", None, "é"]),
        (pa.array([b"\xc3\xa9", None, b"b"]), ["é", None, "b"]),
        (pa.array([decimal.Decimal("1.50"), None, decimal.Decimal(0)], pa.decimal128(10, 2)), ["1.50", None, "0.00"]),
        (pa.array([True, None, False]), ["true", None, "false"]),
    ],
)
def test_ids_of_parquet_become_text(spark, source, ids: pa.Array, texts: list[str | None]) -> None:
    frame = _frame(spark, source({"a.parquet": _parquet(user_id=ids, track_id=pa.array(["t"] * 3))}))
    assert [one["user_id"] for one in frame.orderBy("_row").collect()] == texts


def test_text_of_parquet_that_is_no_text_is_a_reject_with_its_row(spark, source) -> None:
    ids = pa.array([b"ok", b"\xff\xfe", None])
    described = source({"a.parquet": _parquet(user_id=ids, track_id=pa.array([1, 2, 3]))})
    survey = inputs.surveyed(spark, described)
    (found,) = inputs.rejects(spark, survey, bad(_frame(spark, described).where("_reason IS NOT NULL"))).collect()
    assert tuple(found) == ("interactions", "a.parquet:row 2", "not valid utf-8", "user_id=\\xff\\xfe, track_id=2")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/St_Johns"])
def test_moments_of_parquet(spark, source, zone: str) -> None:
    """Those with a zone are instants; those without are in the time zone of the session."""
    when = [dt.datetime(2021, 2, 3, 10, 20, 30, 123456), dt.datetime(1969, 12, 31, 23, 59, 59, 999999)]  # noqa: DTZ001
    types = {f"{unit}{tz or ''}": pa.timestamp(unit, tz) for unit in ("us", "ns") for tz in (None, "Europe/Berlin")}
    files = {
        f"{name}.parquet": _parquet(
            user_id=pa.array(["u", "v"]), track_id=pa.array([name] * 2), timestamp=pa.array(when, kind)
        )
        for name, kind in types.items()
    }
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        frame = _frame(spark, source(files)).select("track_id", F.unix_micros("timestamp").alias("at"))
        found: dict[str, set[int]] = {name: set() for name in types}
        for one in frame.collect():
            found[one["track_id"]].add(one["at"])
        wall = {micros(one.replace(tzinfo=dt.UTC)) for one in when}
        local = {row["at"] for row in spark.createDataFrame([(one.isoformat(),) for one in when], "t string")
                 .select(F.unix_micros(F.col("t").cast("timestamp")).alias("at")).collect()}  # fmt: skip
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert found == {"us": local, "ns": local, "usEurope/Berlin": wall, "nsEurope/Berlin": wall}


def micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def test_raw_text_is_cut_and_shows_bad_bytes(spark, source) -> None:
    described = source({"a.csv": b"user_id,track_id\nu\xff," + b"x" * 100_000 + b"\n"})
    survey = inputs.surveyed(spark, described)
    (found,) = inputs.rejects(spark, survey, bad(_frame(spark, described).where("_reason IS NOT NULL"))).collect()
    assert found["raw"] == "u\\xff," + "x" * (places.RAW_CHARACTERS - 6)
