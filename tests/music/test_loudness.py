"""Loudness against the figures that ITU-R BS.1770 and EBU Tech 3341 print."""

from __future__ import annotations

import numpy as np
import pytest

from musai.music import loudness


def sine(seconds: float, level_db: float, rate: int, hz: float = 1000.0) -> np.ndarray:
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def test_the_filters_at_48_khz_are_those_of_the_standard() -> None:
    (b1, a1), (b2, a2) = loudness.filters(48_000)
    assert b1 == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-8)
    assert a1 == pytest.approx([1, -1.69065929318241, 0.73248077421585], abs=1e-8)
    assert b2 == [1, -2, 1]
    assert a2 == pytest.approx([1, -1.99004745483398, 0.99007225036621], abs=1e-8)


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_a_full_sine_in_one_channel_is_3_db_under(rate: int) -> None:
    assert loudness.integrated(sine(2, 0, rate, 997.0), rate) == pytest.approx(-3.01, abs=0.03)


@pytest.mark.parametrize("rate", [24_000, 48_000])
@pytest.mark.parametrize(
    ("parts", "due"),
    [
        ([(20, -23)], -23),  # cases 1 to 4 of EBU Tech 3341, in both channels
        ([(20, -33)], -33),
        ([(10, -36), (60, -23), (10, -36)], -23),
        ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
    ],
)
def test_cases_of_the_broadcasting_union(parts: list[tuple[float, float]], due: float, rate: int) -> None:
    sound = np.concatenate([sine(seconds, level, rate) for seconds, level in parts])
    assert loudness.integrated(np.stack([sound, sound]), rate) == pytest.approx(due, abs=0.1)


def test_silence_and_too_little() -> None:
    assert loudness.integrated(np.zeros(24_000), 24_000) == -np.inf
    with pytest.raises(ValueError, match="have no loudness"):
        loudness.integrated(np.ones(100), 24_000)
