"""Run by spark-submit: what the work of `one_task` finds on the cluster, as a line of JSON."""

import json
import os
import sys
from collections.abc import Iterator

import pyarrow as pa

from musai import config, session


def found(threads: int) -> Iterator[pa.RecordBatch]:
    import musai

    columns = {
        "threads": threads,
        "cards": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "package": musai.__file__,
        "python_path": ":".join(sys.path),
        "folder": os.getcwd(),  # noqa: PTH109
    }
    yield pa.record_batch({name: [value] for name, value in columns.items()})


spark = session.build(config.load())
schema = "threads bigint, cards string, package string, python_path string, folder string"
answer = session.one_task(spark, found, schema, gpu=True).collect()[0].asDict()
print(json.dumps(answer | {"name": spark.sparkContext.appName}))
