"""CPU or GPU for what torch works out here: what the keys `similarity.*device` come to in this process."""

from __future__ import annotations

import torch

from musai.devices import Device
from musai.errors import InputError

LISTS = "recommend.device"


def choose(device: Device, key: str) -> torch.device:
    """The device that the configuration's `key` means. Raises InputError for `gpu` where torch finds none."""
    there = torch.cuda.is_available()
    if device == "gpu" and not there:
        reason = "is a build without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        raise InputError(f"{key}: gpu cannot be used here: torch {torch.__version__} {reason}")
    return torch.device("cuda" if there and device != "cpu" else "cpu")
