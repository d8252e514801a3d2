"""A plain dense reference in float64, written from the formulas and nothing of ours, and random matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

from musai import config as configuration

METHODS = ["cosine", "tfidf", "bm25", "cooccurrence", "rp3beta", "mean_centred", "neighbourhood_average"]


def pair_scores(R: np.ndarray, method: str, s) -> np.ndarray:
    """Scores float64 [items, items] of dense R [users, items]; 0 where j is no neighbour of i."""
    R = R.astype(np.float64)
    heard = R > 0
    n_users, n_items = heard.sum(axis=1), heard.sum(axis=0)
    N = int((n_items > 0).sum())
    idf = [math.log(N / (1 + n)) if n else 0.0 for n in n_users]
    length = R.sum(axis=0)
    mean = R.sum() / max(heard.sum(), 1)
    Y = np.zeros(R.shape)
    for u, i in zip(*np.nonzero(heard), strict=True):
        r = R[u, i]
        if method == "bm25":
            norm = 1 - s.bm25_b + s.bm25_b * length[i] / (length.sum() / N)
            Y[u, i] = idf[u] * r * (s.bm25_k1 + 1) / (r + s.bm25_k1 * norm)
        elif method == "mean_centred":
            Y[u, i] = r - R[u].sum() / n_users[u] - length[i] / n_items[i] + mean
        else:
            Y[u, i] = {"cosine": r, "tfidf": math.sqrt(r) * idf[u]}.get(method, 1.0)
    Y[np.abs(Y) < 1e-9] = 0
    S = np.zeros((R.shape[1], R.shape[1]))
    for i in range(len(S)):
        for j in range(len(S)):
            both = heard[:, i] & heard[:, j]
            if i == j or not both.any():
                continue
            if method == "cooccurrence":
                shared = sum(float(n) ** -s.user_exponent for n in n_users[both])
                S[i, j] = shared / (float(n_items[i]) ** s.track_exponent * float(n_items[j]) ** s.similar_exponent)
            elif method == "rp3beta":
                steps = R[both, i] / length[i] * R[both, j] / R[both].sum(axis=1)
                S[i, j] = (steps**s.rp3_alpha).sum() / float(n_items[j]) ** s.rp3_beta
            elif method == "neighbourhood_average":
                S[i, j] = 1 / (1 + n_items[i] - both.sum())
            else:
                norms = 1.0 if method == "bm25" else math.sqrt((Y[:, i] ** 2).sum() * (Y[:, j] ** 2).sum())
                S[i, j] = (Y[:, i] @ Y[:, j]) / norms if norms else 0.0
    return np.where(S > 1e-9, S, 0)


def nearest(R: np.ndarray, method: str, s) -> list[list[tuple[int, float]]]:
    """For each item its neighbours (index, score): best first, ties (equal to 9 digits) by smaller index."""
    rows = []
    for row in pair_scores(R, method, s):
        order = sorted((-float(f"{row[j]:.9g}"), int(j)) for j in np.flatnonzero(row))
        rows.append([(j, float(row[j])) for _, j in order[: s.neighbours]])
    return rows


def random_matrix(seed: int, users: int = 40, items: int = 30, share: float = 0.25) -> sp.csr_matrix:
    """Small whole weights (so, many ties), with an empty row and column and a user and a track that have everything."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 4, (users, items)) * (rng.random((users, items)) < share)
    dense[1], dense[:, 2] = 1, 1
    dense[4], dense[:, 3] = 0, 0
    return sp.csr_matrix(dense.astype(np.float32))


@pytest.fixture(scope="session")
def similarity():
    """The section `similarity` of conf/base.yaml with other keys: similarity(neighbours=3)."""
    section = configuration.load().similarity

    def with_keys(**keys):
        return type(section).model_validate({**section.model_dump(), **keys})

    return with_keys


@pytest.fixture(scope="session")
def reference():
    return nearest


@pytest.fixture(scope="session")
def matrices():
    return random_matrix


@pytest.fixture(params=METHODS, scope="session")
def method(request) -> str:
    return request.param
