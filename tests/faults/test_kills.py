"""kill -9 in the middle of nights: readers see whole runs only, `--from` goes on where the night broke off, and the
tables are those of an undisturbed night."""

from __future__ import annotations

import pytest

from tests.faults.conftest import DATE, SEED
from tests.faults.harness import Faults, Kill, in_nights, plan


@pytest.mark.slow
def test_five_kills_in_a_night(tiny: Faults, night) -> None:
    kills = [
        Kill("spark", "ingest_interactions", 0.5),
        Kill("worker", "compute_similarities", 0.0),
        Kill("worker", "train_als", 0.0),
        Kill("machine", "recommend_tracks", 0.5),
        Kill("driver", "publish", 0.0),
    ]
    tiny.killed(kills, night.outcome.run.record.date)


@pytest.mark.system
@pytest.mark.parametrize("number", range(6))
def test_six_kills_in_each_of_six_nights(base: Faults, tmp_path, number: int) -> None:
    kills = in_nights(plan(SEED, 36, ("driver", "worker", "machine", "spark")), 6)[number]
    base.copied_to(tmp_path).killed(kills, DATE)


@pytest.mark.system
def test_that_were_thirty_kills(fault_rows) -> None:
    """Of those that were planned a few may have come too late for their jobs."""
    assert sum(row.times for fault, row in fault_rows.items() if fault.startswith("kill -9")) >= 30
