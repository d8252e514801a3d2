"""`audit_run` on the tiny night, and what it says of a run that is wrong."""

from musai.evaluation.audit import quality_finding, share_finding
from musai.evaluation.spark import full_lists


def test_every_check_of_a_good_night_holds(night):
    rows = night.table("audit_results")
    assert rows["passed"].all()
    assert "recommendations: nothing heard" in set(rows["check"])


def test_quality_is_refused_only_beyond_the_interval():
    before = {"value": 0.20, "low": 0.19, "high": 0.21}
    assert quality_finding({"value": 0.17, "low": 0.15, "high": 0.19}, before, 0.1).passed
    assert not quality_finding({"value": 0.15, "low": 0.13, "high": 0.17}, before, 0.1).passed
    assert quality_finding({}, before, 0.1).passed


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
