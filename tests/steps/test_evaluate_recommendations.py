"""`evaluate_recommendations` on the tiny night: figures that tell taste from popularity."""


def test_the_model_beats_popularity_on_what_was_held_out(night):
    rows = night.table("recommendation_metrics").set_index(["metric", "k", "list", "listeners"])
    recall = rows.loc[("recall", 10, "for_you", "all")]
    assert recall["value"] > 1.15 * recall["baseline"]
    assert recall["low"] <= recall["value"] <= recall["high"]
    assert recall["users"] == 40


def test_every_metric_has_its_groups(night):
    rows = night.table("recommendation_metrics")
    assert set(rows["metric"]) == {"recall", "ndcg", "map", "novelty", "popularity_share", "diversity", "coverage"}
    assert set(rows["listeners"]) == {"all", "light", "medium", "heavy"}
    assert set(rows["k"]) == {5, 10}
    assert set(rows["list"]) == {"for_you", "discover"}
    of_list = rows.groupby("list")[["metric", "k", "listeners"]].apply(lambda own: set(map(tuple, own.to_numpy())))
    assert of_list["discover"] == of_list["for_you"]


def test_discover_is_measured_on_artists_who_are_new_to_the_listener(night):
    import pyarrow.dataset as ds

    run = night.outcome.run.nested("evaluation")
    kept = ds.dataset(run.uri("interactions"), format="parquet", partitioning=None).to_table().to_pandas()
    artist = night.table("tracks").set_index("track_id")["artist"]
    pairs = night.table("interactions")[["user_id", "track_id"]].merge(kept, how="left", indicator=True)
    held_out = pairs[pairs["_merge"] == "left_only"]
    met = kept.groupby("user_id")["track_id"].apply(lambda tracks: set(artist[tracks]))
    new = [artist[track] not in met[user] for user, track in held_out[["user_id", "track_id"]].itertuples(index=False)]
    measured = night.table("recommendation_metrics").set_index(["metric", "k", "list", "listeners"])
    users = measured.loc[("recall", 10, "discover", "all"), "users"]
    assert users == held_out[new]["user_id"].nunique()
    assert 0 < users < measured.loc[("recall", 10, "for_you", "all"), "users"]


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
