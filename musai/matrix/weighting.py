"""Weights of the pairs in the matrix."""

from __future__ import annotations

import numpy as np

from musai.config import Matrix

DAY_S = 86400


def weights(
    plays: np.ndarray,
    settings: Matrix,
    user_plays: np.ndarray | float,
    track_users: np.ndarray,
    users: int,
    mean_plays: float,
    age_s: np.ndarray | None = None,
) -> np.ndarray:
    """float32 [pairs] of plays float64 [pairs] > 0.

    user_plays: the listener's sum, >= 0; track_users: the track's listeners; users: how many listeners there are;
    mean_plays: the mean of user_plays over them; age_s: seconds since the pair's last event (None: it is today's).

    none: the plays. log: ln(1 + plays / log_scale) (Hu, Koren, Volinsky 2008). bm25: Robertson & Zaragoza 2009 with
    the listener as document and the track as term: plays x (k1 + 1) / (plays + k1 x (1 - b + b x user_plays /
    mean_plays)) x ln(1 + (users - track_users + .5) / (track_users + .5)). With recency_half_life_days the weight
    halves with every so many days of age.
    """
    if settings.weighting == "none":
        found = plays
    elif settings.weighting == "log":
        found = np.log(1 + plays / settings.log_scale)
    else:
        k1, b = settings.bm25_k1, settings.bm25_b
        held_back = k1 * (1 - b + b * user_plays / (mean_plays or 1))
        rarity = np.log(1 + (users - track_users + 0.5) / (track_users + 0.5))
        found = plays * (k1 + 1) / (plays + held_back) * rarity
    if settings.recency_half_life_days is not None and age_s is not None:
        found = found * 0.5 ** (np.maximum(age_s, 0) / (settings.recency_half_life_days * DAY_S))
    return found.astype(np.float32)
