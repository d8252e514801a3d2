"""`predict_factors` on the tiny night: the four tracks that nobody heard get factors, and everyone a list of them."""

import numpy as np


def test_the_unheard_tracks_have_factors_and_what_they_are_from(night):
    rows = night.table("predicted_track_factors").set_index("track_id")
    heard = set(night.table("items")["track_id"])
    assert sorted(rows.index) == sorted(set(night.table("tracks")["track_id"]) - heard)
    assert {len(vector) for vector in rows["factors"]} == {8}
    assert rows["factors"].map(np.any).all()
    assert rows.loc["t62", "sources"].tolist() == ["sound", "words"]
    assert rows.loc["t63", "sources"].tolist() == ["words"]


def test_everyone_has_new_releases_best_first(night):
    predicted = night.table("predicted_track_factors").set_index("track_id")["factors"]
    factors = night.table("user_factors").set_index("user_id")["factors"]
    lists = night.table("recommendations").query("list == 'new_releases'")
    assert set(lists["user_id"]) == set(factors.index)
    for user_id, rows in lists.groupby("user_id"):
        rows = rows.sort_values("rank")
        assert rows["rank"].tolist() == list(range(1, len(predicted) + 1))
        scores = {track_id: float(np.dot(vector, factors[user_id])) for track_id, vector in predicted.items()}
        np.testing.assert_allclose(rows["score"], sorted(scores.values(), reverse=True), rtol=1e-4, atol=1e-6)
        assert set(rows["track_id"]) == set(predicted.index)
        assert set(rows["source"]) == {"content"}
