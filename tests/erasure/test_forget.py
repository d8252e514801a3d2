"""Listeners who are to be forgotten: every byte of the warehouse is looked at, decoded, after it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from musai import cli, pipeline
from musai.erasure.forget import find, forget
from musai.erasure.spark import IDS, INDEX, Forgotten
from musai.storage import HadoopStorage, LocalStorage
from musai.tables import TABLES
from musai.warehouse import Run, Warehouse, small_file
from tests.faults.reader import Reader

GONE = ("u00", "u05")  # u00 has rejected rows, too
UNFINISHED = "broken.off"


@pytest.fixture
def root(night, night_folder: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the tiny night's warehouse."""
    return pathlib.Path(shutil.copytree(night_folder / "warehouse", tmp_path / "warehouse"))


@pytest.fixture
def warehouse(root: pathlib.Path, night) -> Warehouse:
    return Warehouse(LocalStorage(str(root)), night.config)


def table(root: pathlib.Path, path: str) -> pd.DataFrame:
    return ds.dataset(root / path, format="parquet", partitioning=None).to_table().to_pandas()


def naming(root: pathlib.Path, ids: tuple[str, ...]) -> list[str]:
    """Every file in which one of the ids stands: names, bytes, and of Parquet the rows and the footers."""
    found = []
    for path in root.rglob("*"):
        text = str(path.relative_to(root))
        if path.suffix == ".parquet":
            text += repr(pq.read_table(path, partitioning=None).to_pylist()) + footer(path)
        elif path.is_file():
            text += path.read_bytes().decode("utf-8", "replace")
        if any(one in text for one in ids):
            found.append(str(path.relative_to(root)))
    return found


def footer(path: pathlib.Path) -> str:
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return repr([group.column(number).statistics for group in groups for number in range(metadata.num_columns)])


def other_runs(warehouse: Warehouse, published: Run, spark) -> None:
    """A run that was broken off, one that never got to them, and what kills leave."""
    for run_id, who in ((UNFINISHED, "true"), ("without.them", "user_id = 'u10'")):
        run = Run(warehouse.storage, dataclasses.replace(published.record, run_id=run_id))
        warehouse.storage.replace(f"_nights/{run_id}/run.json", run.record.to_json())
        run.write(published.read(spark, "interactions").where(who), "interactions", "ingest_interactions")
    message = {"job": "train_als", "attempt": 1, "status": "failed", "message": "no weight of 'u05'"}
    content = small_file([message], TABLES["job_log"])
    warehouse.storage.replace("job_log/run_id=an.older.one/part-train_als-1.parquet", content)
    root = pathlib.Path(warehouse.storage.uri("").removeprefix("file:"))
    shutil.copytree(root / published.folder("users"), root / "users/.1234.deleted")
    shutil.copytree(root / published.folder("users"), root / f"_nights/{UNFINISHED}/evaluation/users")


@pytest.mark.parametrize("kind", ["local", pytest.param("hadoop", marks=pytest.mark.system)])
def test_nothing_of_them_is_left_and_the_others_keep_theirs(root, warehouse, night, spark, kind: str) -> None:
    before = night.outcome.run
    if kind == "hadoop":
        warehouse = Warehouse(HadoopStorage(f"file:{root}", spark), night.config)
    other_runs(warehouse, before, spark)
    assert len(naming(root, GONE)) > 10
    with Reader(root) as reader:
        found = forget(warehouse, Forgotten(spark, GONE), grace_s=0.5)
        reader.look()
    assert naming(root, GONE) == []
    assert set(reader.seen) == {"whole"}
    assert {one.run_id for one in found} == {before.run_id, UNFINISHED, "an.older.one"}
    assert (root / "interactions/run_id=without.them").is_dir()
    pointer = warehouse.pointer()
    assert pointer is not None
    assert pointer == warehouse.pointer(before.record.date)
    assert pointer["run_id"] not in (before.run_id, UNFINISHED)
    after = warehouse.run(pointer["run_id"])
    assert after is not None
    check_rows(night, root, after)
    for job in pipeline.tables.order():
        for one in pipeline.tables.writes(job):
            assert one.kind == "internal" or after.verify(spark, one.name, job) is None
    assert find(warehouse, Forgotten(spark, GONE)) == []


