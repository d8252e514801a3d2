"""Categories of tracks and of listeners, and popularity by them, worked by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.ranking import blocks, categories
from musai.ranking.blocks import Lists
from musai.ranking.extras import Extras

IDS = pa.array(["a", "b", "c", "d", "e"], pa.large_string())


def test_texts_in_any_case_and_none():
    found = categories.of_tracks(
        IDS, pa.array(["d", "x", "a", "b", "e"], pa.large_string()),
        pa.array(["Jazz", "jazz", "Folk", None, "jazz"], pa.large_string()),
    )  # fmt: skip
    assert found.dtype == np.int32
    assert found.tolist() == [1, 0, 0, 2, 2]


def test_a_listener_is_of_the_category_of_most_tracks():
    """Ties to the lower number; tracks of no category do not count."""
    rows = [[0, 1, 2], [3, 4], [0, 3], [2], []]
    indptr = np.cumsum([0, *map(len, rows)])
    found = categories.of_listeners(indptr, np.concatenate(rows).astype(np.int32), np.array([2, 2, 0, 1, 1], np.int32))
    assert found.tolist() == [2, 1, 1, 0, 0]


def test_popularity_is_counted_by_the_listeners_of_a_category():
    """Two listeners of category 1 (of whom one has e too), one of category 2; c is of none."""
    heard = sp.csr_matrix(np.array([[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 1, 1, 0]], np.float32))
    category = np.array([1, 1, 0, 2, 2, 1], np.int32)  # the last is a track that nobody has heard
    segment, popular = categories.popularities(heard, category, np.array([4, 1, 1, 1, 9], np.float32))
    assert segment.tolist() == [1, 1, 0, 2, 2, 1]
    assert popular[0].tolist() == [4, 1, 1, 1, 9]
    np.testing.assert_allclose(popular[1], [2.4, 1.1, 0.1, 0.1, 1.9], rtol=1e-6)
    np.testing.assert_allclose(popular[2], [0.4, 0.1, 1.1, 1.1, 0.9], rtol=1e-6)


def test_segments_are_those_of_most_listeners(monkeypatch):
    monkeypatch.setattr(categories, "MOST", 1)
    heard = sp.csr_matrix(np.array([[1, 0], [0, 1], [0, 1]], np.float32))
    segment, popular = categories.popularities(heard, np.array([1, 2], np.int32), np.array([1, 2], np.float32))
    assert segment.tolist() == [0, 1]
    assert len(popular) == 2


def test_who_has_no_weight_gets_the_popular_of_his_segment(world, seed):
    """User 0 skipped tracks of segment 2 alone; user 3 likes track 0, so that his list is no matter of popularity."""
    made = dataclasses.replace(world(seed), blocked=np.zeros(45, bool))
    segment = np.where(np.arange(45) < 13, 2, 1).astype(np.int32)
    popular = np.stack([made.listeners, np.zeros(40), np.arange(40)]).astype(np.float32)
    lists, models = Lists(6, ("for_you",), {"als": 1.0}, 0), made.models()
    plain = blocks.recommend(made.block(), models, lists)
    models = dataclasses.replace(models, extras=Extras(segment=segment, popular=popular))
    found = blocks.recommend(made.block(), models, lists)
    assert found.items[0, 0].tolist() == [39, 38, 37, 36, 35, 34]
    assert {blocks.source_names(models)[code] for code in found.source[0, 0]} == {"popularity"}
    for u in np.flatnonzero(made.values.sum(axis=1)):
        assert (found.items[u] == plain.items[u]).all()
