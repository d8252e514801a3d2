"""Incremental nights: which files they read, and that what comes of it is what reading all of them gives."""

from __future__ import annotations

import datetime as dt
import gzip
import pathlib
import random
import shutil
from collections.abc import Mapping

import pyarrow.parquet as pq
import pytest

from musai.days import spark as days
from musai.errors import MusaiError
from musai.inputs import files
from musai.interactions.spark import ingest
from musai.storage import LocalStorage
from musai.warehouse import day_folders
from tests.ingested import rows_of

NOW, RUN_DATE = dt.datetime(2022, 1, 1, 12, tzinfo=dt.UTC), dt.date(2021, 12, 31)
HEADER = "user_id,track_id,plays,event,timestamp"
LOG = {
    "1.csv": f"{HEADER}\nu,t,1,play,2021-12-30\nv,t,1.5,like,2021-12-30T23:30:00Z\nu,t,x,play,\n\nw,s,1,play,\n",
    "2.jsonl": '{"user_id": "u", "track_id": "t", "timestamp": "2021-12-31"}\n{"user_id": "w", "track_id": ""}\n',
}
CELLS = [["u", "v", "w", ""], ["t", "s"], ["", "1", "0.1", "x", "0", "1e8"], ["play", "like", "skip", "hm"]]
CELLS += [[f"2021-12-{day}T{hour}:00" for day in range(20, 32) for hour in ("00", "12", "23")]]


