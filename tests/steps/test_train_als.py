"""`train_als` on the tiny night: a vector for everyone, the same under both names."""

import numpy as np


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
    cosines = unit @ unit.T
    same = np.equal.outer(np.arange(40) % 3, np.arange(40) % 3) & ~np.eye(40, dtype=bool)
    assert cosines[same].mean() > cosines[~same & ~np.eye(40, dtype=bool)].mean() + 0.3
