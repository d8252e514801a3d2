"""`musai.read`: a published table for who works on with it, by name and without knowing where it lies."""

from __future__ import annotations

import datetime as dt
import functools
import operator
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from musai.errors import InputError
from musai.storage import at, needs_session
from musai.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyspark.sql import DataFrame, SparkSession

    from musai.config import Config

Path = str | os.PathLike[str]


@overload
def read(
    table: str, *, warehouse: Path = ..., as_: Literal["pandas"] = ..., columns: Sequence[str] | None = ...,
    where: Mapping[str, Any] | None = ..., run_date: dt.date | str | None = ..., session: None = ...,
) -> pd.DataFrame: ...  # fmt: skip
@overload
def read(
    table: str, *, warehouse: Path = ..., as_: Literal["arrow"], columns: Sequence[str] | None = ...,
    where: Mapping[str, Any] | None = ..., run_date: dt.date | str | None = ..., session: None = ...,
) -> pa.Table: ...  # fmt: skip
@overload
def read(
    table: str, *, warehouse: Path = ..., as_: Literal["spark"], columns: Sequence[str] | None = ...,
    where: Mapping[str, Any] | None = ..., run_date: dt.date | str | None = ..., session: SparkSession | None = ...,
) -> DataFrame: ...  # fmt: skip
def read(
    table: str,
    *,
    warehouse: Path = "var/warehouse",
    as_: Literal["pandas", "arrow", "spark"] = "pandas",
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    run_date: dt.date | str | None = None,
    session: SparkSession | None = None,
) -> pd.DataFrame | pa.Table | DataFrame:
    """The published rows of a table; those of a history table are of all kept runs, with `run_id` beside them.

    warehouse: a folder, or a URI that Spark reaches (as_="spark" alone). columns: those wanted, in that order; all by
    default. where: column -> the value it must have; Parquet's statistics spare reading most of a table that is sorted
    by it, such as `recommendations` by `user_id`. run_date: the published run of that date; by default the newest.
    session: of as_="spark"; without one, MusAI starts its own or takes the active one.

    Each call looks up what is published. What a published folder holds never changes, so it is opened once in a
    process: a list of one listener takes a few milliseconds from the second call on.

    Raises InputError where nothing is published, or where there is no such table or column.
    """
    from musai.warehouse import Warehouse

    root = os.fspath(warehouse)
    if as_ != "spark" and needs_session(root):
        raise InputError(f'{root}: only Spark reaches it; say as_="spark"')
    config = _config(root)
    if as_ == "spark" and session is None:
        from musai import session as sessions

        session = sessions.build(config)
    published = Warehouse(at(root, session), config)
    date = dt.date.fromisoformat(run_date) if isinstance(run_date, str) else run_date
    folder = published.published_folder(table, date)
    grows = TABLES[table].kind == "history"
    known = [*TABLES[table].column_names, *(["run_id"] if grows else [])]
    if unknown := sorted({*(columns or ()), *(where or ())} - set(known)):
        raise InputError(f"{table}: no column {', '.join(unknown)}; they are {', '.join(known)}")
    if as_ == "spark":
        assert session is not None
        return _of_spark(session, table, published.storage.spark_uri(folder), columns or known, where or {})
    opened = _opened.__wrapped__ if grows else _opened
    rows = _of_arrow(opened(published.storage.uri(folder)), columns or known, where or {})
    return rows if as_ == "arrow" else rows.to_pandas()


@functools.lru_cache(maxsize=16)
def _config(root: str) -> Config:
    """Only its warehouse matters here; reading all of base.yaml takes thirty times as long as a list."""
    from musai import config as configuration

    return configuration.load([], [f"warehouse={root}"])


@functools.lru_cache(maxsize=64)
def _opened(path: str) -> ds.Dataset:
    """The files of a folder with their footers, so that a filter knows without reading which row groups it needs."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    runs = ds.partitioning(pa.schema([("run_id", pa.string())]), flavor="hive")
    dataset = ds.dataset(path, format="parquet", partitioning=runs)
    for fragment in dataset.get_fragments():
        fragment.ensure_complete_metadata()
    return dataset


def _of_arrow(dataset: ds.Dataset, columns: Sequence[str], where: Mapping[str, Any]) -> pa.Table:
    import pyarrow.compute as pc

    conditions = [pc.field(name) == value for name, value in where.items()]
    chosen = functools.reduce(operator.and_, conditions) if conditions else None
    return dataset.to_table(list(columns), filter=chosen, use_threads=chosen is None)  # a few rows: threads cost more


def _of_spark(
    session: SparkSession, table: str, path: str, columns: Sequence[str], where: Mapping[str, Any]
) -> DataFrame:
    from musai.warehouse.digests import schema_of

    schema = schema_of(TABLES[table])
    if "run_id" in (*columns, *where):
        schema = schema.add("run_id", "string")  # from the path; without it Spark would guess a type
    frame = session.read.schema(schema).parquet(path)
    for name, value in where.items():
        frame = frame.where(frame[name] == value)
    return frame.select(*columns)
