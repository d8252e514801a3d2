"""Weights of the matrix as SQL over one pair's columns, and as numpy for a listener who is in no table.

Columns in reach: plays (> 0), last_event_at, user_plays (the listener's sum, >= 0), track_users (the track's
listeners). Scalars come in as numbers: users (listeners in all), mean_plays (the mean of user_plays over them).
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from musai.config import Matrix


def weight_sql(settings: Matrix, users: int, mean_plays: float, until: dt.datetime) -> str:
    """SQL of a pair's weight.

    none: the plays. log: ln(1 + plays / log_scale) (Hu, Koren, Volinsky 2008). bm25: Robertson & Zaragoza 2009 with
    the listener as document and the track as term: plays x (k1 + 1) / (plays + k1 x (1 - b + b x user_plays /
    mean_plays)) x ln(1 + (users - track_users + .5) / (track_users + .5)). With recency_half_life_days the weight
    halves with every so many days between last_event_at and `until`, the end of the run date; a pair without a
    timestamp keeps its weight.
    """
    k1, b = _number(settings.bm25_k1), _number(settings.bm25_b)
    formulas = {
        "none": "plays",
        "log": f"ln(1 + plays / {_number(settings.log_scale)})",
        "bm25": (
            f"plays * ({k1} + 1) / (plays + {k1} * (1 - {b} + {b} * user_plays / {_number(mean_plays or 1)}))"
            f" * ln(1 + ({_number(users)} - track_users + 0.5D) / (track_users + 0.5D))"
        ),
    }
    weight = formulas[settings.weighting]
    if settings.recency_half_life_days is None:
        return weight
    seconds = f"{_number(until.timestamp())} - unix_micros(last_event_at) / 1e6D"
    half_life = _number(settings.recency_half_life_days * 86400)
    return f"{weight} * power(0.5D, greatest(0D, coalesce({seconds}, 0D)) / {half_life})"


def weights(plays: np.ndarray, settings: Matrix, track_users: np.ndarray, users: int, mean_plays: float) -> np.ndarray:
    """The same for all tracks of one listener who hears them today: float32 of plays float64 > 0, track_users int."""
    if settings.weighting == "none":
        found = plays
    elif settings.weighting == "log":
        found = np.log(1 + plays / settings.log_scale)
    else:
        k1, b = settings.bm25_k1, settings.bm25_b
        held_back = k1 * (1 - b + b * plays.sum() / (mean_plays or 1))
        rarity = np.log(1 + (users - track_users + 0.5) / (track_users + 0.5))
        found = plays * (k1 + 1) / (plays + held_back) * rarity
    return found.astype(np.float32)


def _number(value: float) -> str:
    return f"{float(value)!r}D"
