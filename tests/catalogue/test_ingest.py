"""The catalogue: columns, duplicates and rows that cannot be used."""

import datetime as dt
import gzip
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.catalogue.spark import ingest
from musai.errors import InputError
from musai.inputs.sources import FIELDS
from musai.tables import TABLES


@pytest.fixture
def ingested(spark, settings, tmp_path: pathlib.Path):
    """(rows by track, counts, (reason, raw) by place) of a catalogue in files that the test writes."""

    def run(files, *overrides):
        folder = tmp_path / "tracks"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = folder / next(iter(files)) if len(files) == 1 else folder
        found = ingest(spark, settings(f"inputs.tracks={path}", *overrides))
        rows = found.tracks.collect()
        counts = found.counts(len(rows))
        rejected = found.rejected().collect()
        found.release()
        assert counts["read"] == counts["used"] + counts["rejected"]
        assert counts["used"] == len(rows)
        assert len(rejected) == counts["rejected"] + counts["rejected_files"]
        assert {row["source"] for row in rejected} <= {"tracks"}
        return (
            {row["track_id"]: row.asDict() for row in rows},
            counts,
            {r["place"]: (r["reason"], r["raw"]) for r in rejected},
        )

    return run


def test_every_column_of_the_table_whatever_the_input_has(ingested, spark, settings, tmp_path: pathlib.Path) -> None:
    rows, counts, rejected = ingested({"t.csv": "track_id,title,unknown\n a ,  ,x\nb,Título ,y\n"})
    nothing = dict.fromkeys(FIELDS["tracks"])
    assert rows == {" a ": {**nothing, "track_id": " a "}, "b": {**nothing, "track_id": "b", "title": "Título "}}
    assert not rejected
    assert (counts["header"], counts["blank"], counts["files"]) == (1, 0, 1)
    schema = ingest(spark, settings(f"inputs.tracks={tmp_path}/tracks")).tracks.schema
    assert [(field.name, field.dataType.simpleString()) for field in schema] == [
        (column.name, column.type) for column in TABLES["tracks"].columns
    ]


def test_values_of_text_files(ingested) -> None:
    lines = ["track_id\trelease_date\texplicit\ttags\tgenre"]
    lines += [
        "1\t1999-12-31\ttrue\t a |b||\tx",
        "2\t1999-02\tNO\t|\t",
        "3\t 1999 \t 1\t[live]|x",
        "4\t\t\t",
        "5\t2001-02-03T04:05:06Z\tYes",
    ]
    lines = [line + "\t" * (4 - line.count("\t")) for line in lines]
    rows, _, rejected = ingested({"t.tsv": "\n".join(lines)})
    assert not rejected
    found = {key: (row["release_date"], row["explicit"], row["tags"], row["genre"]) for key, row in rows.items()}
    assert found == {
        "1": (dt.date(1999, 12, 31), True, ["a", "b"], "x"),
        "2": (dt.date(1999, 2, 1), False, None, None),
        "3": (dt.date(1999, 1, 1), True, ["[live]", "x"], None),
        "4": (None, None, None, None),
        "5": (dt.date(2001, 2, 3), True, None, None),
    }


def test_rows_that_cannot_be_used(ingested) -> None:
    bad = {
        ",x,": "no track id",
        '"  ",x,': "no track id",
        "a,1999-02-30,": "release_date cannot be read",
        "b,1999-13,": "release_date cannot be read",
        "c,0000,": "release_date cannot be read",
        "d,0000-01-01,": "release_date cannot be read",
        "e,12345,": "release_date cannot be read",
        "f,99-01-01,": "release_date cannot be read",
        "g,soon,": "release_date cannot be read",
        "h,1999,maybe": "explicit is neither true nor false",
        "i,1999,2": "explicit is neither true nor false",
        "j,1999": "2 columns where 3 are due",
        '"k,1999,': "broken quoting",
        "b\udcff,,": "not valid utf-8",
    }
    lines = ["track_id,release_date,explicit"]
    for row in bad:
        lines += ["", row]
    content = "\n".join([*lines, "good,,"]).encode("utf-8", "surrogateescape")
    rows, counts, rejected = ingested({"t.csv": content})
    assert set(rows) == {"good"}
    assert counts["blank"] == len(bad)
    assert {place: reason for place, (reason, _) in rejected.items()} == {
        f"t.csv:{2 * number + 3}": reason for number, reason in enumerate(bad.values())
    }


def test_the_first_row_of_a_track_that_can_be_used_counts(ingested) -> None:
    files = {
        "b.csv": "track_id,title,release_date\nx,b2,\nz,b3,soon\nz,b4,\n",
        "a/1.csv.gz": gzip.compress(b"title,track_id\na2,y\na3,x\na4,x\n"),
        "c.jsonl": '{"track_id": "x", "title": "c1"}\n{"track_id": "X", "title": "c2"}',
    }
    rows, counts, rejected = ingested(files)
    assert {key: row["title"] for key, row in rows.items()} == {"x": "a3", "y": "a2", "z": "b4", "X": "c2"}
    assert {place: reason for place, (reason, _) in rejected.items()} == {
        "a/1.csv.gz:4": "track_id again",
        "b.csv:2": "track_id again",
        "b.csv:3": "release_date cannot be read",
        "c.jsonl:1": "track_id again",
    }
    assert (counts["read"], counts["used"], counts["header"]) == (8, 4, 2)


