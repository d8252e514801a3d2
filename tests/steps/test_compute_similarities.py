"""`compute_similarities` on the tiny night: neighbours by id, never the track itself."""

import numpy as np


def test_cosine_is_the_cosine_of_the_columns(night):
    items = night.table("items").sort_values("item_index")["track_id"].to_numpy()
    matrix = night.table("user_item")
    dense = np.zeros((40, len(items)))
    dense[matrix["user_index"], matrix["item_index"]] = matrix["weight"]
    unit = dense / np.linalg.norm(dense, axis=0)
    expected = unit.T @ unit
    place = {track: index for index, track in enumerate(items)}
    rows = night.table("similar_tracks").query("method == 'cosine'")
    assert (rows["track_id"] != rows["similar_track_id"]).all()
    mine = [expected[place[a], place[b]] for a, b in zip(rows["track_id"], rows["similar_track_id"], strict=True)]
    np.testing.assert_allclose(rows["score"], mine, rtol=1e-5)
    sizes = rows.groupby("track_id").size()
    due = (expected > 1e-9).sum(axis=1) - 1
    assert sizes.reindex(items).fillna(0).tolist() == np.minimum(due, 50).tolist()


def test_listeners_have_neighbours_of_their_taste(night):
    near = night.table("similar_users").query("rank == 1")
    same = near["user_id"].str[1:].astype(int) % 3 == near["similar_user_id"].str[1:].astype(int) % 3
    assert len(near) == 40
    assert same.mean() > 0.9
