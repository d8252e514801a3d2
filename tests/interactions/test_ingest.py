"""The listening log: every row is used, rejected, outside or erased, and said so with its place."""

import datetime as dt
import gzip
import json
import pathlib
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.errors import InputError, MusaiError
from musai.interactions.spark import ingest
from tests.ingested import rows_of

NOW, RUN_DATE = dt.datetime(2022, 1, 1, 12, tzinfo=dt.UTC), dt.date(2021, 12, 31)
HEADER = "user_id,track_id,plays,event,timestamp"
BAD = [  # a row that cannot be used, with "," for the separator, and why
    (b"u\xff,t,1,play,2021-01-01", "not valid utf-8"),
    (b"\xc3(,t,1,play,", "not valid utf-8"),
    (b"\xed\xa0\x80,t,1,play,", "not valid utf-8"),
    (b'"u,t,1,play,', "broken quoting"),
    (b'u,"t,1,play,', "broken quoting"),
    (b'"u"x,t,1,play,', "broken quoting"),
    (b'u,t,1,play,"2021-01-01', "broken quoting"),
    (b"u,t", "2 columns where 5 are due"),
    (b"u", "1 columns where 5 are due"),
    (b"u,t,1,play,,", "6 columns where 5 are due"),
    (b",t,1,play,", "no user id"),
    (b'"",t,1,play,', "no user id"),
    (b" ,t,1,play,", "no user id"),
    ("\u3000\xa0,t,1,play,".encode(), "no user id"),
    (b"u,,1,play,", "no track id"),
    (b",,,,", "no user id"),
    (b"u,t,x,play,", "plays is not a number"),
    (b"u,t,1d,play,", "plays is not a number"),
    (b"u,t,0x1,play,", "plays is not a number"),
    (b"u,t,NaN,play,", "plays is NaN"),
    (b"u,t,-inf,play,", "plays is infinite"),
    (b"u,t,1e999,play,", "plays is infinite"),
    (b"u,t,-0.5,play,", "plays is negative"),
    (b"u,t,0.0,play,", "plays is zero"),
    (b"u,t,-0,play,", "plays is zero"),
    (b"u,t,1e-999,play,", "plays is zero"),
    (b"u,t,1000000000.1,play,", "plays is above 1e9"),
    (b"u,t,1,dance,", "event is not in ingest.event_weights"),
    (b"u,t,1,play,2021-02-30", "timestamp cannot be read"),
    (b"u,t,1,play,2021", "timestamp is before ingest.earliest_date"),
    (b"u,t,1,play,1989-12-31T23:59:59Z", "timestamp is before ingest.earliest_date"),
    (b"u,t,1,play,2022-01-02T12:00:01Z", "timestamp is in the future"),
    (b"u,t,1,play,1612347630123", "timestamp is in the future"),
]
GOOD = [
    b"u,t,1,play,",
    b"u,t,,,",
    b'"u","t","1","play","2021-01-01"',
    b"u,t, 2 , like ,1609459200",
    b"u,t,1,skip,2022-01-02T12:00:00Z",
]


@pytest.mark.parametrize(
    ("suffix", "separator", "end"), [("csv", b",", b"\n"), ("tsv", b"\t", b"\r\n"), ("csv.gz", b",", b"\r")]
)
def test_every_kind_of_bad_row_with_its_line(ingested, suffix: str, separator: bytes, end: bytes) -> None:
    lines, expected = [HEADER.encode()], {}
    for number, (row, reason) in enumerate(BAD):
        lines += [GOOD[number % len(GOOD)], row]
        expected[f"log.{suffix}:{len(lines)}"] = reason
        lines += [[b"", b"  "][number % 2]] * (number % 3)
    content = b"".join(line.replace(b",", separator) + end for line in lines)
    found = ingested({f"log.{suffix}": gzip.compress(content) if suffix.endswith("gz") else content})
    assert found.reasons == expected
    blank, outside = sum(number % 3 for number in range(len(BAD))), len(BAD) // len(GOOD)
    assert found.counts == {
        "read": 2 * len(BAD),
        "used": len(BAD) - outside,
        "rejected": len(BAD),
        "outside": outside,
        "erased": 0,
        "header": 1,
        "blank": blank,
        "files": 1,
        "repeated_files": 0,
        "rejected_files": 0,
    }
    shown = {place: raw for _, place, _, raw in found.rejected}
    assert shown[f"log.{suffix}:3"] == "u\\xff,t,1,play,2021-01-01".replace(",", separator.decode())


