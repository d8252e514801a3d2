"""The head on embeddings learns a smooth truth, and the two axes follow the nine emotions."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion import sound


def test_it_learns_what_the_embeddings_hold() -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(300, 6))
    targets = np.tanh(embeddings[:, :2])
    head = sound.fit(embeddings[:200], targets[:200], ridge=0.1)
    found = head.read(embeddings[200:])
    for axis in range(2):
        assert np.corrcoef(found[:, axis], targets[200:, axis])[0, 1] > 0.9
    shuffled = sound.fit(embeddings[:200], rng.permutation(targets[:200])).read(embeddings[200:])
    assert abs(np.corrcoef(shuffled[:, 0], targets[200:, 0])[0, 1]) < 0.3


def test_far_from_all_it_knows_it_says_the_mean() -> None:
    head = sound.fit(np.random.default_rng(2).normal(size=(20, 3)), np.tile([0.25, -0.5], (20, 1)))
    assert head.read(np.full((1, 3), 1e3))[0] == pytest.approx([0.25, -0.5])


def test_likeness_by_hand() -> None:
    assert sound.likeness(np.zeros((1, 2)), np.array([[0, 0], [1, 1]]), 2.0) == pytest.approx(
        np.array([[1, np.exp(-1)]])
    )


def test_sad_and_joyful_tracks_lie_where_they_should() -> None:
    usual = np.tile([0.1, 0.2, 0.3], 7)
    ratings = {name: np.append(usual, [0.2, 0.2, 0.2]) for name in sound.EMOTIFY}
    for row, name in enumerate(("sadness", "joyful_activation", "tension"), start=21):
        ratings[name][row] = 1.0
    found = sound.affect(ratings)
    assert found.std(0) == pytest.approx([1, 1])
    sad, joyful, tense = found[21:]
    assert sad[0] < 0
    assert sad[1] < 0
    assert joyful[0] > 1
    assert joyful[1] > 0
    assert tense[0] < 0 < tense[1]
