"""Emotion by the tags that are heard: by hand, and which source of sound speaks."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion import sound_tags
from musai.emotion.models import Models
from musai.emotion.weights import Card, stored


def test_fifty_six_tags_and_some_mean_nothing():
    meanings = sound_tags.meanings()
    assert meanings.shape == (56, 2)
    assert np.isnan(meanings).any(1).sum() == 14
    assert np.nanmax(np.abs(meanings)) <= 1
    assert tuple(meanings[26]) == (0.9, 0.4)  # happy
    assert tuple(meanings[5]) == (0.4, -0.8)  # calm


def test_the_mean_of_what_the_tags_mean_by_hand():
    weights, bias = np.zeros((56, 2), np.float32), np.full(56, -1e3, np.float32)
    weights[26, 0] = weights[5, 1] = 1e3  # happy, calm
    weights[27, 1] = 1e3  # heavy
    found = sound_tags.read(np.array([[2.0, 0.0], [0.0, 2.0]]), weights, bias)
    np.testing.assert_allclose(found, [(0.9, 0.4), (0.0, -0.05)], atol=1e-6)  # of calm and heavy, the mean
    silent = sound_tags.read(np.zeros((1, 2)), weights, bias)
    assert np.isfinite(silent).all()


@pytest.mark.parametrize("head", [False, True])
def test_a_head_of_ones_own_is_heard_before_the_tags(head):
    card = Card("sound_tags", [], "", {}, "", 0.5, 0.4, settings={"models": ["moodtheme-1"]})
    weights = np.zeros((56, 3), np.float32)
    bias = np.where(np.arange(56) == 26, 9, -99).astype(np.float32)
    models = {"sound_tags": stored({"weights": weights, "bias": bias}, card)}
    if head:
        tensors = {
            "centre": np.zeros(3), "spread": np.ones(3), "known": np.zeros((1, 3)), "weights": np.zeros((1, 2)),
            "offset": np.array([-0.2, -0.3]),
        }  # fmt: skip
        settings = {"models": ["moodtheme-1"], "sizes": [3], "scales": [1.0]}
        own = Card("sound", [], "", {}, "", 0.3, 0.3, settings=settings)
        models["sound"] = stored(tensors, own)
    reading = Models(models).sound({"moodtheme-1": [0.0, 0.0, 0.0], "small-1": [1.0]})
    assert reading is not None
    assert reading.source == "audio"
    assert (reading.valence, reading.arousal) == pytest.approx((-0.2, -0.3) if head else (0.9, 0.4), abs=1e-3)
    assert reading.valence_error == (0.3 if head else 0.5)
    assert Models(models).sound({"small-1": [0.0]}) is None
    if not head:  # nor do the means of other layers, which follow the last one, mean any tag
        assert Models(models).sound({"moodtheme-1": [0.0, 0.0, 0.0, 9.0]}) == reading
