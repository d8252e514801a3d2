"""Which kept files serve a night."""

from __future__ import annotations

import datetime as dt
import pathlib
from typing import Any

import pytest

from musai.days import folders
from musai.days.folders import Judge, begins
from musai.inputs import files, headers
from musai.inputs.sources import source
from musai.storage import LocalStorage
from musai.warehouse import day_folders

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
FILE = {"latest": None, "future": None, "left_out": False}


def manifest(file: dict[str, Any] | None = None, erased: tuple[str, ...] = (), **changed: Any) -> dict[str, Any]:
    return {"key": "k", "erased": begins(erased, len(erased)), "files": {"f": FILE | (file or {})}} | changed


@pytest.mark.parametrize(
    ("held", "serves"),
    [
        (manifest(), True),
        (manifest(key="other"), False),
        (manifest(files={}), False),
        (manifest({"latest": NOW.isoformat()}), True),
        (manifest({"latest": (NOW + dt.timedelta(microseconds=1)).isoformat()}), False),
        (manifest({"future": (NOW + dt.timedelta(microseconds=1)).isoformat()}), True),
        (manifest({"future": NOW.isoformat()}), False),
        (manifest(erased=("gone", "other")), True),
        (manifest({"left_out": True}, erased=("a",)), True),
        (manifest({"left_out": True}, erased=("a", "b")), True),
        (manifest({"left_out": True}, erased=("b",)), False),
        (manifest({"left_out": True}, erased=("a", "b", "c")), False),
    ],
)
def test_a_file_serves_while_its_rows_are_judged_alike(held: dict[str, Any], serves: bool) -> None:
    assert Judge("k", NOW, ("a", "b")).serves(held, "f") == serves


def test_the_key_hangs_on_what_rows_are_judged_by_and_on_nothing_else(settings) -> None:
    key = folders.key_of(settings())
    for same in ("ingest.window_days=3", "inputs.aliases=x", "inputs.erased_users=x", "ingest.max_rejected_share=1"):
        assert folders.key_of(settings(same)) == key
    others = (
        *("ingest.time_zone=Asia/Tokyo", "ingest.event_weights={play: 2}", "ingest.earliest_date=2001-01-01"),
        *("inputs.multiline=true", "inputs.interactions_columns.plays=n", "inputs.interactions_format.quote=''"),
    )
    assert len({key, *(folders.key_of(settings(other)) for other in others)}) == 1 + len(others)


def test_files_of_one_content_are_one_but_where_they_are_parsed_otherwise(settings, tmp_path, monkeypatch) -> None:
    log = tmp_path / "log"
    log.mkdir()
    for name, content in (("b.csv", "x"), ("a.csv", "x"), ("a.tsv", "x"), ("c.csv", "y"), ("d.csv", "y" * 50 + "z")):
        (log / name).write_text(f"user_id,track_id\tuser_id\ttrack_id\n{content}")
    (log / "e.csv").write_bytes((log / "d.csv").read_bytes())
    (log / "f.csv").write_text((log / "d.csv").read_text().replace("yyz", "yzz"))
    monkeypatch.setattr(files, "WHOLE_DIGEST", 40)
    monkeypatch.setattr(files, "EDGE_DIGEST", 1)
    config = settings(f"inputs.interactions={log}", "inputs.interactions_columns={user_id: 1, track_id: 2}")
    described = source(config, "interactions")
    assert described is not None
    named = folders.identities(headers.survey(described), files.snapshot(config))
    assert sorted(folders.first_of_each(named).values()) == ["a.csv", "a.tsv", "c.csv", "d.csv", "f.csv"]


def test_a_damaged_folder_is_not_used_and_retired(tmp_path: pathlib.Path) -> None:
    storage = LocalStorage(str(tmp_path))
    path = day_folders.begun(storage, "run")
    for name in ("good/part-0.parquet", "good/_SUCCESS", "rejected/part-0.parquet"):
        storage.replace(f"{path}/{name}", b"rows")
    held = manifest(parts=folders.parts(storage, path))
    assert sorted(held["parts"]) == ["good/part-0.parquet", "rejected/part-0.parquet"]
    day_folders.seal(storage, path, held)
    judge = Judge("k", NOW, ())
    assert [one.files for one in folders.serving(storage, ["f", "g"], judge)] == [("f",)]
    assert folders.serving(storage, ["g"], judge) == []
    (tmp_path / path / "good/part-0.parquet").write_bytes(b"r0ws")
    assert not folders.is_sound(storage, path)
    assert folders.serving(storage, ["f"], judge) == []
    assert day_folders.manifests(storage) == {}
