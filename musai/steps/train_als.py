"""`train_als`: user_item -> user_factors, track_factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musai.factorization import spark as factorization
from musai.session import is_local
from musai.steps import Night

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "train_als"
TABLE = factorization.TABLE
SIDES = {  # side: the table of its factors, that of its ids, and the columns there
    factorization.USER: ("user_factors", "users", "user_index", "user_id"),
    factorization.TRACK: ("track_factors", "items", "item_index", "track_id"),
}
KNOWN = 0.8  # share of the listeners and tracks that must have earlier factors for a warm start


def run(night: Night) -> None:
    settings, seed, entries = night.config.factorization, night.config.seed, night.run.rows("user_item") or 0
    users, items = night.read("users"), night.read("items")
    n_users, n_items = night.run.rows("users") or 0, night.run.rows("items") or 0
    start = _start(night, users, items) if settings.warm_iterations else None
    if settings.backend == "spark":
        checkpoints = None if is_local(night.session) else f"{night.run.spark_uri(TABLE)}_checkpoints"
        factors = factorization.train_mllib(night.read("user_item"), n_users, n_items, settings, seed, checkpoints)
        night.write(factors, TABLE, JOB)
        factors = night.run.read(night.session, TABLE)
        for side, ids in ((factorization.USER, users), (factorization.TRACK, items)):
            table, _, index, _ = SIDES[side]
            rows = factors.where(f"side = '{side}'").withColumnRenamed("row_index", index)
            night.write(rows.join(ids, index, "inner"), table, JOB)
    else:
        night.rows_read += entries
        first = night.run.storage.uri(start) if start else None
        sides = {
            side: factorization.Side(night.run.rows(ids) or 0, night.run.uri(ids), index, name, table)
            for side, (table, ids, index, name) in SIDES.items()
        }
        places = night.run.staging(TABLE, *(side.table for side in sides.values()))
        matrix = night.run.uri("user_item")
        parts = factorization.train_in_one_task(night.session, matrix, sides, settings, seed, places, first)
        for table in places:
            night.adopt(parts, table, JOB)
    if start:
        night.run.storage.delete(start)
    sweeps = f"{settings.warm_iterations} sweeps from earlier factors" if start else f"{settings.iterations} sweeps"
    night.note(f"{settings.factors} factors, {sweeps} over {entries} weights")


def _start(night: Night, users: DataFrame, items: DataFrame) -> str | None:
    """Path in the warehouse of the parent run's factors by tonight's indexes; None where it has too few of them.

    The evaluation's training part begins anew: the parent has heard what is held out.
    """
    user_factors, track_factors = night.parents("user_factors"), night.parents("track_factors")
    if night.run.scope or user_factors is None or track_factors is None:
        return None
    width = night.config.factorization.factors
    path = f"{night.run.folder(TABLE)}_start"
    rows = factorization.by_index(users, items, user_factors, track_factors, width)
    rows.write.mode("overwrite").parquet(night.run.storage.spark_uri(path))
    known = night.session.read.parquet(night.run.storage.spark_uri(path)).count()
    if known >= KNOWN * ((night.run.rows("users") or 0) + (night.run.rows("items") or 0)):
        return path
    night.run.storage.delete(path)
    return None
