"""`ingest_interactions` on the tiny night: sums, counts and rejects."""


def test_every_row_is_accounted_for(night):
    counts = night.outcome.run.manifest("rejected_rows", "ingest_interactions")["counts"]
    assert counts["read"] == 2 * (40 * 8 + 3)
    assert counts["read"] == counts["used"] + counts["rejected"] + counts["outside"] + counts["erased"]
    assert counts["rejected"] == 6
    assert counts["header"] == 2
    assert night.table("interactions")["events"].sum() == counts["used"] == 640


def test_rejects_name_their_line_and_reason(night):
    rejected = night.table("rejected_rows")
    rejected = rejected[rejected["source"] == "interactions"]
    assert sorted(rejected["place"]) == [f"log{part}.csv:{line}" for part in (0, 1) for line in (322, 323, 324)]
    assert rejected["reason"].value_counts().to_dict() == {
        "plays is not a number": 2,
        "no user id": 2,
        "plays is NaN": 2,
    }
