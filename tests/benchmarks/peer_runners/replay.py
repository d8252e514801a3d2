"""RePlay on Spark 3.5: MLlib's ALS, neighbours of items, SLIM, Word2Vec. How it is run: search.py.

The ranges are those of its own `optimize`, with more neighbours. Its Scala extension, which it would fetch, is left
out: the stages used here do without.
"""

from __future__ import annotations

import functools
import os
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pyspark.sql import SparkSession
from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureType
from replay.models import SLIM, ALSWrap, ItemKNN, Word2VecRec
from replay.utils.session_handler import State

from tests.benchmarks.peer_runners.search import SEED, Peer, Settings, Top, from_rows, main

SCHEMA = FeatureSchema(
    [
        FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
        FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
        FeatureInfo("rating", FeatureType.NUMERICAL, FeatureHint.RATING),
        FeatureInfo("timestamp", FeatureType.NUMERICAL, FeatureHint.TIMESTAMP),
    ]
)
CLASSES = {"als": ALSWrap, "item_knn": ItemKNN, "slim": SLIM, "word2vec": Word2VecRec}


@functools.cache
def session(threads: int) -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable  # its functions in Python run in this environment too
    settings = {
        "spark.driver.memory": "4g",
        "spark.sql.shuffle.partitions": threads,
        "spark.sql.execution.arrow.pyspark.enabled": True,
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
        "spark.driver.host": "127.0.0.1",
    }
    spark = SparkSession.builder.master(f"local[{threads}]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return State(spark).session


def top(model: str, settings: Settings, matrix: sp.csr_matrix, users: np.ndarray, k: int, threads: int) -> Top:
    spark, pairs = session(threads), matrix.tocoo()
    frame = pd.DataFrame({"user_id": pairs.row, "item_id": pairs.col, "rating": 1.0, "timestamp": 0})
    log = spark.createDataFrame(frame).repartition(threads, "user_id").cache()
    dataset = Dataset(SCHEMA, log, categorical_encoded=True, check_consistency=False)
    seed = {} if model == "item_knn" else {"seed": SEED}
    fitted = CLASSES[model](**settings, **seed)
    fitted.fit(dataset)
    queries = spark.createDataFrame(pd.DataFrame({"user_id": users}))
    rows = fitted.predict(dataset, k, queries).toPandas()
    spark.catalog.clearCache()
    return from_rows(users, rows["user_id"].to_numpy(), rows["item_id"].to_numpy(), rows["rating"].to_numpy(), k)


PEER = Peer(
    models={
        "als": {"rank": (10, 8, 256)},
        "item_knn": {
            "num_neighbours": (10, 1, 1000),
            "shrink": (0.0, 0.0, 100.0),
            "weighting": [None, "tf_idf", "bm25"],
        },
        "slim": {"beta": (0.01, 1e-6, 5.0), "lambda_": (0.01, 1e-6, 2.0)},
        "word2vec": {"rank": (100, 50, 300), "window_size": (1, 1, 100), "use_idf": [False, True]},
    },
    top=top,
)

if __name__ == "__main__":
    main(PEER)
