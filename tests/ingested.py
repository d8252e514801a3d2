"""What an ingest of the listening log gives, as its table would hold it."""

from __future__ import annotations

import pathlib
import tempfile

import pyarrow.parquet as pq

from musai.interactions.spark import Ingested
from musai.tables import TABLES
from musai.warehouse.digests import arrow_schema
from musai.warehouse.task_files import Place


def rows_of(found: Ingested) -> list[tuple]:
    """Rows of interactions in the order of their key, moments in UTC without a zone."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(str(pathlib.Path(folder, "interactions")), arrow_schema(TABLES["interactions"]))
        names = [part["name"] for part in found.stored(place)]
        rows = [row for name in names for row in pq.read_table(f"{place.folder}/{name}").to_pylist()]
    for row in rows:
        row["last_event_at"] = row["last_event_at"] and row["last_event_at"].replace(tzinfo=None)
    keys = [(row["user_id"].encode(), row["track_id"].encode()) for row in rows]
    assert keys == sorted(set(keys)), "in the order of the key, each once"
    return [tuple(row.values()) for row in rows]
