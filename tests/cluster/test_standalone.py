"""The bundle on a real standalone cluster, whose workers know nothing of the project."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from musai import provenance
from tests import nights
from tests.cluster.standalone import BUNDLE, CORES, Cluster, Host, namespaces, started

pytestmark = [pytest.mark.system, pytest.mark.slow]

PROBE = pathlib.Path(__file__).with_name("probe.py")
NIGHTLY = BUNDLE / "jobs/nightly.py"


@pytest.fixture(scope="module", params=["loopback", "namespaces"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    assert (BUNDLE / "environment.tar.gz").is_file(), "make bundle makes what this test submits"
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "loopback":
        with started(Host(folder / "driver"), [Host(folder / "first"), Host(folder / "second")]) as made:
            yield made
    elif os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2 (apt-get install iproute2)")
    else:
        with namespaces(folder) as (driver, *workers), started(driver, workers) as made:
            yield made
    shutil.rmtree(folder)  # the unpacked environments are gigabytes


def manifests(warehouse: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
    """Those of every table of the published run, but for the log, which holds times."""
    tables = json.loads((warehouse / "_published.json").read_text())["tables"]
    return {
        name: [json.loads(file.read_text()) for file in sorted((warehouse / entry["path"]).rglob("_manifest.json"))]
        for name, entry in tables.items()
        if name != "job_log"
    }


def events(folder: pathlib.Path) -> list[dict[str, Any]]:
    [file] = folder.iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_task_of_an_executors_own_has_its_cores_and_its_card(cluster: Cluster) -> None:
    options = [
        "--conf", f"spark.pyspark.python={BUNDLE}/environment/bin/python",
        "--conf", "spark.executor.resource.gpu.amount=1",
    ]  # fmt: skip
    found = json.loads(cluster.submit(PROBE, options=options).splitlines()[-1])
    assert found["threads"] == CORES
    assert found["cards"] in ("5", "6")
    assert found["package"].startswith(f"{BUNDLE}/environment/")
    assert any(pathlib.Path(found["folder"]).is_relative_to(worker.folder / "work") for worker in cluster.workers)
    assert found["name"] == "on the cluster"


def test_a_night_from_the_bundle_gives_the_tables_of_a_local_one(
    cluster: Cluster, night: nights.Made, night_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Alike but for the master: one digest a table. The workers have it all from the archive."""
    options = [
        "--archives", f"{BUNDLE}/environment.tar.gz#environment",
        "--conf", "spark.pyspark.python=./environment/bin/python",
        "--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={tmp_path}",
        "--conf", "spark.eventLog.rolling.enabled=false", "--conf", "spark.eventLog.compress=false",
    ]  # fmt: skip
    warehouse = cluster.master.folder / "warehouse"
    overrides = [*nights.overrides_of(night_folder), f"warehouse={warehouse}"]
    printed = cluster.submit(NIGHTLY, "--run-id", "on-the-cluster", *overrides, options=options)
    assert "published on-the-cluster" in printed

    ours, theirs = manifests(pathlib.Path(night.config.warehouse.path)), manifests(warehouse)
    assert ours.keys() == theirs.keys() >= {"user_factors", "similar_tracks", "recommendations"}
    assert {m["code"] for found in theirs.values() for m in found} == {provenance.code_version()}, "make bundle again"
    for table in ours:
        assert [m["digest"] for m in theirs[table]] == [m["digest"] for m in ours[table]], table

    for worker in cluster.workers:
        assert any(worker.folder.glob("work/app-*/*/environment/bin/python")), f"{worker.folder} had no part in it"
    happened = events(tmp_path)
    profiles = {
        event["Resource Profile Id"]: event["Task Resource Requests"]["cpus"]["Amount"]
        for event in happened
        if event["Event"] == "SparkListenerResourceProfileAdded"
    }
    alone = [
        event["Stage Info"]
        for event in happened
        if event["Event"] == "SparkListenerStageCompleted"
        and profiles[event["Stage Info"]["Resource Profile Id"]] == CORES
    ]
    assert len(alone) >= 2  # train_als of the night, and of its evaluation
    assert {stage["Number of Tasks"] for stage in alone} == {1}
