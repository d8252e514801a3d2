"""Two nights of one date at once: one wins, and the other says who."""

from __future__ import annotations

import pytest

from tests.faults.conftest import DATE
from tests.faults.harness import Faults
from tests.faults.reader import Reader

pytestmark = pytest.mark.system


def test_two_nights_of_a_date_at_once(base: Faults, tmp_path) -> None:
    faults = base.copied_to(tmp_path)
    with Reader(faults.root) as reader:
        nights = [faults.night("--run-date", str(DATE)) for _ in range(2)]
        ended = {night.finish(): night for night in nights}
        assert set(ended) == {0, 1}
        assert ended[0].run_id != ended[1].run_id
        assert f"run {ended[0].run_id} of {DATE}" in ended[1].said
        faults.recovered("two nights of a date", ended[0], reader, "one wins")