def test_a_bad_id_speaks_for_the_good_one_only_where_that_has_no_row(spark, settings, tmp_path: pathlib.Path) -> None:
    (tmp_path / "t.csv").write_text("track_id,title\nold0,Old\nt0,New\nold1,Only\nolder1,Again\nt2,Other\nt2,Twice\n")
    aliases = spark.createDataFrame(
        [("old0", "t0"), ("old1", "t1"), ("older1", "t1"), ("gone", "t9")], "bad_id string, good_id string"
    )
    found = ingest(spark, settings(f"inputs.tracks={tmp_path / 't.csv'}"), aliases=aliases)
    rows = {row["track_id"]: row["title"] for row in found.tracks.collect()}
    counts, rejected = found.counts(len(rows)), found.rejected().collect()
    found.release()
    assert rows == {"t0": "New", "t1": "Only", "t2": "Other"}
    assert [counts[name] for name in ("read", "used", "rejected", "aliased")] == [6, 3, 1, 2]
    assert [(row["place"], row["reason"]) for row in rejected] == [("t.csv:7", "track_id again")]


def test_values_of_json_lines(ingested) -> None:
    objects = [
        {
            "track_id": 7,
            "tags": ["a ", "", "b"],
            "explicit": True,
            "release_date": 1999,
            "title": 1984,
            "lyrics": "one\ntwo",
        },
        {"track_id": "8", "tags": "a|b", "explicit": 0, "release_date": None},
        {"track_id": "9", "tags": [], "explicit": "", "release_date": ""},
    ]
    rows, _, rejected = ingested({"t.jsonl": "\n".join(map(json.dumps, objects))})
    assert not rejected
    found = {key: (row["tags"], row["explicit"], row["release_date"], row["title"]) for key, row in rows.items()}
    assert found == {
        "7": (["a", "b"], True, dt.date(1999, 1, 1), "1984"),
        "8": (["a", "b"], False, None, None),
        "9": (None, None, None, None),
    }
    assert rows["7"]["lyrics"] == "one\ntwo"


def test_values_of_parquet(ingested, tmp_path: pathlib.Path) -> None:
    days = [dt.date(1999, 12, 31), None, dt.date(1, 1, 1)]
    moments = [dt.datetime(1999, 12, 31, 23), None, dt.datetime(2001, 1, 1)]  # noqa: DTZ001
    tables = {
        "a": {
            "release_date": pa.array(days),
            "explicit": pa.array([True, None, False]),
            "tags": [["x", None, " "], None, []],
        },
        "b": {
            "release_date": pa.array(moments, pa.timestamp("ns")),
            "explicit": pa.array([1, None, 0]),
            "tags": ["x|y", None, ""],
        },
        "c": {"release_date": pa.array([1999, None, 12345]), "explicit": ["yes", None, "?"], "tags": pa.nulls(3)},
        "d": {"release_date": pa.array([-800_000, 2_940_000, None], pa.int32()).cast(pa.date32())},
    }
    files = {}
    for name, columns in tables.items():
        ids = pa.array([f"{name}{number}" for number in range(3)])
        pq.write_table(pa.table({"track_id": ids, **columns}), tmp_path / "t.parquet")
        files[f"{name}.parquet"] = (tmp_path / "t.parquet").read_bytes()
    rows, _, rejected = ingested(files)
    found = {key: (row["release_date"], row["explicit"], row["tags"]) for key, row in rows.items()}
    assert found == {
        "a0": (dt.date(1999, 12, 31), True, ["x"]),
        "a1": (None, None, None),
        "a2": (dt.date(1, 1, 1), False, None),
        "b0": (dt.date(1999, 12, 31), True, ["x", "y"]),
        "b1": (None, None, None),
        "b2": (dt.date(2001, 1, 1), False, None),
        "c0": (dt.date(1999, 1, 1), True, None),
        "c1": (None, None, None),
        "d2": (None, None, None),
    }
    assert {place: reason for place, (reason, _) in rejected.items()} == {
        "c.parquet:row 3": "release_date cannot be read",
        "d.parquet:row 1": "release_date cannot be read",
        "d.parquet:row 2": "release_date cannot be read",
    }


def test_lyrics_over_several_lines_and_another_separator_of_tags(ingested) -> None:
    content = 'track_id,lyrics,tags\n1,"one\ntwo, ""three""",a;b\n2,x,c.d'
    rows, _, rejected = ingested({"t.csv": content}, "inputs.multiline=true", "inputs.tags_separator=;")
    assert not rejected
    assert rows["1"]["lyrics"] == 'one\ntwo, "three"'
    assert [rows[key]["tags"] for key in "12"] == [["a", "b"], ["c.d"]]


def test_a_catalogue_that_is_all_bad_or_empty_is_counted(ingested) -> None:
    rows, counts, _ = ingested({"t.csv": "track_id,title\n,x\n,y\n"})
    assert (rows, counts["rejected"], counts["header"]) == ({}, 2, 1)


def test_no_catalogue_and_one_that_cannot_be_used(spark, settings, tmp_path: pathlib.Path) -> None:
    assert ingest(spark, settings()) is None
    (tmp_path / "t.csv").write_text("id,title\n")
    with pytest.raises(InputError, match=r"inputs.tracks: no column 'track_id': t.csv has 'id', 'title'"):
        ingest(spark, settings(f"inputs.tracks={tmp_path}/t.csv"))


def test_a_path_that_leads_out_of_the_roots_is_a_reject(ingested, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "link").symlink_to("/etc")
    paths = ["a.wav", "sub/a.wav", "", "../a.wav", "/etc/passwd", "link/passwd", "s3a://elsewhere/a.wav"]
    lines = ["track_id,audio_path", *(f"t{number},{path}" for number, path in enumerate(paths))]
    rows, counts, rejected = ingested({"t.csv": "\n".join(lines) + "\n"})
    assert {name: row["audio_path"] for name, row in rows.items()} == {"t0": "a.wav", "t1": "sub/a.wav", "t2": None}
    assert counts["rejected"] == 4
    assert {reason for reason, _ in rejected.values()} == {"audio_path leads out of inputs.media_roots"}