def test_every_kind_of_bad_json_line(ingested) -> None:
    bad = {
        "[1]": "not a JSON object",
        '{"user_id": "u"': "not a JSON object",
        '{"user_id": "u", "track_id": "t"} {}': "not a JSON object",
        "[" * 3000: "not a JSON object",
        '{"a": ' + "[" * 3000 + "]" * 3000 + "}": "not a JSON object",
        '{"user_id": "\\ud800", "track_id": "t"}': "half a character in a \\u escape",
        '{"track_id": "t"}': "no user id",
        '{"user_id": null, "track_id": "t"}': "no user id",
        '{"user_id": "u", "track_id": " "}': "no track id",
        '{"user_id": "u", "track_id": "t", "plays": "x"}': "plays is not a number",
        '{"user_id": "u", "track_id": "t", "plays": NaN}': "plays is NaN",
        '{"user_id": "u", "track_id": "t", "plays": -Infinity}': "plays is infinite",
        '{"user_id": "u", "track_id": "t", "plays": 1e999}': "plays is infinite",
        '{"user_id": "u", "track_id": "t", "plays": -1}': "plays is negative",
        '{"user_id": "u", "track_id": "t", "plays": 0}': "plays is zero",
        '{"user_id": "u", "track_id": "t", "plays": [1]}': "plays is not a number",
        '{"user_id": "u", "track_id": "t", "event": 1}': "event is not in ingest.event_weights",
        '{"user_id": "u", "track_id": "t", "timestamp": "2021-02-30"}': "timestamp cannot be read",
    }
    good = {
        "user_id": "u",
        "track_id": 12345678901234567890123,
        "plays": 1.5,
        "event": "like",
        "timestamp": 1609459200.25,
    }
    lines = [line for row in bad for line in (json.dumps(good).encode(), row.encode(), b" ")]
    lines += [b'\xff{"user_id": "u", "track_id": "t"}']
    found = ingested({"log.jsonl": b"\n".join(lines)})
    expected = {f"log.jsonl:{3 * number + 2}": reason for number, reason in enumerate(bad.values())}
    assert found.reasons == expected | {f"log.jsonl:{len(lines)}": "not valid utf-8"}
    at = dt.datetime(2021, 1, 1, 0, 0, 0, 250_000)  # noqa: DTZ001
    assert found.rows == {("u", "12345678901234567890123"): (4.5 * len(bad), len(bad), at)}
    assert found.counts["blank"] == len(bad)


def test_ids_are_never_changed(ingested) -> None:
    ids = [
        *("../../x", "'; drop table users; --", "=1+1", "%41", "\\", "\\n", "${x}", "{}", "[erased]", "x" * 10_000),
        *("a b ", " a b", "A B", "a\tb", "a,b", 'say "hi"', "\x00", "\x01\x1b[31m", "a\x0bb", "\x85x", "x\u2028y"),
        *("😀👩\u200d👧", "שלום", "\u202eabc", "é", "e\u0301", "\ufeffx", "\u200b", "ﬁ", "İ", "ı", "日本"),
        *("nan", "null", "NULL", "None", "0", "00", "-1", "1.0", "1e3", "true"),
    ]
    quoted = ['"' + one.replace('"', '""') + '"' for one in ids]
    lines = ["user_id,track_id", *(f"{one},t" for one in quoted), *(f"u,{one}" for one in reversed(quoted))]
    rows = [
        json.dumps({"user_id": one, "track_id": "t"}, ensure_ascii=bool(number % 2)) for number, one in enumerate(ids)
    ]
    found = ingested({"a.csv": "\n".join(lines), "b.jsonl": "\n".join(rows)})
    assert not found.rejected
    assert {user for user, track in found.rows if track == "t"} - {"u"} == set(ids)
    assert {track for user, track in found.rows if user == "u"} == set(ids)
    assert {found.rows[one, "t"][1] for one in ids} == {2}


