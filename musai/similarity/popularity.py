"""How many listeners a track has, as a part of the blend: the same for all of them.

    score of track j   log(1 + |N_j|)     N_j: the listeners of j

Alone it is the baseline that every other part has to beat (Cremonesi, Koren & Turrin 2010, "Performance of recommender
algorithms on top-n recommendation tasks", MostPopular); in a blend it leans lists towards what many have. Lists of
listeners of whom no part says anything are by popularity whether it is a part or not. Weights play no part.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from musai.similarity.projection import Projection


def popularity(matrix: sp.csr_matrix) -> Projection:
    """left: ones, right: the scores [items, 1], from `matrix` [users, items]."""
    listeners = np.bincount(matrix.indices, minlength=matrix.shape[1])
    scores = np.log1p(listeners).astype(np.float32)[:, None]
    return Projection(np.ones_like(scores), scores)
