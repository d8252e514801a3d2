"""The part `mood` of the blend: tracks of the moods that a listener has more of than others.

    q_i   confidence x probabilities of the labels of `track_emotions`, less their mean over the tracks that have one
    p_u   mean of q_i over what u has, weighted as in the matrix
    score of a track  p_u . q_i

A taste of five numbers: it tells few tracks apart by itself, and is meant to turn a blend, not to lead it. It explains
nothing by a track that was heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from musai.emotion.fusion import LABELS

METHOD = "mood"
COLUMNS = ["track_id", "probabilities", "confidence"]  # of track_emotions


@dataclass(frozen=True)
class MoodTaste:
    """tracks float32 [known, labels]: q of each track, zeros without an emotion."""

    tracks: np.ndarray

    def scores(self, rows: sp.csr_matrix) -> np.ndarray:
        """float32 [b, known] of users whose weights are `rows` [b, known]."""
        weights = np.asarray(rows.sum(axis=1), np.float32).reshape(-1, 1)
        profile = np.asarray(rows @ self.tracks, np.float32) / np.where(weights > 0, weights, 1)
        found: np.ndarray = np.einsum("bl,il->bi", profile, self.tracks)  # no BLAS: the same bits on every machine
        return found


def mood_taste(emotions: pa.Table, ids: pa.Array) -> MoodTaste:
    """emotions: COLUMNS of `track_emotions`; ids: the known tracks in their order."""
    index = pc.index_in(emotions["track_id"].cast(ids.type), ids)
    there = pc.is_valid(index)
    chosen, places = emotions.filter(there), index.filter(there).to_numpy()
    found = np.zeros((len(ids), len(LABELS)), np.float64)
    if len(places):
        likely = [[dict(row).get(label, 0.0) for label in LABELS] for row in chosen["probabilities"].to_pylist()]
        said = np.array(likely) * chosen["confidence"].to_numpy()[:, None]
        found[places] = said - said.mean(0)
    return MoodTaste(found.astype(np.float32))
