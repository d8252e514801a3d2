"""Whether torch is to be asked for a GPU at all: its import takes seconds, which a machine without one need not pay."""

from __future__ import annotations

import ctypes
import functools
from typing import Literal

Device = Literal["auto", "cpu", "gpu"]


def asks_for_gpu(device: Device) -> bool:
    """`gpu`, or `auto` on a machine that has NVIDIA's driver."""
    return device == "gpu" or (device == "auto" and _has_driver())


@functools.cache
def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
