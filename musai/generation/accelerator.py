"""Where the generators train: `generation.device`; on a GPU compiled and in bfloat16, on the CPU as they stand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

from musai.devices import Device, choose

P = ParamSpec("P")
R = TypeVar("R")


def device(asked: Device) -> torch.device:
    """Raises InputError for `gpu` where this process has none."""
    return choose(asked, "generation.device")


def compiled(function: Callable[P, R], where: torch.device) -> Callable[P, R]:
    """By torch.compile on a GPU. What has a gradient of a gradient (the penalty) cannot be compiled."""
    return torch.compile(function, dynamic=True) if where.type == "cuda" else function


def mixed(where: torch.device) -> contextlib.AbstractContextManager[None]:
    """Within it matrix products of a GPU are in bfloat16, which has the exponents of float32: no loss is scaled."""
    return torch.autocast("cuda", torch.bfloat16, enabled=where.type == "cuda")
