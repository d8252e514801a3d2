"""The heads that read valence and arousal from the features of `musai.emotion.notes`: the linear one that ships, and
the kernel machine that `train_emotion` makes of one's own pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from musai.emotion.kernel import TENSORS, KernelHead

# What the head that ships goes by: few enough that its coefficients are facts about music, not a copy of the data.
CHOSEN = (
    "minor", "majorness", "degree_3", "degree_4", "degree_8", "degree_10", "log_tempo", "log_notes_a_second",
    "log_onsets_a_second", "log_duration_mean", "fast_share", "gap_variation", "articulation", "staccato_share",
    "held_share", "on_beat_share", "off_eighth_share", "pitch_mean", "pitch_range", "bass_share", "melody_mean",
    "melody_leap_share", "velocity_mean", "sounding_mean", "dissonance", "minor_third", "major_third",
)  # fmt: skip
# Groups that a head of one's own goes by, each with a kernel of its own. How onsets lie on the beat is not among them:
# in much MIDI, played freely or written without a tempo, there is no beat to lie on.
HEARD = ("mode", "chords", "time", "register", "melody")
AXES = ("valence", "arousal")
LIMIT = 3.0  # standard deviations of the training pieces beyond which a feature says no more


@dataclasses.dataclass(frozen=True)
class Linear:
    """weights [n, 2], offset [2]."""

    weights: np.ndarray
    offset: np.ndarray

    def read(self, scaled: np.ndarray) -> np.ndarray:
        return np.asarray(scaled @ self.weights + self.offset)


@dataclasses.dataclass(frozen=True)
class ByKernel:
    """A kernel machine for valence and another for arousal, for what matters to the one may not to the other."""

    heads: tuple[KernelHead, KernelHead]

    def read(self, scaled: np.ndarray) -> np.ndarray:
        return np.hstack([head.read(scaled) for head in self.heads])


@dataclasses.dataclass(frozen=True)
class NotesHead:
    """Valence and arousal from standardised features; centre, spread float32 [n]."""

    names: tuple[str, ...]
    centre: np.ndarray
    spread: np.ndarray
    model: Linear | ByKernel

    def read(self, found: Mapping[str, float]) -> tuple[float, float]:
        """(valence, arousal) of `features(piece)`."""
        valence, arousal = self.read_all(np.array([[found[name] for name in self.names]]))[0]
        return float(valence), float(arousal)

    def read_all(self, table: np.ndarray) -> np.ndarray:
        """Valence and arousal [pieces, 2] of features [pieces, n] in the order of `names`."""
        return self.model.read(np.clip((table - self.centre) / self.spread, -LIMIT, LIMIT))


def packed(head: NotesHead) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(tensors, settings) of a head as they are stored."""
    tensors: dict[str, np.ndarray] = {"centre": head.centre, "spread": head.spread}
    settings: dict[str, Any] = {"names": head.names}
    if isinstance(head.model, Linear):
        tensors |= {"weights": head.model.weights, "offset": head.model.offset}
        return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, settings
    for axis, one in zip(AXES, head.model.heads, strict=True):
        own, settings[axis] = one.packed()
        tensors |= {f"{axis}.{name}": tensor for name, tensor in own.items()}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, settings


def opened(tensors: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> NotesHead:
    """What `packed` made."""
    model: Linear | ByKernel
    if "weights" in tensors:
        model = Linear(tensors["weights"], tensors["offset"])
    else:
        valence, arousal = (
            KernelHead.of({name: tensors[f"{axis}.{name}"] for name in TENSORS}, settings[axis]) for axis in AXES
        )
        model = ByKernel((valence, arousal))
    return NotesHead(tuple(settings["names"]), tensors["centre"], tensors["spread"], model)
