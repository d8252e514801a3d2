"""`compute_similarities`: user_item -> similar_tracks, similar_users."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from musai.config import Similarity
from musai.errors import InputError
from musai.session import one_task
from musai.similarity import linear, local
from musai.similarity import spark as similarity
from musai.steps import Night
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

JOB = "compute_similarities"
Side = Literal["track", "user"]
SIDES = {  # table by ids: the table of the ids, and the columns there
    "similar_tracks": ("items", "item_index", "track_id"),
    "similar_users": ("users", "user_index", "user_id"),
}


def run(night: Night) -> None:
    settings, entries = night.config.similarity, night.run.rows("user_item") or 0
    backend = settings.backend
    if backend == "auto":
        backend = "implicit" if entries <= settings.local_max_interactions else "spark"
        if backend == "spark" and settings.device == "gpu":
            most = f"{entries:,} pairs are beyond similarity.local_max_interactions"
            raise InputError(f"similarity.device: gpu is for one machine, and {most}")
    blend = night.config.recommend.blend
    asked: list[tuple[Side, str, Similarity]] = []
    for name in settings.track_methods:
        count = max(settings.neighbours, settings.scoring_neighbours if blend.get(name) else 0)
        asked.append(("track", name, settings.model_copy(update={"neighbours": count})))
    asked += [("user", name, settings) for name in settings.user_methods]
    # What one process works out, whatever the size, is written by its task; the rest are frames.
    places = night.run.staging("track_neighbours", *SIDES)
    parts: list[Row] = []
    frames: dict[str, list[DataFrame]] = {"track": [], "user": []}
    for side, method, chosen in asked:
        night.progress(f"{side}s by {method}")
        if backend == "spark" and method != linear.METHOD:
            compute = similarity.track_neighbours if side == "track" else similarity.user_neighbours
            frame = compute(night.read("user_item"), method, chosen, night.config.seed)
            frames[side].append(frame.selectExpr(f"'{method}' as method", "*"))
        else:
            parts += _stored(night, side, method, chosen, places, len(parts))
    tracks = _together(frames["track"], "item_index")
    night.adopt(parts, "track_neighbours", JOB, tracks)
    if tracks is not None:
        computed = [method for side, method, _ in asked if side == "track" and method != linear.METHOD]
        tracks = night.run.read(night.session, "track_neighbours").where(F.col("method").isin(computed))
        tracks = tracks.where(F.col("rank") <= settings.neighbours)
    for table, near in (("similar_tracks", tracks), ("similar_users", _together(frames["user"], "user_index"))):
        ids, index, id_column = SIDES[table]
        more = None if near is None else _with_ids(near, night.read(ids), index, id_column)
        night.adopt(parts, table, JOB, more)
    night.note(f"{', '.join(settings.track_methods)} between tracks, by {backend}")


def _stored(
    night: Night, side: Side, method: str, settings: Similarity, places: Mapping[str, Place], number: int
) -> list[Row]:
    run = night.run
    night.rows_read += run.rows("user_item") or 0
    uris = [run.uri(table) for table in ("user_item", "users", "items")]
    sides = local.Sides(uris[0], run.rows("users") or 0, run.rows("items") or 0, *uris[1:])
    listed = night.config.similarity.neighbours
    work = functools.partial(local.stored, sides, side, method, settings, listed, places, number)
    return one_task(night.session, work, task_files.PARTS, gpu=settings.device != "cpu").collect()


def _together(frames: list[DataFrame], index: str) -> DataFrame | None:
    if not frames:
        return None
    return functools.reduce(lambda left, right: left.unionByName(right), frames).withColumnRenamed("index", index)


def _with_ids(near: DataFrame, ids: DataFrame, index: str, id_column: str) -> DataFrame:
    """Indexes to the user's own ids on both sides."""
    own = ids.select(index, id_column)
    other = ids.selectExpr(f"{index} as similar_index", f"{id_column} as similar_{id_column}")
    return near.join(own, index, "inner").join(other, "similar_index", "inner")
