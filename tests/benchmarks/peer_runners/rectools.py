"""RecTools: its wrappers of implicit and LightFM, EASE and PureSVD. How it is run: search.py.

Its sequence models (SASRec, BERT4Rec, HSTU) have nothing to learn from here: the splits know no order of plays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from lightfm import LightFM
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import (
    EASEModel,
    ImplicitALSWrapperModel,
    ImplicitBPRWrapperModel,
    ImplicitItemKNNWrapperModel,
    LightFMWrapperModel,
    PureSVDModel,
)
from threadpoolctl import threadpool_limits

from tests.benchmarks.peer_runners.search import OF_IMPLICIT, SEED, Peer, Settings, Top, from_rows, main

NEIGHBOURS = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}


def made(model: str, settings: dict[str, Any], threads: int) -> Any:
    if model in NEIGHBOURS:
        return ImplicitItemKNNWrapperModel(NEIGHBOURS[model](num_threads=threads, **settings))
    if model == "ease":
        return EASEModel(**settings, recommend_n_threads=threads)
    if model == "pure_svd":
        return PureSVDModel(**settings, random_state=SEED, recommend_n_threads=threads)
    if model == "lightfm":
        epochs = settings.pop("epochs")
        return LightFMWrapperModel(LightFM(**settings, random_state=SEED), epochs=epochs, num_threads=threads)
    if model == "als":
        return ImplicitALSWrapperModel(AlternatingLeastSquares(**settings, num_threads=threads, random_state=SEED))
    return ImplicitBPRWrapperModel(BayesianPersonalizedRanking(**settings, num_threads=threads, random_state=SEED))


def top(model: str, settings: Settings, matrix: sp.csr_matrix, users: np.ndarray, k: int, threads: int) -> Top:
    pairs = matrix.tocoo()
    now = pd.Timestamp("2026-01-01")  # a column that Dataset asks for
    frame = pd.DataFrame({Columns.User: pairs.row, Columns.Item: pairs.col, Columns.Weight: 1.0, Columns.Datetime: now})
    dataset = Dataset.construct(frame)
    fitted = made(model, dict(settings), threads)
    with threadpool_limits(threads if model in ("ease", "pure_svd") else 1, "blas"):
        fitted.fit(dataset)
    known = users[np.diff(matrix.indptr)[users] > 0]
    rows = fitted.recommend(known, dataset, k=k, filter_viewed=True)
    scores = rows[Columns.Score].to_numpy()
    return from_rows(users, rows[Columns.User].to_numpy(), rows[Columns.Item].to_numpy(), scores, k)


PEER = Peer(
    models={
        **OF_IMPLICIT,
        "cosine": {"K": (20, 5, 1000)},
        "tfidf": {"K": (20, 5, 1000)},
        "bm25": {"K": (20, 5, 1000), "K1": (1.2, 0.1, 200.0), "B": (0.75, 0.0, 1.0)},
        "ease": {"regularization": (500.0, 1.0, 1e5)},
        "pure_svd": {"factors": (10, 8, 512)},
        "lightfm": {
            "no_components": (10, 8, 256),
            "loss": ["warp", "bpr"],  # what it has for plays without dislikes
            "learning_rate": (0.05, 0.005, 0.2),
            "item_alpha": (1e-6, 1e-8, 1e-3),
            "user_alpha": (1e-6, 1e-8, 1e-3),
            "epochs": (20, 5, 100),
        },
    },
    top=top,
    dense=frozenset({"ease"}),
)

if __name__ == "__main__":
    main(PEER)
