"""irspack: iALS with frequency-scaled regularisation, graph walks, neighbours, linear models. How it is run: search.py.

Its iALS has alpha0 = 0 by default, which weighs what was not played with nothing: 0.1 is the default here.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from irspack import (
    AsymmetricCosineKNNRecommender,
    AsymmetricCosineUserKNNRecommender,
    CosineKNNRecommender,
    DenseSLIMRecommender,
    EDLAERecommender,
    IALSRecommender,
    RP3betaRecommender,
    SLIMRecommender,
)

from tests.benchmarks.peer_runners.search import SEED, Peer, Settings, Top, best_of, main

BLOCK = 512  # users scored side by side
CLASSES = {
    "ials": IALSRecommender,
    "rp3beta": RP3betaRecommender,
    "cosine": CosineKNNRecommender,
    "asymmetric": AsymmetricCosineKNNRecommender,
    "asymmetric_user": AsymmetricCosineUserKNNRecommender,
    "slim": SLIMRecommender,
    "dense_slim": DenseSLIMRecommender,
    "edlae": EDLAERecommender,
}
DENSE = frozenset({"dense_slim", "edlae"})


def top(model: str, settings: Settings, matrix: sp.csr_matrix, users: np.ndarray, k: int, threads: int) -> Top:
    fixed = {} if model in DENSE else {"n_threads": threads}
    if model == "ials":
        fixed["random_seed"] = SEED
    fitted = CLASSES[model](matrix, **fixed, **settings).learn()
    blocks = [users[start : start + BLOCK] for start in range(0, len(users), BLOCK)]
    found = [best_of(np.asarray(fitted.get_score_remove_seen(block)), k) for block in blocks]
    return np.concatenate([items for items, _ in found]), np.concatenate([scores for _, scores in found])


WEIGHTING = ["NONE", "TF_IDF", "BM_25"]
PEER = Peer(
    models={
        "ials": {
            "n_components": (20, 8, 512),
            "alpha0": (0.1, 3e-3, 1.0),
            "reg": (1e-3, 1e-4, 0.1),
            "nu": (1.0, 0.0, 1.0),
            "train_epochs": (16, 5, 40),
        },
        "rp3beta": {
            "top_k": (100, 10, 1000),
            "alpha": (1.0, 0.0, 2.0),
            "beta": (0.6, 0.0, 1.0),
            "normalize_weight": [False, True],
        },
        "cosine": {
            "top_k": (100, 10, 1000),
            "shrinkage": (0.0, 0.0, 500.0),
            "normalize": [False, True],
            "feature_weighting": WEIGHTING,
        },
        "asymmetric": {
            "top_k": (100, 10, 1000),
            "shrinkage": (0.0, 0.0, 500.0),
            "alpha": (0.5, 0.0, 1.0),
            "feature_weighting": WEIGHTING,
        },
        "asymmetric_user": {
            "top_k": (100, 10, 1000),
            "shrinkage": (0.0, 0.0, 500.0),
            "alpha": (0.5, 0.0, 1.0),
            "feature_weighting": WEIGHTING,
        },
        "slim": {"alpha": (0.05, 1e-5, 1.0), "l1_ratio": (0.01, 1e-6, 1.0)},
        "dense_slim": {"reg": (1.0, 1.0, 1e4)},
        "edlae": {"reg": (1.0, 1.0, 1e4), "dropout_p": (0.1, 0.01, 0.99)},
    },
    top=top,
    dense=DENSE,
)

if __name__ == "__main__":
    main(PEER)
