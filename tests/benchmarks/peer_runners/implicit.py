"""`implicit` alone: its factorizations and neighbours of items. How it is run: search.py."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.cpu.lmf import LogisticMatrixFactorization
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from threadpoolctl import threadpool_limits

from tests.benchmarks.peer_runners.search import OF_IMPLICIT, SEED, Peer, Settings, Top, main

FACTORIZATIONS = {
    "als": AlternatingLeastSquares,
    "bpr": BayesianPersonalizedRanking,
    "lmf": LogisticMatrixFactorization,
}
NEIGHBOURS = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}


def top(model: str, settings: Settings, matrix: sp.csr_matrix, users: np.ndarray, k: int, threads: int) -> Top:
    if model in NEIGHBOURS:
        fitted = NEIGHBOURS[model](num_threads=threads, **settings)
    else:
        fitted = FACTORIZATIONS[model](num_threads=threads, random_state=SEED, **settings)
    with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads call BLAS
        fitted.fit(matrix, show_progress=False)
    items, scores = fitted.recommend(users, matrix[users], N=k, filter_already_liked_items=True)
    return np.where(scores > np.finfo(np.float32).min, items, -1), scores


PEER = Peer(
    models={
        **OF_IMPLICIT,
        "lmf": {
            "factors": (30, 16, 256),
            "learning_rate": (1.0, 0.05, 3.0),
            "regularization": (0.6, 0.01, 10.0),
            "iterations": (30, 10, 100),
        },
        "cosine": {"K": (20, 5, 1000)},
        "tfidf": {"K": (20, 5, 1000)},
        "bm25": {"K": (20, 5, 1000), "K1": (1.2, 0.1, 200.0), "B": (0.75, 0.0, 1.0)},
    },
    top=top,
)

if __name__ == "__main__":
    main(PEER)
