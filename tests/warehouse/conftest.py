"""A warehouse in a folder, and nights in it that take no Spark: tables of a few rows with true manifests."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musai.config import Config
from musai.storage import LocalStorage
from musai.tables import TABLES
from musai.warehouse import Run, Warehouse, begin_record

NIGHTLY = ("interactions", "users", "recommendations")


def day(number: int) -> dt.date:
    return dt.date(2026, 1, 1) + dt.timedelta(days=number - 1)


class Nights:
    """Runs whose tables hold one row each: the run's id."""

    def __init__(self, root: pathlib.Path, config: Config) -> None:
        self.root = root
        self.config = config
        self.warehouse = Warehouse(LocalStorage(str(root)), config)

    def begin(self, number: int, run_id: str | None = None, inputs: Iterable[tuple[str, str]] = ()) -> Run:
        replaces = (self.warehouse.pointer(day(number)) or {}).get("run_id")
        snapshot = [{"file": name, "digest": digest} for name, digest in inputs]
        record = begin_record(self.config, run_id, day(number), snapshot, replaces)
        return self.warehouse.begin(record)

    def fill(self, run: Run, tables: Iterable[str] = NIGHTLY) -> Run:
        for table in tables:
            folder = pathlib.Path(run.storage.uri(run.folder(table, TABLES[table].writer)))
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"run": [run.run_id]}), folder / "part-0.parquet")
            run.seal(table, TABLES[table].writer, {"rows": 1, "low0": 1, "high0": 2, "low1": 3, "high1": 4})
        return run

    def publish(self, number: int, run_id: str | None = None, tables: Iterable[str] = NIGHTLY) -> Run:
        run = self.fill(self.begin(number, run_id), tables)
        self.warehouse.publish(run)
        return run


@pytest.fixture
def nights(tmp_path: pathlib.Path, settings) -> Nights:
    return Nights(tmp_path / "warehouse", settings())
