"""Day folders: which count, which are removed, and what kills leave."""

from __future__ import annotations

import datetime as dt
import pathlib

import pytest

from musai.storage import LocalStorage
from musai.warehouse import day_folders

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=2)


@pytest.fixture
def storage(tmp_path: pathlib.Path) -> LocalStorage:
    return LocalStorage(str(tmp_path))


def written(storage: LocalStorage, run_id: str, sealed: bool = True) -> str:
    path = day_folders.begun(storage, run_id)
    storage.replace(f"{path}/good/part-0", b"rows")
    if sealed:
        day_folders.seal(storage, path, {"run": run_id})
    return path


def test_a_folder_counts_once_it_is_sealed(storage) -> None:
    whole, half = written(storage, "2026-01-01-a.b"), written(storage, "c", sealed=False)
    assert (whole, half) == ("_days/2026-01-01-a.b.1", "_days/c.1")
    assert day_folders.manifests(storage) == {whole: {"run": "2026-01-01-a.b"}}
    assert written(storage, "2026-01-01-a.b") == "_days/2026-01-01-a.b.2"
    assert written(storage, "c") == "_days/c.1", "what the first attempt left is gone"


def test_what_no_run_names_goes_a_day_after_it_was_retired(storage) -> None:
    named, old = written(storage, "a"), written(storage, "b")
    half, at_work = written(storage, "c", sealed=False), written(storage, "d", sealed=False)
    day_folders.note(storage, "a", [named])
    day_folders.note(storage, "d", [named, at_work])
    assert day_folders.due(storage, {"a", "d"}, NOW) == []
    assert day_folders.manifests(storage).keys() == {named}, "nobody begins to read what is retired"
    assert day_folders.due(storage, {"a", "d"}, NOW + dt.timedelta(hours=1)) == []
    assert day_folders.due(storage, {"a", "d"}, LATER) == [old, half]
    assert day_folders.due(storage, {"d"}, LATER) == [old, half]
    assert day_folders.due(storage, set(), LATER) == [old, half], "the others are retired only now"


def test_a_removal_that_was_broken_off_goes_on(storage, tmp_path, monkeypatch) -> None:
    path = written(storage, "a")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda _: None)
        day_folders.remove(storage, path)
    assert day_folders.manifests(storage) == {}
    (left,) = day_folders.due(storage, set(), NOW)
    storage.delete(left)
    assert list((tmp_path / "_days").iterdir()) == []
