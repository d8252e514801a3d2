"""Day folders that hold listeners who are to be forgotten: the warehouse is searched, decoded, before and after."""

from __future__ import annotations

import datetime as dt
import pathlib

from musai.days.folders import PASSING
from musai.erasure.forget import find, forget
from musai.erasure.spark import Forgotten
from musai.interactions.spark import ingest
from musai.storage import LocalStorage
from musai.tables import TABLES
from musai.warehouse import Warehouse, begin_record, day_folders, small_file
from tests.erasure.test_forget import naming
from tests.ingested import rows_of

NOW, RUN_DATE = dt.datetime(2022, 1, 1, 12, tzinfo=dt.UTC), dt.date(2021, 12, 31)
GONE = ("secret", "sé")


def test_nothing_of_them_is_left_nor_comes_back(spark, settings, tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").mkdir()
    root, listed = tmp_path / "warehouse", tmp_path / "erased"
    storage = LocalStorage(str(root))
    warehouse, forgotten = Warehouse(storage, settings()), Forgotten(spark, GONE)
    config = settings(f"inputs.interactions={tmp_path}/log", f"inputs.erased_users={listed}")
    listed.write_text("")

    def night(run_id: str) -> dict[str, int]:
        found = ingest(spark, config, RUN_DATE, NOW, None, (storage, run_id))
        return found.counts(sum(row[3] for row in rows_of(found)))

    for run_id, body in {
        "good": b"secret,t,1\nother,t,1\n",
        "bad": b'"s\xc3\xa9",t,0\nother,t,2\n',
        "torn": b"\xff,secret\nother,t,3\n",
        "clean": b"other,t,4\n",
    }.items():
        (tmp_path / f"log/{run_id}.csv").write_bytes(b"user_id,track_id,plays\n" + body)
        counts = night(run_id)
    storage.replace("_days/broken.1/good/part-0", b"")
    assert (counts["used"], counts["rejected"], counts["erased"]) == (5, 2, 0)
    assert {one.run_id: one.rows for one in find(warehouse, forgotten)} == {
        "bad": {"day folder": 1}, "broken": {}, "good": {"day folder": 1}, "torn": {"day folder": 1},
    }  # fmt: skip
    assert naming(root, GONE)
    forget(warehouse, forgotten, grace_s=0)
    assert naming(root, GONE) == []
    assert day_folders.paths(storage) == ["_days/clean.1"]
    listed.write_text("\n".join(GONE))
    counts = night("after")
    assert (counts["used"], counts["rejected"], counts["erased"]) == (4, 1, 2)
    assert naming(root, GONE) == []
    assert find(warehouse, forgotten) == []


def test_what_a_killed_night_had_not_yet_passed_into_its_tables_is_found(spark, settings, tmp_path) -> None:
    """The listener stands in none of the tables, and in what an attempt that was killed had put down for them."""
    config = settings(f"inputs.interactions={tmp_path}/log.csv")
    (tmp_path / "log.csv").write_text("user_id,track_id,plays\nsecret,t,1\nother,t,1\n")
    root = tmp_path / "warehouse"
    storage = LocalStorage(str(root))
    warehouse, forgotten = Warehouse(storage, config), Forgotten(spark, GONE)
    run = warehouse.begin(begin_record(config, "killed", RUN_DATE, [], None))
    ingest(spark, config, RUN_DATE, NOW, None, None, (storage, run.passing(PASSING)))
    heard = {"user_id": "other", "track_id": "t", "plays": 1.0, "events": 1}
    storage.replace(f"{run.folder('interactions')}/part-0.parquet", small_file([heard], TABLES["interactions"]))
    run.seal("interactions", "ingest_interactions", {"rows": 1, "low0": 1, "high0": 2, "low1": 3, "high1": 4})
    assert naming(root, GONE)
    assert [one.run_id for one in find(warehouse, forgotten)] == ["killed"]
    forget(warehouse, forgotten, grace_s=0)
    assert naming(root, GONE) == []