def test_files_of_every_kind_in_one_folder(ingested) -> None:
    table = pa.table({"track_id": ["t"], "user_id": [7], "plays": pa.array([0.1], pa.float32()), "extra": [None]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    found = ingested(
        {
            "1.csv": "user_id,track_id,plays\n7,t,1\n7,t\n",
            "2.csv": "plays,x,track_id,user_id\n2,,t,7\n-2,,t,7",
            "3.tsv": "track_id\tuser_id\nt\t7\n",
            "4.jsonl": '{"user_id": 7, "track_id": "t", "plays": "4"}',
            "5.parquet": sink.getvalue().to_pybytes(),
            "6.csv": "uid,track_id\n7,t\n",
            "7.parquet": b"PAR1",
            "8.csv": "",
            "9.md": "notes",
            "_SUCCESS": "",
            "sub/a.csv.gz": gzip.compress(b"user_id,track_id,plays\n7,t,0\n7,t,8\n"),
        }
    )
    assert found.rows == {("7", "t"): (16.1, 6, None)}
    assert found.reasons == {
        "1.csv:3": "2 columns where 3 are due",
        "2.csv:3": "plays is negative",
        "6.csv": "no column 'user_id'",
        "7.parquet": found.reasons["7.parquet"],
        "9.md": found.reasons["9.md"],
        "sub/a.csv.gz:2": "plays is zero",
    }
    assert (found.counts["files"], found.counts["rejected_files"]) == (6, 3)


def test_ids_in_parquet_that_are_no_utf8(ingested, tmp_path: pathlib.Path) -> None:
    users = pa.array([b"u", b"u\xff", b"\xed\xa0\x80", b"u"])
    pq.write_table(pa.table({"user_id": users, "track_id": [b"t", b"t", b"t", b"\xff"]}), tmp_path / "t.parquet")
    found = ingested({"t.parquet": (tmp_path / "t.parquet").read_bytes()})
    assert found.reasons == {f"t.parquet:row {row}": "not valid utf-8" for row in (2, 3, 4)}
    assert {pair: events for pair, (_, events, _) in found.rows.items()} == {("u", "t"): 1}


def test_rows_of_parquet_with_their_number(ingested, tmp_path: pathlib.Path) -> None:
    nan = float("nan")
    moments = [dt.datetime(2021, 1, 1, 5), None, dt.datetime(2030, 1, 1), *[dt.datetime(2021, 1, 2)] * 5]  # noqa: DTZ001
    table = pa.table(
        {
            "user_id": pa.array([1, 2, 3, None, 5, 6, 7, 8]),
            "track_id": ["t"] * 7 + [""],
            "plays": pa.array([1.0, None, 1.0, 1.0, nan, -1.0, float("inf"), 1.0]),
            "timestamp": pa.array(moments, pa.timestamp("ns")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    found = ingested({"t.parquet": (tmp_path / "t.parquet").read_bytes()}, "ingest.time_zone=Asia/Shanghai")
    assert found.reasons == {
        "t.parquet:row 3": "timestamp is in the future",
        "t.parquet:row 4": "no user id",
        "t.parquet:row 5": "plays is NaN",
        "t.parquet:row 6": "plays is negative",
        "t.parquet:row 7": "plays is infinite",
        "t.parquet:row 8": "no track id",
    }
    assert found.rows == {
        ("1", "t"): (1.0, 1, dt.datetime(2020, 12, 31, 21)),  # noqa: DTZ001
        ("2", "t"): (1.0, 1, None),
    }


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_the_edges_of_the_window(ingested, zone: str) -> None:
    """Two days up to 7 November 2021, when New York's clocks went back, to the microsecond."""
    local = ZoneInfo(zone)
    first = dt.datetime(2021, 11, 6, tzinfo=local).astimezone(dt.UTC)
    after = dt.datetime(2021, 11, 8, tzinfo=local).astimezone(dt.UTC)
    tick = dt.timedelta(microseconds=1)
    moments = {"before": first - tick, "first": first, "last": after - tick, "after": after}
    moments["hour"] = after - dt.timedelta(hours=48.5)
    lines = ["user_id,track_id,timestamp", "none,t,"]
    lines += [f"{name},t,{moment.isoformat()}" for name, moment in moments.items()]
    lines += [
        "local first,t,2021-11-06T00:00:00",
        "local last,t,2021-11-07 23:59:59.999999",
        "local after,t,2021-11-08",
    ]
    overrides = ("ingest.window_days=2", f"ingest.time_zone={zone}")
    found = ingested({"log.csv": "\n".join(lines)}, *overrides, run_date=dt.date(2021, 11, 7))
    inside = {"none", "first", "last", "local first", "local last"} | (
        {"hour"} if zone == "America/New_York" else set()
    )
    assert {user for user, _ in found.rows} == inside
    assert found.counts["outside"] == len(lines) - 1 - len(inside)
    assert not found.rejected


def test_the_bounds_of_what_can_be_a_moment(ingested) -> None:
    lines = ["user_id,track_id,timestamp", "a,t,2020-01-01T00:00:00+09:00", "b,t,2019-12-31T23:59:59.999999+09:00"]
    lines += ["c,t,2022-01-02T12:00:00Z", "d,t,2022-01-02T12:00:00.000001Z"]
    overrides = ("ingest.earliest_date=2020-01-01", "ingest.time_zone=Asia/Tokyo")
    found = ingested({"log.csv": "\n".join(lines)}, *overrides, run_date=dt.date(2022, 1, 5))
    assert {user for user, _ in found.rows} == {"a", "c"}
    assert found.reasons == {
        "log.csv:3": "timestamp is before ingest.earliest_date",
        "log.csv:5": "timestamp is in the future",
    }


def test_events_and_their_weights(ingested) -> None:
    lines = [
        "user_id,track_id,plays,event",
        "u,a,2,play",
        "u,a,2,like",
        "u,a,,skip",
        "u,b,3,skip",
        "u,c,1,",
        "u,c,1,it's ünique",
    ]
    weights = ("""ingest.event_weights={play: 1, like: 0.1, skip: -0.5, "it's ünique": 1e-3}""",)
    found = ingested({"log.csv": "\n".join(lines)}, *weights)
    assert found.rows == {("u", "a"): (1.7, 3, None), ("u", "b"): (-1.5, 1, None), ("u", "c"): (1.001, 2, None)}


def test_sums_do_not_depend_on_the_partitions(spark, settings, tmp_path: pathlib.Path) -> None:
    lines = [
        f"u{n % 7},t{n % 3},{(n * 7919 % 1000) / 999 + 1e-7},{['play', 'like', 'skip'][n % 3]}" for n in range(3000)
    ]
    lines += (
        ["big,t,1e9,huge"] * 50
        + ["big,t,1e9,tiny"] * 50
        + ["mixed,t,1e9,huge", "mixed,t,0.000001,play", "mixed,t,1e9,tiny"]
    )
    (tmp_path / "a.csv").write_text("user_id,track_id,plays,event\n" + "\n".join(lines))
    (tmp_path / "b.csv").write_text("user_id,track_id,plays,event\n" + "\n".join(reversed(lines)))
    weights = "ingest.event_weights={play: 1, like: 0.3, skip: -0.7, huge: 9e8, tiny: -9e8}"
    seen = []
    keys = {"spark.sql.files.maxPartitionBytes": "134217728", "spark.sql.shuffle.partitions": "4"}
    for name, size, partitions in (("a", "134217728", "1"), ("a", "5000", "3"), ("b", "1777", "7")):
        for key, value in zip(keys, (size, partitions), strict=True):
            spark.conf.set(key, value)
        try:
            config = settings(f"inputs.interactions={tmp_path / name}.csv", weights)
            seen.append(rows_of(ingest(spark, config, RUN_DATE, NOW)))
        finally:
            for key, value in keys.items():
                spark.conf.set(key, value)
    assert seen[0] == seen[1] == seen[2]
    plays = {row[:2]: row[2] for row in seen[0]}
    assert plays["big", "t"] == 0.0
    assert plays["mixed", "t"] == 1e-6


def test_aliases_are_followed_and_bad_ones_reported(ingested, tmp_path: pathlib.Path) -> None:
    lines = ["bad,good", "a,b", "b,c", "x,y", "y,z", "z,x", ",c", "d,", "e,e", "a,q", "a,b", '"f,g', "tail,z", "üb,a"]
    (tmp_path / "aliases.csv").write_text("\n".join(lines))
    overrides = (f"inputs.aliases={tmp_path}/aliases.csv", "inputs.aliases_columns={bad_id: bad, good_id: 2}")
    log = [
        "user_id,track_id",
        *(f"u,{track}" for track in ("a", "b", "c", "x", "y", "z", "tail", "e", "üb", "other", "bad,")),
    ]
    found = ingested({"log.csv": "\n".join(log)}, *overrides)
    events = {track: row[1] for (_, track), row in found.rows.items()}
    assert events == {"c": 4, "x": 4, "e": 1, "other": 1}
    of_aliases = {place: reason for source, place, reason, _ in found.rejected if source == "aliases"}
    assert of_aliases == {
        "aliases.csv:4": "the aliases go round in a circle; this one is left out",
        "aliases.csv:7": "no bad id",
        "aliases.csv:8": "no good id",
        "aliases.csv:9": "the alias stands for itself",
        "aliases.csv:10": "bad id again",
        "aliases.csv:11": "bad id again",
        "aliases.csv:12": "broken quoting",
    }
    assert [row[1] for row in found.rejected if row[0] == "interactions"] == ["log.csv:12"]


def test_erased_users_reach_no_table(ingested, tmp_path: pathlib.Path) -> None:
    (tmp_path / "erased").write_text('secret\n sec ret \nse"c\nsé\n\n')
    lines = [
        b"user_id,track_id,plays",
        b"secret,t,1",
        b"secret,,1",
        b"secret,t,-1",
        b" sec ret ,t,1",
        b'"se""c",t,1',
        b"secrets,t,1",
        b"sec ret,t,1",
        b"keep,secret,0",
        b"secret,t",
        b"\xffsecret,t,1",
        b'"se""c,t,1',
        b",secret,1",
        b",t,1",
        b"keep,t",
    ]
    files = {"a.csv": b"\n".join(lines), "b.jsonl": '{"user_id": "s\\u00e9", "track_id": "t"}\n{"user_id": "s\\u00e9"'}
    found = ingested(files, f"inputs.erased_users={tmp_path}/erased")
    assert set(found.rows) == {("secrets", "t"), ("sec ret", "t")}
    assert found.counts["erased"] == 6
    shown = {place: (reason, raw) for _, place, reason, raw in found.rejected}
    assert shown == {
        "a.csv:9": ("plays is zero", "keep,secret,0"),  # a track that is called so
        "a.csv:10": ("2 columns where 3 are due", "[erased]"),
        "a.csv:11": ("not valid utf-8", "[erased]"),
        "a.csv:12": ("broken quoting", "[erased]"),
        "a.csv:13": ("no user id", "[erased]"),
        "a.csv:14": ("no user id", ",t,1"),
        "a.csv:15": ("2 columns where 3 are due", "keep,t"),
        "b.jsonl:2": ("not a JSON object", "[erased]"),
    }


@pytest.mark.parametrize("body", ["", "u,t,-1\n", ",,\n\n"])
def test_a_log_without_a_usable_row_is_counted_all_the_same(ingested, body: str) -> None:
    found = ingested({"log.csv": "user_id,track_id,plays\n" + body})
    assert not found.rows
    assert (found.counts["header"], found.counts["rejected"]) == (1, int(bool(body)))


def test_what_is_asked_for_first_does_not_matter_and_the_table_is_held_to_the_counts(
    spark, settings, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "log.csv").write_text("user_id,track_id\na,b\nc\n\n")
    found = ingest(spark, settings(f"inputs.interactions={tmp_path}/log.csv"), RUN_DATE, NOW)
    assert [row["place"] for row in found.rejected().collect()] == ["log.csv:3"]
    assert len(rows_of(found)) == 1
    counts = found.counts(1)
    assert (counts["read"], counts["used"], counts["rejected"], counts["blank"]) == (2, 1, 1, 1)
    with pytest.raises(MusaiError, match=r"inputs\.interactions: 1 rows were used, 2 are in the table"):
        found.counts(2)
    found.release()


def test_faults_of_every_input_stop_the_run(spark, settings, tmp_path: pathlib.Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,track_id\na,b\n")
    log = f"inputs.interactions={tmp_path}/log.csv"
    for overrides, fault in (
        ((), "inputs.interactions: it has to be named"),
        ((log, "inputs.interactions_columns.plays=9"), "inputs.interactions_columns.plays: no column 9"),
        ((log, f"inputs.aliases={tmp_path}/none"), "inputs.aliases: .*: No such file"),
        ((log, f"inputs.erased_users={tmp_path}/none"), "inputs.erased_users: .*: No such file"),
    ):
        with pytest.raises(InputError, match=fault):
            ingest(spark, settings(*overrides), RUN_DATE, NOW)
