"""Emotion from sound: valence and arousal as listeners of Emotify felt them; the head is a `musai.emotion.kernel`.

Only `train_emotion` makes such a head: no recordings with emotion labels are free enough for their weights to be
shipped.
"""

from __future__ import annotations

import numpy as np

# What the nine emotions of the Geneva scale (Zentner, Grandjean, Scherer, 2008) say of valence and arousal. Signs as
# their authors describe them; each side of a column is averaged after every emotion is put on a scale of its own.
EMOTIFY = {
    "amazement": (1, 1), "solemnity": (0, -1), "tenderness": (1, -1), "nostalgia": (0, -1), "calmness": (1, -1),
    "power": (0, 1), "joyful_activation": (1, 1), "tension": (-1, 1), "sadness": (-1, -1),
}  # fmt: skip


def affect(ratings: dict[str, np.ndarray]) -> np.ndarray:
    """Valence and arousal [tracks, 2] of ratings of the nine emotions [tracks], with a spread of 1 each."""
    scaled = {name: (values - values.mean()) / values.std() for name, values in ratings.items()}
    columns = []
    for axis in range(2):
        sides = [
            np.mean([scaled[name] for name, signs in EMOTIFY.items() if signs[axis] == sign], axis=0)
            for sign in (1, -1)
        ]
        difference = sides[0] - sides[1]
        columns.append((difference - difference.mean()) / difference.std())
    return np.stack(columns, axis=1)
