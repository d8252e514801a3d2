"""`train_als`: user_item -> user_factors, track_factors."""

from musai.factorization import spark as factorization
from musai.session import is_local
from musai.steps import Night

JOB = "train_als"


def run(night: Night) -> None:
    settings, seed, entries = night.config.factorization, night.config.seed, night.run.rows("user_item") or 0
    users, items = night.read("users"), night.read("items")
    n_users, n_items = night.run.rows("users") or 0, night.run.rows("items") or 0
    if settings.backend == "spark":
        checkpoints = None if is_local(night.session) else f"{night.run.spark_uri('als_factors')}_checkpoints"
        factors = factorization.train_mllib(night.read("user_item"), n_users, n_items, settings, seed, checkpoints)
    else:
        night.rows_read += entries
        factors = factorization.train_in_one_task(
            night.session, night.run.uri("user_item"), n_users, n_items, settings, seed
        )
    night.write(factors, "als_factors", JOB)
    factors = night.run.read(night.session, "als_factors")
    for side, table, ids, index in (
        ("user", "user_factors", users, "user_index"),
        ("track", "track_factors", items, "item_index"),
    ):
        rows = factors.where(f"side = '{side}'").withColumnRenamed("row_index", index)
        night.write(rows.join(ids, index, "inner"), table, JOB)
    night.note(f"{settings.factors} factors, {settings.iterations} sweeps over {entries} weights")
