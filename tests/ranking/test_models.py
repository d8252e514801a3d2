"""From the run's tables to the arrays that scoring maps."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.ranking import cache, models
from musai.ranking.models import Sources

ITEMS: dict[str, Any] = {"item_index": [3, 0, 1, 2], "track_id": ["жук", "a", "b b", "c"], "interactions": [7, 2, 7, 9]}
TRACKS: dict[str, Any] = {
    "track_id": ["new2", "c", "new1", "a", "new3", "жук"],
    "artist": ["Z", "Y", "X", None, "Y", "Y"],
    "explicit": [True, None, False, False, False, True],
}
NEIGHBOURS: dict[str, Any] = {
    "method": ["cosine", "cooccurrence", "cosine", "cosine", "cosine", "tfidf"],
    "item_index": [2, 1, 0, 2, 2, 0],
    "rank": [3, 1, 1, 1, 2, 1],
    "similar_index": [3, 0, 2, 0, 1, 3],
    "score": [0.25, 4.0, 0.75, 1.0, 0.5, 9.0],
}
FACTORS: dict[str, Any] = {
    "side": ["track", "user", "track", "track", "track"],
    "row_index": [2, 0, 0, 3, 1],
    "factors": [[2.0, 2.5], [9.0, 9.0], [0.0, 0.5], [3.0, 3.5], [0.0, 0.0]],
}
TYPES = {
    "item_index": pa.int32(), "rank": pa.int32(), "similar_index": pa.int32(), "score": pa.float32(),
    "row_index": pa.int32(), "factors": pa.list_(pa.float32()), "interactions": pa.int64(),
    "artist": pa.string(), "explicit": pa.bool_(),
}  # fmt: skip


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def sources(tmp_path) -> Sources:
    """The tables above as a run writes them: files of a few rows beside a manifest, some below `_nights`."""

    def written(folder: str, columns: dict[str, Any]) -> str:
        path = tmp_path / "ware house" / folder
        path.mkdir(parents=True)
        arrays = {name: pa.array(values, TYPES.get(name)) for name, values in columns.items()}
        table = pa.table(arrays)
        for start in range(0, max(len(table), 1), 2):
            pq.write_table(table.slice(start, 2), path / f"part-{start:05}.zstd.parquet")
        (path / "_manifest.json").write_text("{}")
        (path / ".part-00000.zstd.parquet.crc").write_bytes(b"crc")
        return str(path)

    return Sources(
        items=written("items/run_id=r", ITEMS),
        neighbours=written("_nights/r/track_neighbours", NEIGHBOURS),
        factors=written("_nights/r/als_factors", FACTORS),
        tracks=written("tracks/run_id=r", TRACKS),
        blocked=("b b", "new1", "no such track"),
        exclude_explicit=False,
        methods=("cosine", "cooccurrence"),
        digest="d",
    )


def test_every_array(sources):
    made = models.opened(sources)
    assert made.track_ids.to_pylist() == ["a", "b b", "c", "жук", "new1", "new2", "new3"]
    assert made.known == 4
    assert made.popularity.tolist() == [2, 7, 9, 7]
    assert made.place.tolist() == [3, 1, 0, 2]
    names = [None, None, "Y", "Y", "X", "Z", "Y"]
    for name in ("X", "Y", "Z"):
        assert len({made.artist[j] for j in range(7) if names[j] == name}) == 1
    assert [a < 0 for a in made.artist] == [name is None for name in names]
    assert len(set(made.artist)) == 4
    for a in range(-1, 3):
        of_artist = made.of_artist[made.by_artist[a + 1] : made.by_artist[a + 2]]
        assert of_artist.tolist() == [j for j in range(4) if made.artist[j] == a]
    assert made.blocked.tolist() == [1]
    assert made.fresh.tolist() == [5, 6]
    assert made.near_indptr.tolist() == [[0, 1, 1, 4, 4], [4, 4, 5, 5, 5]]
    assert made.near_indices.tolist() == [2, 0, 1, 3, 0]
    assert made.near_scores.tolist() == [0.75, 1.0, 0.5, 0.25, 4.0]
    assert made.factors is not None
    assert made.factors.tolist() == [[0.0, 0.5], [0.0, 0.0], [2.0, 2.5], [3.0, 3.5]]


def test_explicit_tracks_are_left_out_on_request(sources):
    made = models.opened(dataclasses.replace(sources, exclude_explicit=True))
    assert made.blocked.tolist() == [1, 3]
    assert made.fresh.tolist() == [6]


def test_without_catalogue_neighbours_and_factors(sources):
    made = models.opened(
        dataclasses.replace(sources, tracks=None, neighbours=None, factors=None, methods=(), blocked=())
    )
    assert made.track_ids.to_pylist() == ["a", "b b", "c", "жук"]
    assert made.factors is None
    assert made.near_indptr.shape == (0, 5)
    assert made.blocked.tolist() == made.fresh.tolist() == made.near_indices.tolist() == []
    assert made.artist.tolist() == [-1] * 4
    assert made.by_artist.tolist() == [0, 4]


def test_a_method_that_found_nothing(sources):
    made = models.opened(dataclasses.replace(sources, methods=("bm25", "cooccurrence")))
    assert made.near_indptr.tolist() == [[0] * 5, [0, 0, 1, 1, 1]]


def test_a_track_without_factors_has_zeros_and_a_uri_is_as_good_as_a_path(sources):
    items = pathlib.Path(sources.items)
    pq.write_table(
        pa.table({"item_index": pa.array([4], pa.int32()), "track_id": ["x"], "interactions": [1]}),
        items / "part-9.parquet",
    )
    made = models.opened(
        dataclasses.replace(sources, factors=pathlib.Path(sources.factors).as_uri(), items=items.as_uri())
    )
    assert made.factors is not None
    assert made.factors.tolist() == [[0.0, 0.5], [0.0, 0.0], [2.0, 2.5], [3.0, 3.5], [0.0, 0.0]]
    assert made.track_ids.to_pylist()[4] == "x"


def test_built_once_for_the_same_tables_and_settings(sources, monkeypatch):
    built: list[Sources] = []
    build = models._build

    def counted(given: Sources, folder: pathlib.Path) -> None:
        built.append(given)
        build(given, folder)

    monkeypatch.setattr(models, "_build", counted)
    for _ in range(2):
        made = models.opened(sources)
    assert len(built) == 1
    others: list[dict[str, Any]] = [
        {"digest": "e"},
        {"blocked": ()},
        {"exclude_explicit": True},
        {"methods": ("cosine",)},
    ]
    for number, other in enumerate(others, start=2):
        models.opened(dataclasses.replace(sources, **other))
        assert len(built) == number
    models.dropped(sources)
    assert made.near_scores.sum() == np.float32(6.5), "who has mapped the files keeps them"
    models.opened(sources)
    assert len(built) == 6


def test_a_harmed_folder_is_not_mapped(sources):
    """What a cleaner left of the folder is built anew, and gives the same."""
    made = models.opened(sources)
    due = made.near_scores.tolist(), made.place.tolist()
    folder = cache.folder(models._key(sources), lambda path: None)
    (folder / "near_scores.npy").write_bytes((folder / "near_scores.npy").read_bytes()[:-4])
    (folder / "place.npy").unlink()
    found = models.opened(sources)
    assert (found.near_scores.tolist(), found.place.tolist()) == due
