"""What the files of an input say of themselves, and what is wrong with them."""

import gzip
import pathlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.config import FileFormat
from musai.inputs.headers import Survey, survey
from musai.inputs.sources import Source

HEADER = "user_id,track_id,plays\n"


@pytest.fixture
def surveyed(tmp_path: pathlib.Path):
    """Write files and look at them."""

    def look(
        files: Mapping[str, str | bytes],
        columns: Mapping[str, str | int] | None = None,
        multiline: bool = False,
        **settings: str | bool | None,
    ) -> Survey:
        folder = tmp_path / "in"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        how = FileFormat(**{"separator": None, "quote": '"', "header": True, "encoding": "utf-8", **settings})
        path = folder / next(iter(files)) if len(files) == 1 else folder
        return survey(Source("interactions", str(path), columns or {}, how, multiline))

    return look


def groups(found: Survey) -> list[tuple[list[str], dict[str, object]]]:
    return sorted(([entry.name for entry in group.entries], dict(group.columns)) for group in found.groups)


def test_files_are_grouped_by_their_header(surveyed) -> None:
    found = surveyed(
        {
            "a.csv": HEADER,
            "b.csv": "\ufeff" + HEADER.replace("\n", "\r\n") + "u,t,1",
            "c.csv": "track_id , user_id\n",
            "d.tsv": 'x\t"track_id"\tuser_id\n',
            "e.jsonl": '{"user_id": 1, "track_id": 2}',
            "f.csv": "\n  \n" + HEADER,
        }
    )
    assert not found.faults
    assert not found.rejects
    assert groups(found) == [
        (["a.csv", "b.csv", "f.csv"], {"user_id": 0, "track_id": 1, "plays": 2}),
        (["c.csv"], {"user_id": 1, "track_id": 0}),
        (["d.tsv"], {"user_id": 2, "track_id": 1}),
        (["e.jsonl"], {name: name for name in ("user_id", "track_id", "plays", "event", "timestamp")}),
    ]


def test_parquet_files_are_grouped_by_the_types_of_what_is_wanted(surveyed, tmp_path: pathlib.Path) -> None:
    def table(**columns: pa.Array) -> bytes:
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        return (tmp_path / "t.parquet").read_bytes()

    ids = {"user_id": pa.array([1]), "track_id": pa.array(["a"])}
    found = surveyed(
        {
            "a.parquet": table(**ids, other=pa.array([1.0])),
            "b.parquet": table(**ids),
            "c.parquet": table(**ids, plays=pa.array([1], pa.int16())),
            "d.parquet": table(user_id=pa.array([[1]]), track_id=pa.array(["a"])),
            "e.parquet": table(user_id=pa.nulls(1), track_id=pa.array(["a"])),
            "f.parquet": table(User_ID=pa.array([1]), **ids),
            "g.parquet": b"PAR1 and nothing else PAR1",
        }
    )
    assert [names for names, _ in groups(found)] == [["a.parquet", "b.parquet"], ["c.parquet"]]
    assert [group.types for group in found.groups] == [("bigint", "string"), ("bigint", "string", "smallint")]
    reasons = dict(found.rejects)
    assert reasons["d.parquet"] == "column 'user_id' is of a type that cannot be user_id"
    assert reasons["e.parquet"] == "a required column holds nulls only"
    assert reasons["f.parquet"] == "the column 'user_id' stands in it twice"
    assert reasons["g.parquet"].startswith("unreadable Parquet: ")


def test_files_that_cannot_be_used_are_rejects_and_empty_ones_count_as_nothing(surveyed) -> None:
    found = surveyed(
        {
            "a.csv": HEADER,
            "b.csv": "user_id,plays\n",
            "c.csv": "user_id,user_id,track_id\n",
            "d.csv": b"user_id,track_id,\xff\n",
            "e.csv": 'user_id,"track_id\n',
            "f.csv": "",
            "g.csv": " \n\n",
            "h.csv.gz": b"no gzip",
            "i.csv.gz": gzip.compress(HEADER.encode())[:12],
            "j.csv.gz": gzip.compress(b""),
            "k.txt": "user_id,track_id",
            "l.md": "x",
        }
    )
    assert not found.faults
    assert groups(found) == [(["a.csv"], {"user_id": 0, "track_id": 1, "plays": 2})]
    reasons = dict(found.rejects)
    assert sorted(reasons) == ["b.csv", "c.csv", "d.csv", "e.csv", "h.csv.gz", "i.csv.gz", "k.txt", "l.md"]
    assert reasons["b.csv"] == "no column 'track_id'"
    assert reasons["c.csv"] == "the column 'user_id' stands in it twice"
    assert reasons["d.csv"] == "its header is not valid utf-8"
    assert reasons["e.csv"] == "its header has broken quoting"
    assert reasons["h.csv.gz"].startswith("unreadable gzip: ")
    assert reasons["i.csv.gz"].startswith("unreadable gzip: ")
    assert reasons["k.txt"] == ".txt says no separator; name it in the configuration"


def test_a_first_line_of_any_length_is_read(surveyed) -> None:
    long = "x" * 100_000
    found = surveyed({"a.csv": f"user_id,track_id,{long}\nu,t,\n", "b.jsonl": f'{{"uid": 1, "l": "{long}"}}\n' * 2})
    assert [(group.width, len(group.header or "")) for group in found.groups] == [(3, 100_017), (0, 0)]
    assert not found.faults


