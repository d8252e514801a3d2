"""Content to factors: exact where the content says all, better than nothing where it says little, missing blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from musai.embedding import factors
from musai.embedding.content import Content, Vocabulary, terms_of

RNG = np.random.default_rng(3)
TAGS, FACTORS = 12, 6
MEANING = RNG.normal(size=(TAGS, FACTORS))


def content_of(tags: list[list[int]], artists=None, sound=None) -> Content:
    count = len(tags)
    nothing = np.empty((count, 0), np.float32)
    terms = [[f"tag {tag}" for tag in own] for own in tags]
    return Content(
        [f"t{n}" for n in range(count)], artists or [None] * count, terms, nothing if sound is None else sound, nothing
    )


def drawn(count: int) -> tuple[list[list[int]], np.ndarray]:
    """Tracks of three tags each, and factors that are the sum of what the tags mean."""
    tags = [sorted(RNG.choice(TAGS, 3, replace=False).tolist()) for _ in range(count)]
    return tags, np.array([MEANING[own].sum(axis=0) for own in tags], np.float32)


def nothing_of_artists(count: int) -> np.ndarray:
    return np.full((count, FACTORS), np.nan)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_factors_that_follow_from_tags_are_found_for_new_tracks():
    tags, vectors = drawn(400)
    predictor = factors.fit(content_of(tags), vectors, np.full(400, 1000), seed=1)
    new_tags, expected = drawn(50)
    found = predictor.predict(content_of(new_tags), nothing_of_artists(50))
    assert cosines(found, expected).mean() > 0.97
    assert predictor.explained > 0.85


def test_predictions_have_the_norm_of_the_factors():
    tags, vectors = drawn(400)
    noisy = vectors + RNG.normal(scale=3, size=vectors.shape).astype(np.float32)
    predictor = factors.fit(content_of(tags), noisy, np.full(400, 1000), seed=1)
    new_tags, _ = drawn(200)
    found = predictor.predict(content_of(new_tags), nothing_of_artists(200))
    assert np.mean(found**2) == pytest.approx(np.mean(noisy**2), rel=0.2)


def test_an_artist_with_tracks_says_more_than_words_that_say_nothing():
    places = RNG.normal(size=(40, FACTORS))
    artists = [f"a{n % 40}" for n in range(400)]
    vectors = np.array([places[n % 40] for n in range(400)]) + RNG.normal(scale=0.1, size=(400, FACTORS))
    tags = [[int(RNG.integers(TAGS))] for _ in range(400)]
    predictor = factors.fit(content_of(tags, artists), vectors.astype(np.float32), np.full(400, 100), seed=1)
    new = content_of([[0]] * 40, [f"a{n}" for n in range(40)])
    found = predictor.predict(new, factors.means_of(new.artists, artists, vectors))
    assert cosines(found, places).mean() > 0.9


def test_sound_speaks_where_there_are_no_words_and_the_other_way_round():
    sound = RNG.normal(size=(600, 10)).astype(np.float32)
    vectors = (sound @ RNG.normal(size=(10, FACTORS))).astype(np.float32)
    tags: list[list[int]] = [[int(row.argmax())] for row in sound]
    content = content_of(tags, sound=sound)
    predictor = factors.fit(content, vectors, np.full(600, 100), seed=1)
    silent = content_of(tags, sound=np.full_like(sound, np.nan))
    wordless = content_of([[]] * 600, sound=sound)
    nobody = nothing_of_artists(600)
    assert cosines(predictor.predict(wordless, nobody), vectors).mean() > 0.9
    assert cosines(predictor.predict(silent, nobody), vectors).mean() > 0.3


def test_a_catalogue_of_one_artist_has_tracks_held_out():
    """Were the artist held out, nothing would be left to learn from, and predictions a million times too long."""
    tags, vectors = drawn(60)
    predictor = factors.fit(content_of(tags, ["one"] * 60), vectors, np.full(60, 100), seed=1)
    found = predictor.predict(content_of(tags, ["one"] * 60), np.tile(vectors.mean(axis=0), (60, 1)))
    assert np.mean(found**2) == pytest.approx(np.mean(vectors**2), rel=0.5)


def test_an_artist_of_a_long_name_costs_no_more_than_the_name():
    tracemalloc.start()
    factors._groups(content_of([[0]] * 500, ["x" * 100_000] + ["y"] * 499))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_an_artists_mean_leaves_the_track_itself_out():
    vectors = np.array([[1.0, 0], [3, 0], [5, 0], [9, 9]])
    found = factors.leave_one_out(["a", "a", "b", None], vectors)
    np.testing.assert_allclose(found[:2], [[3 / 2, 0], [1 / 2, 0]])
    assert np.isnan(found[2:]).all()
    np.testing.assert_allclose(factors.means_of(["a", "b"], ["a", "a", "b", None], vectors), [[4 / 3, 0], [5 / 2, 0]])
    assert np.isnan(factors.means_of(["c", None], ["a", "a", "b", None], vectors)).all()


def test_too_few_tracks_are_said_to_be_too_few():
    tags, vectors = drawn(5)
    with pytest.raises(ValueError, match="5 heard tracks with content are too few"):
        factors.fit(content_of(tags), vectors, np.full(5, 10), seed=1)


def test_terms_of_a_catalogue_row():
    row = {"tags": ["Rock", "rock"], "genre": "Jig", "language": None, "title": "The Jig, no. 4", "lyrics": None}
    assert terms_of(row) == ["tag rock", "tag rock", "genre jig", "title the", "title jig"]
    assert terms_of({}) == []


def test_rows_are_of_length_one_and_a_missing_block_is_its_indicator_alone():
    content = content_of([[0, 1], [0, 2], [1, 2], []])
    blocks = Vocabulary.of(content, nothing_of_artists(4)).blocks(content, nothing_of_artists(4))
    words = blocks["words"].toarray()
    np.testing.assert_allclose((words[:3, :-2] ** 2).sum(axis=1), 1)
    assert words[:, -1].tolist() == [0, 0, 0, 1]
    assert not words[3, :-1].any()
    assert blocks["sound"].toarray()[:, -1].tolist() == [1, 1, 1, 1]
