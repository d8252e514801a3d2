"""`audit_run` on the tiny night, and what it says of a run that is wrong."""

from musai.evaluation.audit import quality_finding, share_finding


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
