"""Whole nights by the pipeline: the same tables whatever the partitions, --from, --only, a second run of a date."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import shutil

import pytest

from musai import pipeline, storage, tables
from musai.errors import AuditRefused, InputError
from musai.warehouse import Warehouse, begin_record, processes
from tests.nights import run, settings_of

NO_EVALUATION = "evaluation.min_tracks=1000"


@pytest.fixture(scope="module")
def second(spark, night, night_folder):
    """The same night again: other partitions, other warehouse, then broken off by hand in several ways."""
    return run(settings_of(night_folder, f"warehouse={night_folder / 'again'}", "spark.shuffle_partitions=5"))


def test_two_runs_give_the_same_digests_whatever_the_partitions(night, second):
    assert second.outcome.run.run_id != night.outcome.run.run_id
    assert second.outcome.digests() == night.outcome.digests()
    assert len(night.outcome.digests()) == 16


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
    assert set(made.outcome.kept) == set(tables.order()) - set(made.outcome.seconds)
    assert list(made.outcome.seconds) == [
        "compute_similarities", "recommend_tracks", "evaluate_recommendations", "audit_run", "build_report",
        "publish",
    ]  # fmt: skip
    assert made.outcome.digests() == before
    assert made.outcome.published


def test_what_the_audit_refuses_is_not_published_until_its_bounds_are_widened(spark, second, night_folder, tmp_path):
    """On the next date a quarter of the listeners is left."""
    warehouse = pathlib.Path(second.config.warehouse.path)
    before = (warehouse / "_published.json").read_bytes()
    log = (night_folder / "logs" / "log0.csv").read_text().splitlines()
    (tmp_path / "log.csv").write_text("\n".join(line for line in log if line < "u10" or line.startswith("user_id")))
    fewer = [f"warehouse={warehouse}", f"inputs.interactions={tmp_path}/log.csv", NO_EVALUATION]
    next_date = second.outcome.run.record.date + dt.timedelta(days=1)
    with pytest.raises(AuditRefused, match=r"users: against the parent run: 10, 40 before"):
        run(settings_of(night_folder, *fewer), run_date=next_date)
    assert (warehouse / "_published.json").read_bytes() == before
    assert not (warehouse / "_runs" / f"{next_date}.json").exists()
    wider = settings_of(night_folder, *fewer, "audit.max_users_drop=1", "audit.min_list_overlap=0")
    made = run(wider, run_date=next_date, from_job="audit_run")
    assert list(made.outcome.seconds) == ["audit_run", "build_report", "publish"]
    assert made.outcome.published
    assert second.outcome.run.run_id.encode() not in (warehouse / "_published.json").read_bytes()


def test_only_in_a_run_that_lacks_what_the_job_needs_is_unusable(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'only'}")
    with pytest.raises(InputError, match=r"train_als: run .* lacks user_item, which build_user_item writes"):
        run(config, only=("train_als",), run_id="r1")
    assert not (night_folder / "only" / "_nights" / "r1").exists()
    with pytest.raises(InputError, match="no job nonsense"):
        run(config, only=("nonsense",))
    with pytest.raises(InputError, match="no unpublished run"):
        run(settings_of(night_folder, f"warehouse={night_folder / 'none'}"), from_job="train_als")
    with pytest.raises(InputError, match="--from train_als: there is no run nosuch to go on with"):
        run(settings_of(night_folder, f"warehouse={night_folder / 'none'}"), from_job="train_als", run_id="nosuch")
    assert not (night_folder / "none" / "_nights").exists()


def test_a_run_that_another_process_works_on_is_not_gone_on_with(spark, night_folder, tmp_path):
    config = settings_of(night_folder, f"warehouse={tmp_path}")
    store = storage.at(str(tmp_path), spark)
    Warehouse(store, config).begin(begin_record(config, "r1", dt.date(2026, 1, 1), [], None))
    parent = {**processes.here(), "pid": os.getppid(), "born": processes._born(os.getppid())}
    store.replace(f"_nights/r1/{processes.AT_WORK}/x.json", json.dumps({"process": parent, "since": "dusk"}).encode())
    worked_on = rf"run r1 is being worked on by process {os.getppid()} since dusk"
    with pytest.raises(InputError, match=worked_on):
        run(config, from_job="train_als", run_id="r1")
    with pytest.raises(InputError, match=worked_on):
        run(config, only=("train_als",), run_date=dt.date(2026, 1, 1))


@pytest.mark.parametrize(("age_s", "known"), [(pipeline.SETTLED_S + 5, 1), (5, 0)])
def test_what_changed_just_before_a_run_is_looked_at_again(night_folder, tmp_path, age_s: float, known: int):
    """Its content may have changed once more at what the disk calls the same time."""
    config = settings_of(night_folder, f"warehouse={tmp_path}")
    warehouse = Warehouse(storage.at(str(tmp_path)), config)
    changed_ns = int((dt.datetime.now(dt.UTC).timestamp() - age_s) * 1e9)
    entry = {"file": "interactions/a.csv", "size": 1, "changed_ns": changed_ns, "sha256": "x"}
    warehouse.publish(warehouse.begin(begin_record(config, "r1", dt.date(2026, 1, 1), [entry], None)))
    assert pipeline._settled(warehouse) == [entry] * known


def test_only_runs_its_jobs_and_a_changed_configuration_is_unusable(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'only'}", NO_EVALUATION)
    made = run(config, only=("ingest_tracks",), run_id="r2")
    assert list(made.outcome.seconds) == ["ingest_tracks"]
    assert not made.outcome.published
    other = settings_of(night_folder, f"warehouse={night_folder / 'only'}", NO_EVALUATION, "seed=7")
    with pytest.raises(InputError, match="configuration changed"):
        run(other, only=("ingest_tracks",), run_id="r2")


def test_a_run_keeps_to_the_files_it_began_with(spark, night_folder, tmp_path):
    """A file that is delivered later is the next run's; one that changes under the run makes it unusable."""
    log = tmp_path / "log"
    shutil.copytree(night_folder / "logs", log)
    config = settings_of(night_folder, f"warehouse={tmp_path / 'warehouse'}", f"inputs.interactions={log}")
    run(config, only=("ingest_tracks",), run_id="r")
    (log / "log2.csv").write_text("user_id,track_id\nlate,t00\n")
    made = run(config, only=("ingest_interactions",), run_id="r")
    assert "late" not in set(made.table("interactions")["user_id"])
    assert len(set(made.table("interactions")["user_id"])) == 40
    (log / "log1.csv").write_text("user_id,track_id\n")
    with pytest.raises(InputError, match=r"an input changed since it began: interactions/log1.csv has changed$"):
        run(config, only=("build_user_item",), run_id="r")


def test_too_many_rejects_stop_the_run_before_anything_is_published(spark, night_folder):
    config = settings_of(night_folder, f"warehouse={night_folder / 'dirty'}", "ingest.max_rejected_share=0.001")
    with pytest.raises(InputError, match=r"inputs.interactions: 6 of 646 rows .*ingest.max_rejected_share"):
        run(config)
    assert not (night_folder / "dirty" / "_published.json").exists()
