"""`compute_similarities`: user_item -> similar_tracks, similar_users."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from musai.config import Similarity
from musai.session import one_task
from musai.similarity import linear, local
from musai.similarity import spark as similarity
from musai.steps import Night

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "compute_similarities"


def run(night: Night) -> None:
    settings, entries = night.config.similarity, night.run.rows("user_item") or 0
    backend = settings.backend
    if backend == "auto":
        backend = "implicit" if entries <= settings.local_max_interactions else "spark"
    blend = night.config.recommend.blend
    tracks = []
    for method in settings.track_methods:
        count = max(settings.neighbours, settings.scoring_neighbours if blend.get(method) else 0)
        tracks.append(_neighbours(night, "track", method, settings.model_copy(update={"neighbours": count}), backend))
    users = [_neighbours(night, "user", method, settings, backend) for method in settings.user_methods]
    renamed = _together(night, tracks).withColumnRenamed("index", "item_index")
    night.write(renamed, "track_neighbours", JOB)
    near = night.run.read(night.session, "track_neighbours").where(f"rank <= {settings.neighbours}")
    night.write(_with_ids(near, night.read("items"), "item_index", "track_id"), "similar_tracks", JOB)
    near = _together(night, users).withColumnRenamed("index", "user_index")
    night.write(_with_ids(near, night.read("users"), "user_index", "user_id"), "similar_users", JOB)
    night.note(f"{', '.join(settings.track_methods)} between tracks, by {backend}")


def _neighbours(
    night: Night, side: Literal["user", "track"], method: str, settings: Similarity, backend: str
) -> DataFrame:
    night.progress(f"{side}s by {method}")
    if backend == "spark" and method != linear.METHOD:  # which one process works out, whatever the size
        compute = similarity.track_neighbours if side == "track" else similarity.user_neighbours
        frame = compute(night.read("user_item"), method, settings, night.config.seed)
    else:
        night.rows_read += night.run.rows("user_item") or 0
        path, users, items = night.run.uri("user_item"), night.run.rows("users") or 0, night.run.rows("items") or 0
        work = functools.partial(local.batches, path, users, items, side, method, settings)
        frame = one_task(night.session, work, local.SCHEMA)
    return frame.selectExpr(f"'{method}' as method", "*")


def _together(night: Night, frames: list[DataFrame]) -> DataFrame:
    empty = night.session.createDataFrame([], "method string, index int, rank int, similar_index int, score float")
    return functools.reduce(lambda left, right: left.unionByName(right), frames, empty)


def _with_ids(near: DataFrame, ids: DataFrame, index: str, id_column: str) -> DataFrame:
    """Indexes to the user's own ids on both sides."""
    own = ids.select(index, id_column)
    other = ids.selectExpr(f"{index} as similar_index", f"{id_column} as similar_{id_column}")
    return near.join(own, index, "inner").join(other, "similar_index", "inner")