def check_rows(night, root: pathlib.Path, after: Run) -> None:
    """The rows of everybody else are what they were, under dense indexes."""
    for name in ("interactions", "similar_users", "user_factors", "recommendations"):
        was, now = night.table(name), table(root, after.folder(name))
        stays = ~was[[column for column in IDS if column in was]].isin(GONE).any(axis=1)
        assert sorted(map(repr, now.to_dict("records"))) == sorted(map(repr, was[stays].to_dict("records")))
    users = table(root, after.folder("users")).sort_values("user_id")
    assert list(users[INDEX]) == list(range(len(users))) == list(range(38))
    ids = dict(zip(users[INDEX], users["user_id"], strict=True))
    old_ids = night.table("users").set_index(INDEX)["user_id"]
    weights = {(ids[row.user_index], row.item_index, row.weight) for row in each(root, after.folder("user_item"))}
    due = {(old_ids[row.user_index], row.item_index, row.weight) for row in night.table("user_item").itertuples()}
    assert weights == {row for row in due if row[0] not in GONE}
    vectors = {row.user_id: list(row.factors) for row in each(root, after.folder("user_factors"))}
    by_index = [row for row in each(root, after.folder("als_factors")) if row.side == "user"]
    assert {ids[row.row_index]: list(row.factors) for row in by_index} == vectors
    manifest = after.manifest("rejected_rows", "ingest_interactions")
    assert manifest is not None
    assert manifest["counts"]["used"] == table(root, after.folder("interactions"))["events"].sum()
    assert manifest["counts"]["erased"] == 640 - manifest["counts"]["used"] > 0
    assert list(table(root, after.folder("rejected_rows"))["raw"]).count("[erased]") == 2


def each(root: pathlib.Path, path: str) -> Iterator:
    return table(root, path).itertuples()


@pytest.mark.system  # many removals, each with a night's tables written anew: minutes
def test_killed_at_any_point_the_same_call_goes_on(root, warehouse, night, spark, monkeypatch) -> None:
    """In the middle of a copy, between the two pointers, and in the middle of the removal."""
    real_write, real_delete, calls = Run.write, LocalStorage.delete, []

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def write(self: Run, *rest: object) -> object:
        calls.append(self.run_id)
        if len(calls) > 3:
            killed()
        return real_write(self, *rest)

    def delete(self: LocalStorage, path: str) -> None:
        killed() if path == f"user_factors/run_id={night.outcome.run.run_id}" else real_delete(self, path)

    with Reader(root) as reader:
        for owner, name, instead in (
            (Run, "write", write), (Warehouse, "move_main_pointer", killed), (LocalStorage, "delete", delete),
        ):  # fmt: skip
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, instead)
                with pytest.raises(KeyboardInterrupt):
                    forget(warehouse, Forgotten(spark, ("u05",)), grace_s=0.5)
            assert naming(root, ("u05",))
        forget(warehouse, Forgotten(spark, ("u05",)), grace_s=0.5)
        reader.look()
    assert naming(root, ("u05",)) == []
    assert set(reader.seen) == {"whole"}


def test_dry_run_tells_and_changes_nothing(root, spark, tmp_path, capsys) -> None:
    before = sorted(str(path) for path in root.rglob("*"))
    (tmp_path / "ids").write_text("u05\nnobody\n")
    assert cli.main(["forget", "u07", f"warehouse={root}", "--file", str(tmp_path / "ids"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "recommendations" in said
    assert "3 of these ids are not in a file that inputs.erased_users names" in " ".join(said.split())
    assert sorted(str(path) for path in root.rglob("*")) == before
    assert cli.main(["forget", "nobody", f"warehouse={root}", "--dry-run"]) == 0
    assert "no kept run holds them" in capsys.readouterr().out
    assert cli.main(["forget", f"warehouse={root}"]) == 2


def test_every_column_that_can_name_a_listener_is_known() -> None:
    """A new table with a column like `listener_id` has to be given its place in `musai/erasure/spark.py`."""
    for one in TABLES.values():
        for column in one.column_names:
            if "user" in column or "listener" in column:
                known = (*IDS, INDEX, "users", "listeners")  # the last two: counts and groups in figures
                assert column in known, f"{one.name}.{column}"
    assert json.dumps([column.name for column in TABLES["als_factors"].columns]) == '["side", "row_index", "factors"]'
