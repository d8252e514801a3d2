"""Whole nights by the pipeline: the same tables whatever the partitions, --from, --only, a second run of a date."""

from __future__ import annotations

import pathlib

import pytest

from musai.errors import InputError
from tests.nights import run, settings_of

NO_EVALUATION = "evaluation.min_tracks=1000"


@pytest.fixture(scope="module")
def second(spark, night, night_folder):
    """The same night again: other partitions, other warehouse, then broken off by hand in several ways."""
    return run(settings_of(night_folder, f"warehouse={night_folder / 'again'}", "spark.shuffle_partitions=5"))


def test_two_runs_give_the_same_digests_whatever_the_partitions(night, second):
    assert second.outcome.run.run_id != night.outcome.run.run_id
    assert second.outcome.digests() == night.outcome.digests()
    assert len(night.outcome.digests()) == 13


def test_from_keeps_what_verifies_and_does_the_rest_again(spark, second, night_folder):
    """A run whose pointer is gone counts as unpublished; one of its tables is damaged on top."""
    warehouse = pathlib.Path(second.config.warehouse.path)
    for pointer in (warehouse / "_published.json", *(warehouse / "_runs").glob("*.json")):
        pointer.unlink()
    (warehouse / "_nights" / second.outcome.run.run_id / "state.json").unlink(missing_ok=True)
    before = second.outcome.digests()
    parts = (warehouse / f"similar_users/run_id={second.outcome.run.run_id}").glob("part-*.parquet")
    max(parts, key=lambda part: part.stat().st_size).unlink()
    made = run(second.config, from_job="recommend_tracks")
    assert made.outcome.run.run_id == second.outcome.run.run_id
    assert made.outcome.kept == [
        "ingest_interactions", "build_user_item", "ingest_tracks", "train_als", "embed_tracks", "predict_factors",
    ]  # fmt: skip
    assert list(made.outcome.seconds) == [
        "compute_similarities", "recommend_tracks", "evaluate_recommendations", "audit_run", "publish",
    ]  # fmt: skip
    assert made.outcome.digests() == before
    assert made.outcome.published


def test_only_in_a_run_that_lacks_what_the_job_needs_is_unusable(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'only'}")
    with pytest.raises(InputError, match=r"train_als: run .* lacks user_item, which build_user_item writes"):
        run(config, only=("train_als",), run_id="r1")
    with pytest.raises(InputError, match="no job nonsense"):
        run(config, only=("nonsense",))
    with pytest.raises(InputError, match="there is no unpublished run"):
        run(settings_of(night_folder, f"warehouse={night_folder / 'none'}"), from_job="train_als")


def test_only_runs_its_jobs_and_a_changed_configuration_is_unusable(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'only'}", NO_EVALUATION)
    made = run(config, only=("ingest_tracks",), run_id="r2")
    assert list(made.outcome.seconds) == ["ingest_tracks"]
    assert not made.outcome.published
    other = settings_of(night_folder, f"warehouse={night_folder / 'only'}", NO_EVALUATION, "seed=7")
    with pytest.raises(InputError, match="configuration changed"):
        run(other, only=("ingest_tracks",), run_id="r2")


def test_too_many_rejects_stop_the_run_before_anything_is_published(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'dirty'}", "ingest.max_rejected_share=0.001")
    with pytest.raises(InputError, match=r"inputs.interactions: 6 of 646 rows .*ingest.max_rejected_share"):
        run(config)
    assert not (night_folder / "dirty" / "_published.json").exists()
