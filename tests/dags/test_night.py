"""The day that a DAG run covers, on cases worked by hand."""

from __future__ import annotations

import datetime as dt
import pathlib
from zoneinfo import ZoneInfo

import pytest
import yaml

from dags import night
from musai import config as configuration

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
AUCKLAND, LOS_ANGELES = ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Los_Angeles")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("end", "zone", "day"),
    [
        ("2026-11-23T03:00", UTC, "2026-11-22"),
        ("2026-11-23T00:00", UTC, "2026-11-22"),  # the day that ends at this instant is whole
        ("2026-11-22T23:59", UTC, "2026-11-21"),
        ("2026-11-22T23:00", BERLIN, "2026-11-22"),  # 00:00 of the 23rd there (UTC+1)
        ("2026-11-22T22:59", BERLIN, "2026-11-21"),
        ("2026-07-22T22:00", BERLIN, "2026-07-22"),  # UTC+2 in summer
        ("2026-07-22T21:59", BERLIN, "2026-07-21"),
        ("2026-03-29T01:30", BERLIN, "2026-03-28"),  # 03:30 of the day with 23 hours
        ("2026-03-29T22:00", BERLIN, "2026-03-29"),  # its end, an hour earlier in UTC than the day before's
        ("2026-10-25T22:30", BERLIN, "2026-10-24"),  # 23:30 of the day with 25 hours
        ("2026-10-25T23:00", BERLIN, "2026-10-25"),
        ("2026-11-22T11:00", AUCKLAND, "2026-11-22"),  # UTC+13
        ("2026-11-23T03:00", LOS_ANGELES, "2026-11-21"),  # 19:00 of the 22nd there
        ("2026-01-01T03:00", UTC, "2025-12-31"),
    ],
)
def test_the_day_is_the_last_whole_one_before_the_interval_ends(end: str, zone: ZoneInfo, day: str) -> None:
    later = utc("2027-01-01T00:00")  # a backfill is triggered long after
    assert night.run_date(None, utc(end), later, zone) == dt.date.fromisoformat(day)


def test_a_trigger_without_an_interval_counts_from_its_own_time() -> None:
    assert night.run_date(None, None, utc("2026-11-22T23:30"), BERLIN) == dt.date(2026, 11, 22)


def test_a_day_that_is_asked_for_wins() -> None:
    at = utc("2026-11-23T03:00")
    assert night.run_date("2026-02-28", at, at, UTC) == dt.date(2026, 2, 28)


def test_the_zone_is_the_one_that_musai_itself_would_use(tmp_path: pathlib.Path) -> None:
    nested, dotted, other = tmp_path / "nested.yaml", tmp_path / "dotted.yaml", tmp_path / "other.yaml"
    nested.write_text("ingest: {time_zone: Europe/Berlin, window_days: 30}")
    dotted.write_text("ingest.time_zone: Pacific/Auckland")
    other.write_text("seed: 7\ningest:\n")
    cases = [
        ([], [], "UTC"),
        ([nested], [], "Europe/Berlin"),
        ([nested, dotted], [], "Pacific/Auckland"),
        ([dotted, nested], ["seed=3"], "Europe/Berlin"),
        ([nested, other], [], "Europe/Berlin"),
        ([nested], ["ingest.time_zone=America/Los_Angeles"], "America/Los_Angeles"),
        ([nested], ["ingest={time_zone: Asia/Kolkata}"], "Asia/Kolkata"),
        ([nested], ["ingest.window_days=7"], "Europe/Berlin"),
    ]
    for files, settings, zone in cases:
        names = [str(file) for file in files]
        assert night.time_zone(names, settings).key == zone, (files, settings)
        assert configuration.load(names, settings).ingest.time_zone == zone, (files, settings)


def test_without_any_configuration_the_zone_is_that_of_base_yaml() -> None:
    base = yaml.safe_load((night.ROOT / "conf/base.yaml").read_text())
    assert night.time_zone([]).key == base["ingest"]["time_zone"]


@pytest.mark.parametrize("content", [None, "- 1", "a: [", "ingest: 3", "ingest: {time_zone: null}", "caf\xe9: 1"])
def test_whatever_else_is_wrong_with_a_config_is_left_to_musai(tmp_path: pathlib.Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "some.yaml").write_bytes(content.encode("latin-1"))
    assert night.time_zone([str(tmp_path / "some.yaml")]).key == "UTC"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "3", "[UTC]"])
def test_a_zone_that_does_not_exist_is_said_so(zone: str) -> None:
    with pytest.raises(ValueError, match=r"^ingest\.time_zone: there is no time zone"):
        night.time_zone([], [f"ingest.time_zone={zone}"])
