"""Two nights of one date at once: one wins, and the other says who."""

from __future__ import annotations

import pytest

from tests.faults.conftest import date
from tests.faults.harness import Faults
from tests.faults.reader import Reader

pytestmark = pytest.mark.system


def test_two_nights_of_a_date_at_once(base: Faults) -> None:
    with Reader(base.root) as reader:
        nights = [base.night("--run-date", str(date(24))) for _ in range(2)]
        ended = {night.finish(): night for night in nights}
        assert set(ended) == {0, 1}
        assert ended[0].run_id != ended[1].run_id
        assert f"run {ended[0].run_id} of {date(24)}" in ended[1].said
        base.recovered("two nights of a date", ended[0], reader, "one wins")
