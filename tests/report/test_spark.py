"""Samples and sums by real Spark from tables as the contract declares them."""

from __future__ import annotations

import pytest

from musai.config import Report
from musai.report import spark as report
from tests.report.conftest import created

SCHEMAS = {
    "users": "user_index int, user_id string, interactions bigint, plays double",
    "interactions": "user_id string, track_id string, plays double, events bigint, last_event_at timestamp",
    "recommendations": "user_id string, list string, rank int, track_id string, score float, source string, "
    "because_track_id string",
    "tracks": "track_id string, title string, artist string, genre string, language string",
    "rejected_rows": "source string, place string, reason string, raw string",
    "audit_results": "check string, passed boolean, message string",
    "track_emotions": "track_id string, valence float, arousal float, label string, probabilities map<string,float>, "
    "sources array<string>, confidence float",
    "track_embeddings": "track_id string, model string, embedding array<float>, content_hash string",
    "generated_tracks": "generated_id string, created_run_id string, method string, style string, target_style string, "
    "source_track_id string, emotion string, seed bigint, model string, midi binary, duration_s double, notes int, "
    "metrics map<string,double>, originality struct<longest_run:int,copied_share:double,nearest_track_id:string,"
    "verdict:string>, embedding array<float>, valence float, arousal float, licence string, provenance string",
    "generation_metrics": "method string, style string, metric string, generated double, real double, "
    "other_style double",
}
USERS, TRACKS = 30, 50
LATER = ("track_emotions", "track_embeddings", "generated_tracks", "generation_metrics")


def rows(table: str) -> list[tuple]:
    if table == "users":
        return [(n, f"u{n:02d}", n + 1, float(n)) for n in range(USERS)]
    if table == "interactions":
        return [(f"u{n:02d}", f"t{t:02d}", float(t), 1, None) for n in range(USERS) for t in range(20)]
    if table == "recommendations":
        return [
            (f"u{n:02d}", name, rank, f"t{20 + rank}", 1.0, "als", "t01")
            for n in range(USERS) for name in ("for_you", "made_for_you") for rank in range(1, 20)
        ]  # fmt: skip
    if table == "tracks":
        return [(f"t{t:02d}", f"Title {t}", "Artist", "reel", "en") for t in range(TRACKS)]
    if table == "rejected_rows":
        return [("interactions", f"log:{n}", f"reason {n % 10}", "") for n in range(95)]
    if table == "audit_results":
        return [("a", True, "as declared"), ("b", False, "too few")]
    if table == "track_emotions":
        return [(f"t{t:02d}", t / TRACKS, -0.5, "calm" if t else "sad", {}, ["tags"], 0.9) for t in range(TRACKS)]
    if table == "track_embeddings":
        return [
            (f"t{t:02d}", model, [float(t), 1.0], "x") for t in range(TRACKS) for model in ("new", "old")[: 1 + (t < 9)]
        ]
    if table == "generation_metrics":
        return [("rnn", "reel", "pitches", 0.9, 0.95, 0.4)]
    names = [field.split()[0] for field in SCHEMAS[table].split(", ") if field.split()[0] != "embedding"]
    made = [
        created(n, generated_id=f"g{n}", created_run_id=f"r{n // 2}", method=("gan", "rnn")[n % 2]) for n in range(8)
    ]
    at = names.index("valence")
    return [(*(row[name] for name in names[:at]), [0.0], *(row[name] for name in names[at:])) for row in made]


@pytest.fixture(scope="module")
def tables(spark):
    return {name: spark.createDataFrame(rows(name), schema) for name, schema in SCHEMAS.items()}


@pytest.fixture(scope="module")
def gathered(spark, tmp_path_factory):
    def gather(tables, listeners, tracks, created, runs, seed=1):
        """With the tables as the night has them: some are read where they lie, by listener."""
        folder = tmp_path_factory.mktemp("tables")
        for name in ("recommendations", "interactions"):
            tables[name].repartitionByRange(3, "user_id").write.parquet(str(folder / name))
        settings = Report(listeners=listeners, tracks=tracks, created=created, runs=runs)
        return report.gathered(spark, tables.get, lambda name: str(folder / name), settings, seed)

    return gather


@pytest.fixture(scope="module")
def found(gathered, tables):
    return gathered(tables, listeners=6, tracks=20, created=5, runs=3)


