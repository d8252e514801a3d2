"""`musai.read`: the published rows by pandas, Arrow and Spark alike."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import musai
from musai.errors import InputError


def test_one_listeners_list_is_the_same_by_every_engine(night, spark):
    warehouse, where = night.config.warehouse.path, {"user_id": "u03", "list": "for_you"}
    columns = ["rank", "track_id"]
    frame = musai.read("recommendations", warehouse=warehouse, columns=columns, where=where)
    assert list(frame.columns) == columns
    every = night.table("recommendations").query("user_id == 'u03' and list == 'for_you'")
    due = sorted(zip(every["rank"], every["track_id"], strict=True))
    assert sorted(frame.itertuples(index=False, name=None)) == due
    arrow = musai.read("recommendations", warehouse=warehouse, as_="arrow", columns=columns, where=where)
    assert arrow.to_pandas().equals(frame)
    spark_rows = musai.read(
        "recommendations", warehouse=warehouse, as_="spark", columns=columns, where=where, session=spark
    )
    assert sorted(map(tuple, spark_rows.collect())) == due


def test_history_comes_with_the_run_as_text(night, spark):
    warehouse, run_id = night.config.warehouse.path, night.outcome.run.run_id
    log = musai.read("job_log", warehouse=warehouse)
    assert set(log["run_id"]) == {run_id}
    assert set(log["job"]) == set(night.outcome.seconds)
    frame = musai.read("job_log", warehouse=warehouse, as_="spark", where={"run_id": run_id}, session=spark)
    assert frame.schema["run_id"].dataType.simpleString() == "string"
    assert frame.count() == len(log)


def test_a_table_of_several_writers_has_its_own_columns_alone(night):
    rows = musai.read("rejected_rows", warehouse=night.config.warehouse.path)
    assert list(rows.columns) == ["source", "place", "reason", "raw"]
    assert (rows["source"] == "interactions").sum() == 6


def test_the_run_of_a_date(night):
    warehouse, date = night.config.warehouse.path, night.outcome.run.record.run_date
    assert len(musai.read("users", warehouse=warehouse, run_date=date)) == 40
    with pytest.raises(InputError, match="no run of 1999-01-01 is published yet"):
        musai.read("users", warehouse=warehouse, run_date=dt.date(1999, 1, 1))


def test_each_call_looks_up_what_is_published(tmp_path):
    def publish(run_id: str, plays: float) -> None:
        folder = f"interactions/run_id={run_id}"
        (tmp_path / folder).mkdir(parents=True)
        rows = {"user_id": ["u"], "track_id": ["t"], "plays": [plays], "events": [1], "last_event_at": [None]}
        types = pa.schema(
            [("user_id", pa.string()), ("track_id", pa.string()), ("plays", pa.float64()), ("events", pa.int64()),
             ("last_event_at", pa.timestamp("us", "UTC"))]
        )  # fmt: skip
        pq.write_table(pa.table(rows, types), tmp_path / folder / "part-0.parquet")
        tables = {"interactions": {"run_id": run_id, "path": folder}}
        pointer = {"run_id": run_id, "run_date": "2026-01-01", "report": None, "tables": tables}
        (tmp_path / "_published.json").write_text(json.dumps(pointer))

    def plays() -> list[float]:
        return musai.read("interactions", warehouse=tmp_path, where={"user_id": "u"})["plays"].tolist()

    publish("first", 1.0)
    assert plays() == plays() == [1.0]
    publish("second", 2.0)
    assert plays() == [2.0]


def test_what_is_not_there_is_named(night, tmp_path):
    warehouse = night.config.warehouse.path
    with pytest.raises(InputError, match="userz: no such table"):
        musai.read("userz", warehouse=warehouse)
    with pytest.raises(InputError, match="users: no column plais; they are user_index, user_id, interactions, plays"):
        musai.read("users", warehouse=warehouse, where={"plais": 1})
    with pytest.raises(InputError, match="nothing is published yet"):
        musai.read("users", warehouse=tmp_path)
    with pytest.raises(InputError, match='only Spark reaches it; say as_="spark"'):
        musai.read("users", warehouse="hdfs://name/musai")
    with pytest.raises(AttributeError, match="has no attribute 'reed'"):
        musai.reed  # noqa: B018
