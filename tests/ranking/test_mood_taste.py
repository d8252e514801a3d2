"""The part `mood`: by hand, and that it is no taste where nothing is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.emotion.fusion import LABELS
from musai.ranking.mood_taste import mood_taste

IDS = pa.array(["a", "b", "c", "d"], pa.large_string())


def emotions(rows: dict[str, tuple[str, float]]) -> pa.Table:
    return pa.table(
        {
            "track_id": pa.array(list(rows), pa.string()),
            "probabilities": pa.array(
                [[(label, 1.0)] for label, _ in rows.values()], pa.map_(pa.string(), pa.float64())
            ),
            "confidence": pa.array([sure for _, sure in rows.values()], pa.float64()),
        }
    )


def test_by_hand():
    """Of a happy, a sad and a less certain happy track; d has no emotion and z is no track of the matrix."""
    made = mood_taste(emotions({"c": ("happy", 0.5), "z": ("tense", 1.0), "a": ("happy", 1.0), "b": ("sad", 1.0)}), IDS)
    happy, sad = LABELS.index("happy"), LABELS.index("sad")
    expected = np.zeros((4, len(LABELS)))
    expected[:3, happy] = [0.5, -0.5, 0.0]  # 1, 0, .5 less their mean
    expected[:3, sad] = [-1 / 3, 2 / 3, -1 / 3]
    np.testing.assert_allclose(made.tracks, expected, atol=1e-7)
    rows = sp.csr_matrix(np.array([[3.0, 0, 0, 0], [1.0, 1, 0, 0], [0, 0, 0, 2.0], [0, 0, 0, 0]], np.float32))
    found = made.scores(rows)
    np.testing.assert_allclose(found[0], expected @ expected[0], atol=1e-6)
    np.testing.assert_allclose(found[1], expected @ (expected[0] + expected[1]) / 2, atol=1e-6)
    assert found[0, 0] > found[0, 2] > 0 > found[0, 1]
    assert not found[2:].any()
    assert found.dtype == np.float32


def test_no_emotion_at_all():
    made = mood_taste(emotions({}), IDS)
    assert made.tracks.shape == (4, len(LABELS))
    assert not made.tracks.any()
