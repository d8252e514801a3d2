"""The demo's files as they lie in the folder: the same bytes each time, whole, and dirty where the README says so."""

import csv
import datetime as dt
import math
import re
import subprocess
import sys
import time

import pytest

from musai import demo
from musai.demo.catalogue import read_manifest
from musai.demo.dirt import BLANK_LINES, KINDS

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    started = time.process_time()
    demo.write_demo(folder)
    assert time.process_time() - started < 15  # seconds of CPU
    return folder


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kind_of(raw: bytes) -> str | None:
    """Why a line of the log cannot be used, worked out from its bytes alone; None: it can."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "bad UTF-8"
    if text.count('"') % 2:
        return "broken quoting"
    cells = text.split(",")
    if len(cells) != 5:
        return "wrong number of columns"
    user_id, track_id, _, plays, timestamp = cells
    if not user_id or not track_id:
        return "no id"
    try:
        number = float(plays)
    except ValueError:
        return "plays is no number"
    try:
        impossible = dt.datetime.fromisoformat(timestamp) > NOW
    except ValueError:
        impossible = True
    wrong = {
        "plays is NaN": math.isnan(number),
        "plays is infinite": math.isinf(number),
        "plays is negative": number < 0,
        "impossible date": impossible,
    }
    return next((kind for kind, applies in wrong.items() if applies), None)


def test_what_is_returned_is_there(tmp_path):
    paths = demo.write_demo(tmp_path / "new" / "folder")
    assert set(paths) == {"interactions", "tracks", "aliases", "readme"}
    assert paths["interactions"].is_dir()
    assert len(list(paths["interactions"].glob("*.csv"))) == 3
    assert all(path.exists() for path in paths.values())


def test_the_same_bytes_in_another_process(folder, tmp_path):
    code = "import sys, pathlib; from musai.demo import write_demo; write_demo(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONHASHSEED": "77"})
    assert files_of(tmp_path) == files_of(folder)
    assert len([name for name in files_of(folder) if not name.startswith(("midi/", "sound/"))]) == 6


def test_writing_over_what_is_there_changes_nothing(tmp_path):
    demo.write_demo(tmp_path)
    before = files_of(tmp_path)
    (tmp_path / "tracks.csv").write_text("half a fi")
    demo.write_demo(tmp_path)
    assert files_of(tmp_path) == before


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("old")
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        demo._write_whole(tmp_path, "x.csv", b"new")
    assert files_of(tmp_path) == {"x.csv": b"old"}


def test_dirty_rows_are_those_of_the_readme_and_no_others(folder):
    readme = (folder / "README.txt").read_text()
    places = re.findall(r"^  (inter\S+):(\d+): (.*)$", readme, re.MULTILINE)
    listed = {(name, int(line)): kind for name, line, kind in places}
    found, good, blank = {}, 0, 0
    for path in sorted((folder / "interactions").iterdir()):
        lines = path.read_bytes().split(b"\n")
        assert lines[0] == b"user_id,track_id,event,plays,timestamp"
        assert lines.pop() == b""  # the file ends with a line end
        for number, line in enumerate(lines[1:], start=2):
            if not line:
                blank += 1
            elif kind := kind_of(line):
                found[f"interactions/{path.name}", number] = kind
            else:
                good += 1
    assert found == listed
    assert {kind: list(found.values()).count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 4)
    assert blank == 3 * BLANK_LINES
    assert f"\n{good} good rows of 400 simulated listeners" in readme


def test_ids_of_the_log_are_in_the_catalogue_or_an_alias(folder):
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as lines:
        tracks = list(csv.DictReader(lines))
    with (folder / "aliases.csv").open(encoding="utf-8", newline="") as lines:
        aliases = {row["bad_id"]: row["good_id"] for row in csv.DictReader(lines)}
    catalogue = {row["track_id"] for row in tracks}
    assert len(tracks) == len(catalogue) == len(read_manifest())
    assert len(aliases) == 12
    assert set(aliases.values()) <= catalogue
    assert not set(aliases) & catalogue
    lines = [line for path in (folder / "interactions").iterdir() for line in path.read_bytes().split(b"\n")[1:]]
    used = [line.decode().split(",")[1] for line in lines if line and kind_of(line) is None]
    assert set(used) <= catalogue | set(aliases)
    assert set(aliases) <= set(used)
    assert len(catalogue - {aliases.get(track_id, track_id) for track_id in used}) == 12


def test_the_readme_says_what_is_simulated_and_what_is_real(folder):
    readme = (folder / "README.txt").read_text()
    assert "THE LISTENERS ARE SIMULATED" in readme
    assert "THE TUNES ARE REAL" in readme
    assert "{" not in readme


def test_a_tune_that_is_left_out_takes_only_its_own_rows_away(folder, tmp_path, monkeypatch):
    from musai.demo import content

    gone = "oneill-0648"
    kept = [tune for tune in read_manifest() if tune.track_id != gone]
    monkeypatch.setattr(content, "installed_tunes", lambda manifest: kept)
    without = content.demo_content()
    assert gone.encode() not in without.files["tracks.csv"]
    before = {line for path in (folder / "interactions").iterdir() for line in path.read_bytes().split(b"\n")}
    after = {line for name, data in without.files.items() if name.startswith("inter") for line in data.split(b"\n")}
    clean = {line for line in before if line and kind_of(line) is None}
    assert {line for line in clean - after if gone.encode() not in line} == set()
    assert any(gone.encode() in line for line in clean)
    assert not any(gone.encode() in line for line in after)
