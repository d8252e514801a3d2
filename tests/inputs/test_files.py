"""The inputs from outside: faults, snapshot, lists of ids."""

import hashlib
import os
import pathlib

import pytest

from musai.errors import InputError
from musai.inputs import files
from musai.inputs.listing import Entry
from musai.provenance import changed_inputs


@pytest.fixture
def log(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.csv").write_text("user_id,track_id\n")
    (folder / "b.csv").write_text("user_id,track_id\nu,t\n")
    return folder


def test_a_snapshot_names_every_file_of_every_input(settings, tmp_path: pathlib.Path, log: pathlib.Path) -> None:
    (tmp_path / "erased").write_text("u\n")
    config = settings(
        f"inputs.interactions={log}", f"inputs.tracks={log / 'a.csv'}", f"inputs.erased_users={tmp_path}/erased"
    )
    found = files.snapshot(config)
    assert [entry["file"] for entry in found] == [
        "interactions/a.csv",
        "interactions/b.csv",
        "tracks/a.csv",
        "erased_users/erased",
    ]
    assert found[1]["size"] == 21
    assert found[1]["sha256"] == hashlib.sha256(b"user_id,track_id\nu,t\n").hexdigest()
    assert found[0]["sha256"] == found[2]["sha256"]
    assert changed_inputs(found, files.snapshot(config)) == []


def test_what_changed_between_two_snapshots(settings, log: pathlib.Path) -> None:
    """A file that came later is no file of the run, and one that was only touched has not changed."""
    config = settings(f"inputs.interactions={log}")
    (log / "touched.csv").write_text("user_id,track_id\n")
    before = files.snapshot(config)
    (log / "a.csv").unlink()
    (log / "b.csv").write_text("user_id,track_id\nu,T\n")
    (log / "c.csv").write_text("")
    os.utime(log / "touched.csv", (1, 1))
    after = files.snapshot(config, before)
    assert [entry["file"] for entry in after] == [f"interactions/{name}.csv" for name in ("b", "c", "touched")]
    assert changed_inputs(before, after) == ["interactions/a.csv is gone", "interactions/b.csv has changed"]


def test_a_file_that_is_known_is_not_read_again(settings, log: pathlib.Path) -> None:
    config = settings(f"inputs.interactions={log}")
    known = [entry | {"sha256": f"of {entry['file']}"} for entry in files.snapshot(config)]
    (log / "b.csv").write_text("user_id,track_id\nu,T\n")  # as long as before
    assert [entry["sha256"] for entry in files.snapshot(config, known)] == [
        "of interactions/a.csv",
        hashlib.sha256(b"user_id,track_id\nu,T\n").hexdigest(),
    ]


def test_a_large_file_is_known_by_its_edges_and_its_time(log: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WHOLE_DIGEST", 100)
    monkeypatch.setattr(files, "EDGE_DIGEST", 10)

    def digest(content: bytes, changed_ns: int = 7) -> str | None:
        (log / "a.csv").write_bytes(content)
        return files._digest(Entry(str(log / "a.csv"), "a.csv", len(content), changed_ns))

    plain = digest(b"-" * 200)
    assert digest(b"-" * 100 + b"x" + b"-" * 99) == plain
    assert digest(b"-" * 199 + b"x") != plain
    assert digest(b"x" + b"-" * 199) != plain
    assert digest(b"-" * 200, 8) != plain
    assert digest(b"-" * 100, 8) == digest(b"-" * 100)


def test_large_files_that_look_alike_are_read_whole(log: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WHOLE_DIGEST", 100)
    monkeypatch.setattr(files, "EDGE_DIGEST", 10)
    contents = {"a": b"-" * 200, "b": b"-" * 200, "c": b"-" * 100 + b"x" + b"-" * 99, "d": b"-" * 201, "e": b"-" * 9}
    entries = [Entry(str(log / name), name, len(content), 7) for name, content in contents.items()]
    for name, content in contents.items():
        (log / name).write_bytes(content)
    assert files.whole_digests(entries) == {
        name: hashlib.sha256(contents[name]).hexdigest() for name in ("a", "b", "c")
    }


def test_a_snapshot_of_nothing_is_an_input_error(settings, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError) as caught:
        files.snapshot(settings(f"inputs.interactions={tmp_path}/no", f"inputs.aliases={tmp_path}/neither"))
    assert caught.value.faults == [
        f"inputs.interactions: {tmp_path}/no: No such file or directory",
        f"inputs.aliases: {tmp_path}/neither: No such file or directory",
    ]


def test_check_reports_every_fault_of_every_input_at_once(settings, tmp_path: pathlib.Path, log: pathlib.Path) -> None:
    (tmp_path / "blocked").write_bytes(b"ok\n\xff\n")
    config = settings(
        f"inputs.interactions={log}",
        "inputs.interactions_columns.plays=count",
        f"inputs.tracks={tmp_path}/none",
        f"inputs.aliases={log}",
        f"inputs.erased_users={tmp_path}/none",
        f"inputs.blocked_tracks={tmp_path}/blocked",
    )
    assert [fault.split(":")[0] for fault in files.check(config)] == [
        "inputs.interactions_columns.plays",
        "inputs.tracks",
        "inputs.aliases",
        "inputs.aliases",
        "inputs.erased_users",
        "inputs.blocked_tracks",
    ]
    assert files.check(config)[-1] == f"inputs.blocked_tracks: {tmp_path}/blocked:2: not valid utf-8"
    assert files.check(settings()) == ["inputs.interactions: the listening log has to be named"]
    assert files.check(settings(f"inputs.interactions={log}")) == []


def test_ids_are_taken_as_they_stand_and_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ids").write_bytes("\ufeffa\r\n b \n\n  \na\nü\rlast".encode())
    assert files.read_ids(str(tmp_path / "ids")) == ["a", " b ", "ü", "last"]
    assert files.read_ids(None) == []


def test_a_list_of_ids_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"inputs.erased_users: .*: No such file or directory"):
        files.read_ids(str(tmp_path / "none"), "inputs.erased_users")
    (tmp_path / "ids").write_bytes(b"\xff\nb\nc\xc3\n")
    with pytest.raises(InputError) as caught:
        files.read_ids(str(tmp_path / "ids"), "k")
    assert caught.value.faults == [f"k: {tmp_path}/ids:{line}: not valid utf-8" for line in (1, 3)]


def test_a_file_that_cannot_be_read_is_no_fault_of_the_snapshot(settings, log: pathlib.Path) -> None:
    """It is a reject, and the night goes on."""
    (log / "broken.csv").symlink_to("/proc/self/mem")  # whoever reads its beginning gets an error
    found = {entry["file"]: entry["sha256"] for entry in files.snapshot(settings(f"inputs.interactions={log}"))}
    assert found.keys() == {"interactions/a.csv", "interactions/b.csv", "interactions/broken.csv"}
    assert [file for file, digest in found.items() if digest is None] == ["interactions/broken.csv"]