class Nights:
    """A log and a warehouse; each night says which files it read."""

    def __init__(self, spark, settings, folder: pathlib.Path) -> None:
        self.spark, self.settings, self.log = spark, settings, folder / "log"
        self.storage = LocalStorage(str(folder / "kept"))
        self.ran = 0

    def deliver(self, contents: Mapping[str, str | bytes]) -> None:
        self.log.mkdir(exist_ok=True)
        for name, content in contents.items():
            (self.log / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def night(self, *overrides: str, now: dt.datetime = NOW, run_date: dt.date = RUN_DATE) -> list[str]:
        """Files that were read."""
        self.ran += 1
        run_id = f"run{self.ran}"
        self.asked = (self.settings(f"inputs.interactions={self.log}", *overrides), run_date, now)
        self.rows, self.counts, self.rejected = self.ingested((self.storage, run_id))
        held = day_folders.manifests(self.storage).get(f"_days/{run_id}.1")
        return sorted(file["name"] for file in held["files"].values()) if held else []

    def ingested(self, keep: tuple[LocalStorage, str] | None) -> tuple[list[tuple], dict[str, int], list[tuple]]:
        found = ingest(self.spark, *self.asked, None, keep)
        rows = rows_of(found)
        counts = found.counts(sum(row[3] for row in rows))
        assert counts["read"] == sum(counts[name] for name in ("used", "rejected", "outside", "erased"))
        rejected = sorted(tuple(row) for row in found.rejected().collect())
        found.release()
        return rows, counts, rejected

    def is_as_read_anew(self) -> bool:
        return (self.rows, self.counts, self.rejected) == self.ingested(None)


@pytest.fixture
def nights(spark, settings, tmp_path: pathlib.Path):
    yield Nights(spark, settings, tmp_path)
    spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_only_what_is_new_or_changed_is_read(nights) -> None:
    nights.deliver(LOG)
    assert nights.night() == ["1.csv", "2.jsonl"]
    assert nights.night() == []
    assert (nights.counts["used"], nights.counts["rejected"], nights.counts["blank"]) == (4, 2, 1)
    nights.deliver({"3.csv": f"{HEADER}\nlate,t,1,play,2021-12-01\nu,t,2,play,2021-12-31\n"})
    assert nights.night() == ["3.csv"]
    assert ("u", "t", 4.0, 3, dt.datetime(2021, 12, 31)) in nights.rows  # noqa: DTZ001
    (nights.log / "1.csv").rename(nights.log / "0.csv")
    assert nights.night() == []
    assert [place for _, place, _, _ in nights.rejected] == ["0.csv:4", "2.jsonl:2"]
    nights.deliver({"0.csv": f"{HEADER}\nu,t,1,play,2021-12-30\n"})
    assert nights.night() == ["0.csv"]
    (nights.log / "3.csv").unlink()
    assert nights.night() == []
    assert nights.rows == [("u", "t", 2.0, 2, dt.datetime(2021, 12, 31))]  # noqa: DTZ001
    assert nights.is_as_read_anew()


def test_a_late_event_goes_to_its_own_day(nights) -> None:
    """What an old day's event counts is seen when the window moves over its day, not over that of its delivery."""
    nights.deliver({"1.csv": f"{HEADER}\nu,t,1,play,2021-12-30\n"})
    window = "ingest.window_days=2"
    nights.night(window, run_date=dt.date(2021, 12, 30))
    nights.deliver({"2.csv": f"{HEADER}\nu,t,1,play,2021-12-30\nu,s,1,play,2021-12-31\n"})
    assert nights.night(window) == ["2.csv"]
    assert [row[:4] for row in nights.rows] == [("u", "s", 1.0, 1), ("u", "t", 2.0, 2)]
    assert nights.night(window, run_date=dt.date(2022, 1, 1), now=NOW + dt.timedelta(days=2)) == []
    assert [row[:4] for row in nights.rows] == [("u", "s", 1.0, 1)]
    assert nights.counts["outside"] == 2
    assert nights.is_as_read_anew()
    assert nights.night(window, run_date=dt.date(2021, 12, 30)) == []
    assert [row[:4] for row in nights.rows] == [("u", "t", 2.0, 2)]


def test_a_file_that_is_delivered_twice_counts_once(nights) -> None:
    nights.deliver({**LOG, "again.csv": LOG["1.csv"]})
    assert nights.night() == ["1.csv", "2.jsonl"]
    assert (nights.counts["files"], nights.counts["repeated_files"], nights.counts["used"]) == (3, 1, 4)
    nights.deliver({"0.csv": LOG["1.csv"]})
    assert nights.night() == []
    assert (nights.counts["files"], nights.counts["repeated_files"], nights.counts["used"]) == (4, 2, 4)
    assert nights.is_as_read_anew()
    assert [place for _, place, _, _ in nights.rejected] == ["0.csv:4", "2.jsonl:2"]


def test_what_is_judged_otherwise_is_read_anew_and_the_rest_is_not(nights, tmp_path: pathlib.Path) -> None:
    nights.deliver(LOG)
    (tmp_path / "aliases.csv").write_text("bad_id,good_id\nt,T\n,x\n")
    nights.night()
    assert nights.night(f"inputs.aliases={tmp_path}/aliases.csv", "ingest.window_days=1") == []
    assert {row[1] for row in nights.rows} == {"T", "s"}
    assert nights.counts["outside"] == 2
    assert nights.is_as_read_anew()
    assert nights.night("ingest.time_zone=Asia/Tokyo") == ["1.csv", "2.jsonl"]
    assert nights.night("ingest.event_weights={play: 2}") == ["1.csv", "2.jsonl"]
    assert sum(row[2] for row in nights.rows) == 3 * 2 + 1.5 * 3
    assert nights.night() == [], "what was kept under the first settings is there still"


def test_the_clock_decides_what_is_in_the_future(nights) -> None:
    nights.deliver({**LOG, "3.csv": f"{HEADER}\nu,t,1,play,2022-01-03\nu,t,1,play,2031-01-01\n"})
    assert nights.night() == ["1.csv", "2.jsonl", "3.csv"]
    assert nights.counts["rejected"] == 4
    assert nights.night(now=NOW + dt.timedelta(hours=11)) == []
    assert nights.night(now=NOW + dt.timedelta(hours=12)) == ["3.csv"]
    assert (nights.counts["rejected"], nights.counts["outside"]) == (3, 1)
    assert nights.is_as_read_anew()
    assert nights.night(now=NOW + dt.timedelta(days=30)) == []
    assert nights.night(now=NOW - dt.timedelta(days=3)) == ["1.csv", "2.jsonl"], "a clock that went back"


def held(nights) -> str:
    """All that the day folders say, decoded."""
    found = ""
    for path in (pathlib.Path(nights.storage.root) / day_folders.ROOT).rglob("*"):
        found += repr(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.name
    return found


def test_erased_users_are_left_out_and_not_even_kept(nights, tmp_path: pathlib.Path) -> None:
    listed = tmp_path / "erased"
    erased = f"inputs.erased_users={listed}"
    log = [HEADER, "secret,t,1,play,2021-12-30", "secret,,1,play,", "secret,t", "u,secrets,1,play,", "other,t,1,play,"]
    nights.deliver({"1.csv": "\n".join([*log, "other,,1"]), "2.csv": f"{HEADER}\nu,t,1,play,\nother,t,0,play,\n"})
    listed.write_text("secret\n")
    assert nights.night(erased) == ["1.csv", "2.csv"]
    assert (nights.counts["erased"], nights.counts["rejected"]) == (2, 3)
    assert "secret" not in held(nights).replace("secrets", "")
    listed.write_text("secret\nother\n")
    assert nights.night(erased) == [], "rows of one more are left out of what is kept"
    assert (nights.counts["erased"], nights.counts["rejected"]) == (4, 2)
    assert [raw for _, _, _, raw in nights.rejected] == ["[erased]", "[erased]"]
    assert nights.is_as_read_anew()
    listed.write_text("other\n")
    assert nights.night(erased) == ["1.csv"], "rows of the first were not kept"
    assert nights.counts["erased"] == 2
    assert nights.night() == ["1.csv"]
    assert nights.counts["erased"] == 0


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_damaged_day_folder_is_read_anew(nights, damage: str) -> None:
    nights.deliver(LOG)
    nights.night()
    folder = pathlib.Path(nights.storage.uri("_days/run1.1/good"))
    part = max(folder.glob("part-*"), key=lambda path: path.stat().st_size)
    content = part.read_bytes()
    if damage == "gone":
        part.unlink()
    else:
        part.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    assert nights.night() == ["1.csv", "2.jsonl"]
    assert nights.counts["used"] == 4


def test_what_a_kill_leaves_does_not_count(nights, settings, monkeypatch) -> None:
    nights.deliver(LOG)
    with monkeypatch.context() as patch:
        patch.setattr(day_folders, "seal", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            nights.night()
    assert nights.storage.names("_days") == ["run1.1"]
    nights.ran = 0  # the same run goes on
    assert nights.night() == ["1.csv", "2.jsonl"]
    assert nights.storage.names("_days") == ["run1.1"]


def test_what_spark_loses_is_made_again_and_nothing_of_it_is_left(nights, monkeypatch) -> None:
    nights.deliver(LOG)
    rejected_of = days._rejected_of

    def without_what_was_persisted(delivery, judge, split, told):
        split.unpersist(blocking=True)
        return rejected_of(delivery, judge, split, told)

    monkeypatch.setattr(days, "_rejected_of", without_what_was_persisted)
    assert nights.night() == ["1.csv", "2.jsonl"]
    folder = pathlib.Path(nights.storage.uri("_days/run1.1"))
    held = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    assert held == day_folders.manifests(nights.storage)["_days/run1.1"]["parts"].keys()
    assert (nights.counts["used"], nights.counts["rejected"]) == (4, 2)
    assert nights.is_as_read_anew()


def test_a_day_folder_that_is_removed_meanwhile_is_no_empty_one(nights, spark, settings) -> None:
    nights.deliver(LOG)
    found = ingest(spark, settings(f"inputs.interactions={nights.log}"), RUN_DATE, NOW, None, (nights.storage, "run"))
    day_folders.remove(nights.storage, "_days/run.1")
    with pytest.raises(FileNotFoundError):
        rows_of(found)


def test_a_file_that_changes_while_it_is_read_is_not_kept(nights, spark, settings) -> None:
    nights.deliver(LOG)
    config = settings(f"inputs.interactions={nights.log}")
    snapshot = files.snapshot(config)
    (nights.log / "1.csv").write_text(f"{HEADER}\nu,t,1,play,\n")
    with pytest.raises(MusaiError, match=r"changed while it was read: interactions/1\.csv has changed"):
        ingest(spark, config, RUN_DATE, NOW, snapshot, (nights.storage, "run"))
    assert day_folders.manifests(nights.storage) == {}


def test_two_runs_at_once_count_every_file_once(nights, tmp_path: pathlib.Path) -> None:
    """Both have kept the same files; the next night takes them from one."""
    nights.deliver(LOG)
    nights.night()
    shutil.copytree(tmp_path / "kept/_days/run1.1", tmp_path / "kept/_days/rival.1")
    assert nights.night() == []
    assert nights.counts["used"] == 4


def test_random_nights(nights) -> None:
    """Deliveries of every kind, in any order, under a moving window, with other partitions each night."""
    draw = random.Random(1)  # noqa: S311
    partitions = nights.spark.conf.get("spark.sql.shuffle.partitions")
    try:
        for number in range(5):
            text = "\n".join([HEADER, *(",".join(map(draw.choice, CELLS)) for _ in range(draw.randrange(60)))]).encode()
            nights.deliver({f"{draw.randrange(9)}.csv.gz": gzip.compress(text, mtime=0)} if number % 2 else {
                f"{draw.randrange(9)}.csv": text, "torn.csv.gz": gzip.compress(text)[:-9]})  # fmt: skip
            if number == 3:
                next(iter(sorted(nights.log.iterdir()))).unlink()
            nights.spark.conf.set("spark.sql.shuffle.partitions", str(1 + number))
            nights.night("ingest.window_days=5", run_date=dt.date(2021, 12, 26 + number))
            assert nights.is_as_read_anew()
    finally:
        nights.spark.conf.set("spark.sql.shuffle.partitions", partitions)
