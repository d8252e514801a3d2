"""CPU or GPU for torch; and whether to load it at all, which takes seconds that a machine without one need not pay."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Literal

from musai.errors import InputError

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "gpu"]


def asks_for_gpu(device: Device) -> bool:
    """`gpu`, or `auto` on a machine that has NVIDIA's driver."""
    return device == "gpu" or (device == "auto" and _has_driver())


def choose(device: Device, key: str) -> torch.device:
    """What the configuration's `key` means in this process. Raises InputError for `gpu` where torch finds none."""
    import torch

    there = torch.cuda.is_available()
    if device == "gpu" and not there:
        reason = "is a build without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        raise InputError(f"{key}: gpu cannot be used here: torch {torch.__version__} {reason}")
    return torch.device("cuda" if there and device != "cpu" else "cpu")


@functools.cache
def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
