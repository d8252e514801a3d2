"""`build_user_item` on the tiny night: indexes over everyone, and the weights."""

import numpy as np


def test_indexes_are_dense_and_in_the_order_of_the_ids(night):
    interactions = night.table("interactions")
    for table, id_column, index in (("users", "user_id", "user_index"), ("items", "track_id", "item_index")):
        rows = night.table(table).sort_values(index)
        assert rows[id_column].tolist() == sorted(interactions[id_column].unique())
        assert rows[index].tolist() == list(range(len(rows)))
        assert rows["plays"].sum() == interactions["plays"].sum()


def test_a_weight_is_the_logarithm_of_the_plays(night):
    users, items = night.table("users"), night.table("items")
    matrix = night.table("user_item").merge(users[["user_index", "user_id"]]).merge(items[["item_index", "track_id"]])
    both = matrix.merge(night.table("interactions"), on=["user_id", "track_id"])
    assert len(both) == len(night.table("interactions"))
    np.testing.assert_allclose(
        both["weight"], np.log1p(both["plays_y"] if "plays_y" in both else both["plays"]), rtol=1e-6
    )
