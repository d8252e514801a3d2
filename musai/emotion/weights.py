"""Weights and their cards: safetensors with a JSON file beside it that says what they are made of.

The package ships one pair a model in `weights/`; `train_emotion` makes others, which then stand in their place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from musai.emotion.fusion import PRIOR_SPREAD, Calibration

NAMES = ("english_emotions", "english_affect", "chinese", "notes", "sound")


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model is: `data` (name, licence and digest each), `licence` of the weights, `figures` on held-out data,
    `command` that gives both. Errors are on the scale of `musai.emotion.fusion`."""

    name: str
    data: list[dict[str, str]]
    licence: str
    figures: Mapping[str, float]
    command: str
    valence_error: float = PRIOR_SPREAD
    arousal_error: float = PRIOR_SPREAD
    calibration: Calibration = dataclasses.field(default_factory=Calibration)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Card:
        values = json.loads(text)
        return Card(**{**values, "calibration": Calibration(**values["calibration"])})


@dataclasses.dataclass(frozen=True)
class Stored:
    """One model as it lies on disk or travels to a task: the bytes of its tensors and its card as JSON."""

    tensors: bytes
    card: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.tensors + self.card.encode()).hexdigest()

    def opened(self) -> tuple[dict[str, np.ndarray], Card]:
        return safetensors.numpy.load(self.tensors), Card.from_json(self.card)


def stored(tensors: Mapping[str, np.ndarray], card: Card) -> Stored:
    packed = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return Stored(safetensors.numpy.save(packed), card.to_json())


def shipped() -> dict[str, Stored]:
    """The models of the package by name; there is no `sound` among them (no data for it may be shipped)."""
    folder = importlib.resources.files("musai.emotion") / "weights"
    found = {}
    for name in NAMES:
        card = folder / f"{name}.json"
        if card.is_file():
            tensors = (folder / f"{name}.safetensors").read_bytes()
            found[name] = Stored(tensors, card.read_text(encoding="utf-8"))
    return found


def text_tensor(words: list[str]) -> np.ndarray:
    """Words as one tensor of bytes, a line each."""
    return np.frombuffer("\n".join(words).encode(), np.uint8)


def words_of(tensor: np.ndarray) -> list[str]:
    return tensor.tobytes().decode().split("\n")
