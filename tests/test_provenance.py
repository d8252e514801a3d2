"""What a run is called and what it stands for."""

from __future__ import annotations

import datetime as dt
import importlib.resources
import itertools
import pathlib
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from musai import provenance
from musai.errors import InputError
from musai.provenance import RunRecord, check_run_id, new_run_id

CONTRACT = re.compile(r"[A-Za-z0-9._-]{1,80}", re.ASCII)
START, END = dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)  # noqa: DTZ001 (hypothesis wants them without)
moments = st.datetimes(START, END, timezones=st.timezones())


@given(st.dates(dt.date(1000, 1, 1)), moments)
def test_every_default_run_id_is_one_that_the_contract_allows(run_date: dt.date, now: dt.datetime) -> None:
    run_id = new_run_id(run_date, now)
    assert CONTRACT.fullmatch(run_id)
    assert run_id.startswith(f"{run_date}-{now.astimezone(dt.UTC):%Y%m%d}")
    assert check_run_id(run_id) == run_id


@given(moments, moments)
def test_run_ids_of_two_starts_differ(first: dt.datetime, second: dt.datetime) -> None:
    day = dt.date(2026, 1, 1)
    same_moment = first.astimezone(dt.UTC) == second.astimezone(dt.UTC)
    assert (new_run_id(day, first) == new_run_id(day, second)) == same_moment


def test_run_ids_sort_by_their_start() -> None:
    start = dt.datetime(2026, 1, 1, 23, 59, 59, 999_999, dt.UTC)
    ids = [new_run_id(dt.date(2026, 1, 1), start + dt.timedelta(microseconds=step)) for step in range(3)]
    assert ids == sorted(set(ids))
    assert ids[0] == "2026-01-01-20260101T235959999999Z"


@given(st.text(max_size=90))
@example("x" * 80)
@example("x" * 81)
@example("a\n")
@example("٣")
def test_a_run_id_is_taken_or_refused_as_the_contract_says(text: str) -> None:
    allowed = set(string.ascii_letters + string.digits + "._-")
    if 1 <= len(text) <= 80 and set(text) <= allowed and text not in (".", ".."):
        assert check_run_id(text) == text
    else:
        with pytest.raises(InputError, match="--run-id"):
            check_run_id(text)


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-03-02T00:00:00+00:00", "2026-03-01"),
        ("UTC", "2026-03-01T23:59:59+00:00", "2026-02-28"),
        ("Asia/Tokyo", "2026-03-01T15:00:00+00:00", "2026-03-01"),
        ("Asia/Tokyo", "2026-03-01T14:59:59+00:00", "2026-02-28"),
        ("America/New_York", "2026-03-02T04:59:59+00:00", "2026-02-28"),
        ("America/New_York", "2026-03-02T05:00:00+00:00", "2026-03-01"),
        ("Europe/Berlin", "2026-10-25T22:59:59+00:00", "2026-10-24"),  # the day of 25 hours ends at 23:00 UTC
        ("UTC", "2026-03-02T01:00:00+02:00", "2026-02-28"),
    ],
)
def test_the_default_run_date_is_the_last_whole_day_there(settings, zone: str, now: str, due: str) -> None:
    config = settings(f"ingest.time_zone={zone}")
    assert str(provenance.default_run_date(config, dt.datetime.fromisoformat(now))) == due


RECORD = RunRecord(
    run_id="r",
    run_date="2026-01-02",
    started_at="2026-01-03T00:00:00.000000+00:00",
    config_digest="c",
    code="0+1",
    seed=1,
    inputs=[{"file": "ü/log.csv", "size": 3, "digest": "d"}],
    replaces=None,
)


def test_a_record_survives_json() -> None:
    assert RunRecord.from_json(RECORD.to_json()) == RECORD
    assert RECORD.date == dt.date(2026, 1, 2)


def test_the_digest_of_inputs_follows_every_figure_of_them() -> None:
    import dataclasses

    variants = [
        RECORD.inputs, [], [{"file": "ü/log.csv", "size": 4, "digest": "d"}],
        [{"file": "ü/log.csv", "size": 3, "digest": "e"}], [{"file": "u/log.csv", "size": 3, "digest": "d"}],
        [*RECORD.inputs, *RECORD.inputs],
    ]  # fmt: skip
    digests = [dataclasses.replace(RECORD, inputs=inputs).inputs_digest for inputs in variants]
    assert all(one != other for one, other in itertools.combinations(digests, 2))
    assert dataclasses.replace(RECORD, run_id="other", seed=2).inputs_digest == digests[0]


def test_the_code_version_follows_every_source_file(tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "steps").mkdir()
    versions = [provenance.code_version.__wrapped__()]
    for action in (
        lambda: (tmp_path / "steps/a.py").write_text("x = 1"),
        lambda: (tmp_path / "steps/a.py").write_text("x = 2"),
        lambda: (tmp_path / "steps/a.py").rename(tmp_path / "a.py"),
    ):
        action()
        versions.append(provenance.code_version.__wrapped__())
    assert len(set(versions)) == 4
    (tmp_path / "notes.txt").write_text("no code")
    assert provenance.code_version.__wrapped__() == versions[-1]
    assert all(re.fullmatch(r"[0-9.]+\+[0-9a-f]{12}", version) for version in versions)