def test_samples_are_bounded_drawn_by_seed_and_whole_for_those_drawn(gathered, tables, found):
    listeners = [row["user_id"] for row in found["listeners"]]
    assert len(set(listeners)) == 6
    assert [row["interactions"] for row in found["listeners"]] == sorted(
        (row["interactions"] for row in found["listeners"]), reverse=True
    )
    assert {row["group"] for row in found["listeners"]} == {"light", "medium", "heavy"}
    for user in listeners:
        ranks = [row["rank"] for row in found["lists"] if row["user_id"] == user and row["list"] == "for_you"]
        assert ranks == list(range(1, report.PLACES + 1))
        heard = [row["track_id"] for row in found["heard"] if row["user_id"] == user]
        assert heard == [f"t{t:02d}" for t in range(19, 19 - report.HEARD, -1)]
    assert len(found["lists"]) == 6 * 2 * report.PLACES
    again = gathered(tables, listeners=6, tracks=20, created=5, runs=3, seed=2)
    assert {row["user_id"] for row in again["listeners"]} != set(listeners)


def test_sums_are_of_everything(found):
    assert found["labels"] == [{"label": "calm", "tracks": 49}, {"label": "sad", "tracks": 1}]
    assert len(found["reasons"]) == report.REASONS
    assert found["reasons"][0] == {"source": "interactions", "reason": "reason 0", "rows": 10}
    assert [row["passed"] for row in found["findings"]] == [False, True]
    assert found["verdicts"] == [
        {"method": "gan", "verdict": "original", "tracks": 4}, {"method": "rnn", "verdict": "original", "tracks": 4},
    ]  # fmt: skip


def test_pictures_of_tracks_are_of_the_same_tracks_and_of_one_model(found):
    emotions = {row["track_id"] for row in found["emotions"]}
    assert len(emotions) == 20
    assert set(found["embedded"].track_ids) == emotions
    assert found["embedded"].model == "new"
    assert found["embedded"].vectors.shape == (20, 2)
    assert found["embedded"].vectors[0, 0] == float(found["embedded"].track_ids[0][1:])


def test_the_newest_of_each_method_come_first(found):
    assert [row["generated_id"] for row in found["created"]] == ["g6", "g7", "g4", "g5", "g2"]
    assert "embedding" not in found["created"][0]
    assert found["created"][0]["midi"].startswith(b"MThd")


def test_every_track_that_is_named_is_described(found):
    assert found["tracks"]["t21"]["title"] == "Title 21"
    assert found["tracks"]["t21"]["valence"] == pytest.approx(0.42)
    assert found["tracks"]["t1"] == {}  # the nearest piece of a created track, which the catalogue lacks
    assert {"t0", "t01"} <= set(found["tracks"])


def test_a_created_track_in_a_list_has_a_title(spark, gathered, tables):
    lists = spark.createDataFrame([("u00", "made_for_you", 1, "g3", 1.0, "als", None)], SCHEMAS["recommendations"])
    found = gathered({**tables, "recommendations": lists}, listeners=30, tracks=1, created=1, runs=1)
    assert found["tracks"]["g3"]["artist"] == "MusAI"
    assert found["tracks"]["g3"]["title"].endswith("(happy)")


def test_a_run_may_lack_what_is_made_later(gathered, tables):
    bare = {name: frame for name, frame in tables.items() if name not in (*LATER, "tracks", "rejected_rows")}
    found = gathered(bare, listeners=3, tracks=2, created=1, runs=1)
    assert (found["emotions"], found["embedded"], found["created"]) == (None, None, None)
    assert (found["labels"], found["verdicts"], found["likeness"], found["reasons"]) == ([], [], [], [])
    assert set(found["tracks"]) >= {"t01", "t21"}
    assert len(found["listeners"]) == 3


def test_history_is_read_run_by_run_with_run_ids_that_look_like_numbers(spark, tmp_path):
    for run_id in ("2026-01-01", "007"):
        frame = spark.createDataFrame([(run_id,)], "job string").coalesce(1)
        frame.write.parquet(str(tmp_path / f"job_log/run_id={run_id}"))
    folders = [str(tmp_path / "job_log/run_id=007"), str(tmp_path / "job_log/run_id=2026-01-01")]
    found = report.of_runs(spark, "job string", str(tmp_path / "job_log"), folders, 10)
    assert sorted((row["job"], row["run_id"]) for row in found) == [("007", "007"), ("2026-01-01", "2026-01-01")]
    assert report.of_runs(spark, "job string", str(tmp_path / "job_log"), [], 10) == []
