"""Where a training stands, in one file that a later task finds wherever it runs: a folder that is mounted, or a URI."""

from __future__ import annotations

import io
import time
from typing import Any

import torch
from torch import nn

from musai.storage import file_system

EVERY_S = 60.0


class Checkpoint:
    """A file (or URI) that is replaced as a whole; nowhere, where `place` is None. `due` every `every_s` seconds."""

    def __init__(self, place: str | None, every_s: float = EVERY_S) -> None:
        self.place, self.every_s, self._kept = place, every_s, time.monotonic()

    def read(self) -> bytes | None:
        if self.place is None:
            return None
        system, path = file_system(self.place)
        if not system.get_file_info(path).is_file:
            return None
        with system.open_input_stream(path) as file:
            content: bytes = file.read()
        return content

    def due(self) -> bool:
        return self.place is not None and time.monotonic() - self._kept >= self.every_s

    def keep(self, content: bytes) -> None:
        self._kept = time.monotonic()
        if self.place is None:
            return
        system, path = file_system(self.place)
        system.create_dir(path.rsplit("/", 1)[0])
        with system.open_output_stream(f"{path}.part") as file:
            file.write(content)
        system.move(f"{path}.part", path)


NOWHERE = Checkpoint(None)


def packed(state: dict[str, Any]) -> bytes:
    """Tensors, numbers, texts, and lists and dicts of them."""
    made = io.BytesIO()
    torch.save(state, made)
    return made.getvalue()


def unpacked(content: bytes) -> dict[str, Any]:
    """What `packed` was given, its tensors on the CPU; code is not executed."""
    found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return found


def taken_up(checkpoint: Checkpoint, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Bring both to where a training stood that kept them as `now` and `optimizer`; gives what it kept as `at`, None
    where it kept nothing."""
    content = checkpoint.read()
    if content is None:
        return None
    state = unpacked(content)
    network.load_state_dict(state["now"])
    optimizer.load_state_dict(state["optimizer"])
    at: dict[str, Any] = state["at"]
    return at
