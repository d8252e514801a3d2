"""Emotion from sound: a kernel machine on the embeddings of tracks.

Gaussian process regression with one Gaussian kernel a kind of embedding, their scale set by the median distance
(Rasmussen and Williams, "Gaussian processes for machine learning", 2006). Only `train_emotion` makes such a head: no
recordings with emotion labels are free enough for their weights to be shipped.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# What the nine emotions of the Geneva scale (Zentner, Grandjean, Scherer, 2008) say of valence and arousal. Signs as
# their authors describe them; each side of a column is averaged after every emotion is put on a scale of its own.
EMOTIFY = {
    "amazement": (1, 1), "solemnity": (0, -1), "tenderness": (1, -1), "nostalgia": (0, -1), "calmness": (1, -1),
    "power": (0, 1), "joyful_activation": (1, 1), "tension": (-1, 1), "sadness": (-1, -1),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class SoundHead:
    """`known` float32 [tracks, size]: the training tracks' embeddings, standardised by `centre` and `spread` [size];
    `scale`: the squared distance at which two are half alike; weights [tracks, outputs]; offset [outputs]."""

    centre: np.ndarray
    spread: np.ndarray
    known: np.ndarray
    scale: float
    weights: np.ndarray
    offset: np.ndarray

    def read(self, embeddings: np.ndarray) -> np.ndarray:
        """float64 [tracks, outputs] of embeddings [tracks, size]."""
        scaled = (embeddings - self.centre) / self.spread
        return likeness(scaled, self.known, self.scale) @ self.weights + self.offset


def likeness(left: np.ndarray, right: np.ndarray, scale: float) -> np.ndarray:
    """Gaussian kernel exp(-distance^2 / scale), [len(left), len(right)]."""
    return np.exp(-squared_distances(left, right) / scale)


def squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    crossed = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    return np.maximum(crossed, 0)


def fit(embeddings: np.ndarray, targets: np.ndarray, ridge: float = 1.5, width: float = 1.5) -> SoundHead:
    """A head for targets float [tracks, outputs]; `width`: the kernel's scale in median squared distances."""
    centre, spread = embeddings.mean(0), embeddings.std(0) + 1e-6
    known = (embeddings - centre) / spread
    distances = squared_distances(known, known)
    scale = width * float(np.median(distances))
    offset = targets.mean(0)
    weights = np.linalg.solve(np.exp(-distances / scale) + ridge * np.eye(len(known)), targets - offset)
    return SoundHead(centre, spread, known.astype(np.float32), scale, weights, offset)


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
