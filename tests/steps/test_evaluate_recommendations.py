"""`evaluate_recommendations` on the tiny night: figures that tell taste from popularity."""


def test_the_model_beats_popularity_on_what_was_held_out(night):
    rows = night.table("recommendation_metrics").set_index(["metric", "k", "listeners"])
    recall = rows.loc[("recall", 10, "all")]
    assert recall["value"] > 1.15 * recall["baseline"]
    assert recall["low"] <= recall["value"] <= recall["high"]
    assert recall["users"] == 40


def test_every_metric_has_its_groups(night):
    rows = night.table("recommendation_metrics")
    assert set(rows["metric"]) == {"recall", "ndcg", "map", "novelty", "popularity_share", "diversity", "coverage"}
    assert set(rows["listeners"]) == {"all", "light", "medium", "heavy"}
    assert set(rows["k"]) == {5, 10}


def test_what_was_held_out_is_not_in_the_training_part(night):
    import pyarrow.dataset as ds

    training = ds.dataset(
        night.outcome.run.nested("evaluation").uri("interactions"), format="parquet", partitioning=None
    )
    kept = training.to_table().to_pandas()
    every = night.table("interactions")
    held_out = len(every) - len(kept)
    by_user = every.groupby("user_id").size()
    assert held_out == sum(max(1, int(size * 0.2)) for size in by_user if size >= 5)
    latest = every.merge(kept[["user_id", "track_id"]], how="left", indicator=True)
    bounds = latest.groupby(["user_id", "_merge"], observed=True)["last_event_at"].agg(["min", "max"]).unstack()
    assert (
        bounds["min"]["left_only"].dropna() >= bounds["max"]["both"].reindex(bounds["min"]["left_only"].dropna().index)
    ).all()
