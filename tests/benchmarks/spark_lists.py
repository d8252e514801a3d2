"""Seconds that Spark's own lists take: spark_lists.py mllib | replay FOLDER FACTORS, for speed.py.

FOLDER/pairs.parquet has (user_id, item_id). mllib: `recommendForAllUsers` of its ALS, which knows no filter. replay:
its ALSWrap's `predict`, which leaves out what was heard; it runs in RePlay's own environment. Top 100, local[*], the
rows counted; the training before is not timed.
"""

from __future__ import annotations

import os
import sys
import time

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

TOP_N = 100


def main(name: str, folder: str, factors: int) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.driver.memory": "6g", "spark.ui.enabled": False, "spark.driver.host": "127.0.0.1"}
    settings |= {"spark.sql.shuffle.partitions": 2 * (os.cpu_count() or 1), "spark.ui.showConsoleProgress": False}
    spark = SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    pairs = spark.read.parquet(f"{folder}/pairs.parquet").withColumn("rating", F.lit(1.0)).cache()
    pairs.count()
    if name == "mllib":
        model = ALS(
            rank=factors, maxIter=1, implicitPrefs=True, userCol="user_id", itemCol="item_id", ratingCol="rating"
        ).fit(pairs)
        begun = time.perf_counter()
        model.recommendForAllUsers(TOP_N).select(F.explode("recommendations")).count()
        print(time.perf_counter() - begun)
        return
    from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureType
    from replay.models import ALSWrap
    from replay.utils.session_handler import State

    State(spark)
    schema = FeatureSchema(
        [
            FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
            FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
            FeatureInfo("rating", FeatureType.NUMERICAL, FeatureHint.RATING),
        ]
    )
    dataset = Dataset(schema, pairs, categorical_encoded=True, check_consistency=False)
    model = ALSWrap(rank=factors, seed=1)
    model.fit(dataset)
    begun = time.perf_counter()
    model.predict(dataset, TOP_N).count()
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
