"""`audit_run` on the tiny night, and what it says of a run that is wrong."""

import numpy as np

from musai.evaluation.audit import quality_finding, share_finding
from musai.evaluation.ranking_metrics import bootstrap_interval
from musai.evaluation.spark import full_lists


def test_every_check_of_a_good_night_holds(night):
    rows = night.table("audit_results")
    assert rows["passed"].all()
    assert "recommendations: nothing heard" in set(rows["check"])


def figure(value: float, half_width: float) -> dict[str, float]:
    return {"value": value, "low": value - half_width, "high": value + half_width}


def test_quality_is_refused_only_beyond_the_interval_of_the_difference():
    """.9 x .20 = .18 is due; hypot(.03, .9 x .04) = .0469."""
    before = figure(0.20, 0.04)
    assert quality_finding(figure(0.134, 0.03), before, 0.1).passed
    assert not quality_finding(figure(0.132, 0.03), before, 0.1).passed
    assert quality_finding(figure(0.17, 0.0), before, 0.1).passed  # the figure before may have been a lucky one
    assert not quality_finding(figure(0.17, 0.0), figure(0.20, 0.0), 0.1).passed
    assert not quality_finding({"value": 0.17}, {"value": 0.20}, 0.1).passed
    assert quality_finding({}, before, 0.1).passed


def test_runs_of_one_quality_are_seldom_refused():
    """Two draws of listeners from one distribution, no drop allowed: of 400 nights about 2.5% are refused, not 9%."""
    random = np.random.default_rng(0)
    quality = random.beta(0.4, 1.6, 20_000) * (random.random(20_000) < 0.7)
    refused = 0
    for _ in range(400):
        now, before = ({"value": (drawn := random.choice(quality, 100)).mean(), **_interval(drawn)} for _ in range(2))
        refused += not quality_finding(now, before, 0.0).passed
    assert refused < 0.045 * 400


def _interval(values: np.ndarray) -> dict[str, float]:
    low, high = bootstrap_interval(values, seed=1, resamples=200)
    return {"low": low, "high": high}


def test_a_share_is_refused_below_its_bound():
    assert share_finding("x", 99, 100, 0.99).passed
    assert not share_finding("x", 98, 100, 0.99).passed
    assert not share_finding("x", 0, 0, 0.99).passed


def test_a_full_list_is_of_all_tracks_that_are_neither_heard_nor_withheld(spark):
    """Five tracks, of which nobody has heard e; b and an unknown one are withheld."""
    users = spark.createDataFrame([("few", 1), ("both", 2), ("most", 4)], "user_id string, interactions bigint")
    heard = {"few": "a", "both": "ab", "most": "abcd"}
    pairs = [(user, track) for user, tracks in heard.items() for track in tracks]
    interactions = spark.createDataFrame(pairs, "user_id string, track_id string")
    tracks = spark.createDataFrame([(one,) for one in "abcde"], "track_id string")
    withheld = spark.createDataFrame([("b",), ("unknown",)], "track_id string")

    def full(lists: dict[str, str], top_n: int) -> int:
        sizes = spark.createDataFrame([(user, len(one)) for user, one in lists.items()], "user_id string, size bigint")
        return full_lists(users, interactions, sizes, tracks, withheld, top_n)

    assert full({"few": "cde", "both": "cde", "most": "e"}, top_n=10) == 3
    assert full({"few": "cd", "both": "cd", "most": "e"}, top_n=10) == 1
    assert full({"few": "cd", "both": "cd"}, top_n=2) == 2
