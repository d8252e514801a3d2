"""A published run exchanged for a copy, and runs removed before their time."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from musai.errors import MusaiError, Superseded
from musai.warehouse import Run, copies


def test_a_night_that_was_published_meanwhile_is_not_lost(nights) -> None:
    old = nights.publish(1, "a")
    copy = nights.fill(Run(old.storage, dataclasses.replace(old.record, run_id="copy", replaces="a")))
    copies.begin(nights.warehouse, copy)
    nights.publish(1, "b")
    with pytest.raises(Superseded, match="another run of 2026-01-01 was published meanwhile"):
        copies.exchange(nights.warehouse, old, copy, dt.datetime.now(dt.UTC).isoformat())
    with pytest.raises(MusaiError, match="run b was published meanwhile"):
        copies.remove(nights.warehouse, "b")
    assert nights.warehouse.pointer()["run_id"] == "b"


def test_a_night_at_work_on_a_run_that_was_removed_cannot_publish_it(nights) -> None:
    run = nights.fill(nights.begin(1, "a"))
    copies.remove(nights.warehouse, "a")
    with pytest.raises(Superseded, match="run a was given up while it was at work; start a new run"):
        nights.warehouse.publish(nights.fill(run))
    assert nights.warehouse.pointer() is None
