"""`train_als` on the tiny night: a vector for everyone, the same under both names."""

import datetime as dt
import pathlib
import shutil

import numpy as np

from musai.steps import Night, train_als
from musai.warehouse import Warehouse
from tests import nights


def test_factors_by_id_are_the_factors_by_index(night):
    internal = night.table("als_factors")
    for side, table, ids, id_column, index in (
        ("user", "user_factors", "users", "user_id", "user_index"),
        ("track", "track_factors", "items", "track_id", "item_index"),
    ):
        by_index = internal[internal["side"] == side].set_index("row_index")["factors"]
        of_id = night.table(ids).set_index(id_column)[index]
        rows = night.table(table)
        assert sorted(rows[id_column]) == sorted(of_id.index)
        for row in rows.itertuples():
            np.testing.assert_array_equal(row.factors, by_index[of_id[getattr(row, id_column)]])


def test_listeners_of_one_taste_point_the_same_way(night):
    rows = night.table("user_factors").sort_values("user_id")
    vectors = np.stack(rows["factors"].to_numpy())
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    taste = np.arange(40) % 3
    nearest = np.argsort(-(unit @ unit.T), axis=1)[:, 1:6]
    assert (taste[nearest] == taste[:, None]).mean() > 0.95


def test_the_next_night_may_go_on_from_the_factors_of_this_one(night, night_folder, spark, tmp_path) -> None:
    """Two nights from one parent are alike; the evaluation's part knows nothing of what the parent has heard."""
    copy = pathlib.Path(shutil.copytree(night_folder / "warehouse", tmp_path / "warehouse"))
    config = nights.settings_of(night_folder, f"warehouse={copy}", "factorization.warm_iterations=1")
    date = night.outcome.run.record.date + dt.timedelta(days=1)
    jobs = ("ingest_interactions", "build_user_item", "train_als")
    made = [nights.run(config, run_date=date, only=jobs, run_id=run_id) for run_id in ("a", "b")]
    assert "1 sweeps from earlier factors" in made[0].outcome.notes["train_als"][0]
    assert made[0].outcome.digests()["user_factors"] == made[1].outcome.digests()["user_factors"]
    before, now = (one.table("user_factors").set_index("user_id")["factors"] for one in (night, made[0]))
    for user in before.index:
        assert np.dot(before[user], now[user]) > 0.9 * np.linalg.norm(before[user]) * np.linalg.norm(now[user])
    assert not list((copy / "_nights/a").glob("*_start"))
    run = made[0].outcome.run
    asked = Night(spark, config, Warehouse(run.storage, config), run, dt.datetime.now(dt.UTC))
    users, items = (run.read(spark, table) for table in ("users", "items"))
    assert train_als._start(asked, users, items)
    assert train_als._start(asked.nested("evaluation"), users, items) is None