def test_columns_by_position(surveyed) -> None:
    columns = {"user_id": 3, "track_id": 1}
    found = surveyed({"a.csv": "x,y,z\n", "b.csv": "x,y\n"}, columns)
    assert groups(found) == [(["a.csv"], {"user_id": 2, "track_id": 0})]
    assert found.rejects == (("b.csv", "no column 3"),)


def test_without_header_most_lines_say_how_many_columns_are_due(surveyed) -> None:
    found = surveyed(
        {"a.dat": "u::t\nu::t::1\n\nu::t::1\n"}, {"user_id": 1, "track_id": 2}, separator="::", header=False
    )
    assert [(group.width, group.header) for group in found.groups] == [(3, None)]
    assert groups(found) == [(["a.dat"], {"user_id": 0, "track_id": 1})]


@pytest.mark.parametrize(
    ("files", "columns", "settings", "fault"),
    [
        (
            {"a.csv": "uid,track_id\n"},
            {},
            {},
            "inputs.interactions: no column 'user_id': a.csv has 'uid', 'track_id'; name the one that holds it with ",
        ),
        (
            {"a.csv": HEADER, "b.csv": HEADER},
            {"plays": "count"},
            {},
            "inputs.interactions_columns.plays: no column 'count': a.csv has 'user_id', 'track_id', 'plays'",
        ),
        ({"a.csv": HEADER}, {"plays": 4}, {}, "inputs.interactions_columns.plays: no column 4: a.csv has 'user_id'"),
        (
            {"a.csv": "1,2\n"},
            {"user_id": 1},
            {"header": False},
            "inputs.interactions_columns.track_id: where inputs.interactions_format.header is false its position",
        ),
        ({"a.csv": "1,2\n"}, {"user_id": 1, "track_id": 3}, {"header": False}, "track_id: 3: a.csv has 2 columns"),
        (
            {"a.jsonl": '{"uid": 1, "track_id": 2}\n'},
            {},
            {},
            "inputs.interactions: no column 'user_id': a.jsonl has 'track_id', 'uid'",
        ),
        ({"a.jsonl": "{}"}, {"user_id": 1}, {}, "inputs.interactions_columns.user_id: JSON lines have no positions"),
        ({"a.csv": ""}, {}, {}, "there is no file in it, or they are empty"),
        ({"a.csv": "", "_b.csv": HEADER}, {}, {}, "there is no file in it, or they are empty"),
        ({"_a.csv": HEADER}, {}, {}, "inputs.interactions: _a.csv: files whose names begin with . or _ are left out"),
        ({"a.parquet": b"x"}, {}, {}, "inputs.interactions: a.parquet: unreadable Parquet: "),
        ({"a.txt": "x"}, {}, {}, "inputs.interactions: a.txt: .txt says no separator"),
        ({"a.csv": HEADER}, {}, {"encoding": "latin"}, ""),
        (
            {"a.csv": HEADER},
            {},
            {"encoding": "klingon"},
            "inputs.interactions_format.encoding: 'klingon' is no encoding",
        ),
        ({"a.csv": HEADER}, {}, {"encoding": "rot13"}, "inputs.interactions_format.encoding: 'rot13' is no encoding"),
        ({"a.csv": HEADER}, {}, {"separator": "a\n"}, "inputs.interactions_format.separator: 'a\\n' cannot stand"),
        ({"a.csv": HEADER}, {}, {"separator": '"'}, "inputs.interactions_format.quote: '\"' is in the separator"),
    ],
)
def test_faults_for_which_a_run_does_not_begin(surveyed, files, columns, settings, fault: str) -> None:
    found = surveyed(files, columns, **settings)
    assert len(found.faults) == bool(fault)
    assert not fault or fault in found.faults[0]


def test_a_path_that_is_not_there(tmp_path: pathlib.Path) -> None:
    how = FileFormat(separator=None, quote='"', header=True, encoding="utf-8")
    found = survey(Source("interactions", str(tmp_path / "x.csv"), {}, how, False))
    assert found.faults == (f"inputs.interactions: {tmp_path / 'x.csv'}: No such file or directory",)


def test_a_name_that_is_no_text(surveyed, tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text(HEADER)
    (tmp_path / "in" / b"b\xff.csv".decode("utf-8", "surrogateescape")).write_text(HEADER)
    how = FileFormat(separator=None, quote='"', header=True, encoding="utf-8")
    found = survey(Source("interactions", str(tmp_path / "in"), {}, how, False))
    assert found.rejects == ((r"b\xff.csv", "the name of the file is not valid utf-8"),)


def test_without_files_that_broke(surveyed) -> None:
    found = surveyed({"a.csv": HEADER, "b.csv": HEADER})
    left = found.without({"a.csv": "why"})
    assert groups(left) == [(["b.csv"], {"user_id": 0, "track_id": 1, "plays": 2})]
    assert left.rejects == (("a.csv", "why"),)
    assert not left.faults
    assert left.without({"b.csv": "too"}).faults == (
        "inputs.interactions: a.csv: why",
        "inputs.interactions: b.csv: too",
    )
