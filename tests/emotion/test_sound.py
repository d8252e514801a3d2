"""The two axes follow the nine emotions."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion import sound


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
