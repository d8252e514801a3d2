"""kill -9 at random points of the night, by a seed: readers see whole runs only, `--from` goes on, the tables are those
of an undisturbed night."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from tests.faults.conftest import SEED, date
from tests.faults.harness import Faults, Kill, in_nights, plan

DAYS = itertools.count(1)


@pytest.mark.slow
def test_five_kills_in_a_night(tiny: Faults, night) -> None:
    kills = [
        Kill("spark", "ingest_interactions", 0.5),
        Kill("worker", "compute_similarities", 0.0),
        Kill("worker", "train_als", 0.0),
        Kill("machine", "recommend_tracks", 0.5),
        Kill("driver", "publish", 0.5),
    ]
    tiny.killed(kills, night.outcome.run.record.date + dt.timedelta(days=1))


@pytest.mark.system
@pytest.mark.parametrize("night", range(6))
def test_thirty_kills_in_six_nights(base: Faults, night: int) -> None:
    kills = in_nights(plan(SEED, 30, ("driver", "worker", "machine", "spark")), 5)[night]
    base.killed(kills, date(next(DAYS)))
