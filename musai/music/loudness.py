"""Loudness as people hear it: ITU-R BS.1770-4, with its gates, of sound at any sampling rate.

The standard prints the two filters of its K weighting at 48 kHz alone; here they are made for the rate at hand from the
analogue filters behind those figures (the constants that libebur128 and others derive from them).
"""

from __future__ import annotations

import math

import numpy as np

BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0  # LUFS; LU under the mean of what passes the first
OFFSET = -0.691  # so that a sine of 997 Hz at full scale in one channel is -3.01 LUFS

SHELF_HZ, SHELF_GAIN, SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196  # dB
PASS_HZ, PASS_Q = 38.13547087602444, 0.5003270373238773


def integrated(sound: np.ndarray, rate: int) -> float:
    """LUFS of float [samples] or [channels, samples] (left, right), full scale 1; -inf where all of it is silence.

    Raises ValueError for less than one block of 0.4 s.
    """
    channels = np.atleast_2d(np.asarray(sound, np.float64))
    block, step = round(BLOCK_S * rate), round(STEP_S * rate)
    if channels.shape[1] < block:
        raise ValueError(f"{channels.shape[1] / rate:.2f} s of sound have no loudness; {BLOCK_S} s are due")
    sums = np.cumsum(np.pad(weighted(channels, rate) ** 2, ((0, 0), (1, 0))), axis=1)
    starts = np.arange(0, channels.shape[1] - block + 1, step)
    power = ((sums[:, starts + block] - sums[:, starts]) / block).sum(axis=0)
    heard = power[_lufs(power) > ABSOLUTE_GATE]
    if not len(heard):
        return -math.inf
    loud = heard[_lufs(heard) > _lufs(heard.mean()) + RELATIVE_GATE]
    return float(_lufs(loud.mean()))


def weighted(channels: np.ndarray, rate: int) -> np.ndarray:
    """[channels, samples] behind the K weighting: a shelf for the head, then a high-pass."""
    from scipy.signal import lfilter  # half a second to load, for what a night without sound need not

    for numerator, denominator in filters(rate):
        channels = lfilter(numerator, denominator, channels, axis=1)
    return channels


def filters(rate: int) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """(numerator, denominator) of the shelf and of the high-pass; at 48 kHz those that the standard prints."""
    k = math.tan(math.pi * SHELF_HZ / rate)
    high = 10 ** (SHELF_GAIN / 20)
    band = high**0.4996667741545416
    whole = 1 + k / SHELF_Q + k * k
    top = [(high + band * k / SHELF_Q + k * k) / whole, 2 * (k * k - high) / whole]
    shelf = [*top, (high - band * k / SHELF_Q + k * k) / whole], [1.0, 2 * (k * k - 1) / whole, _last(k, SHELF_Q)]
    k = math.tan(math.pi * PASS_HZ / rate)
    passes = [1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / (1 + k / PASS_Q + k * k), _last(k, PASS_Q)]
    return shelf, passes


def _last(k: float, q: float) -> float:
    return (1 - k / q + k * k) / (1 + k / q + k * k)


def _lufs(power: np.ndarray | float) -> np.ndarray:
    return OFFSET + 10 * np.log10(np.maximum(power, 1e-12))
