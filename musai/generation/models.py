"""A trained model as one file: weights in float16 as safetensors, and its card as JSON in the file's header."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import nn

from musai.config import conf_path
from musai.errors import InputError

SHIPPED = {name: f"models/{name}.safetensors" for name in ("rnn", "gan")}


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """`digest`: sha256 of the bytes."""

    digest: str
    card: dict[str, Any]
    weights: dict[str, torch.Tensor]


def model_bytes(network: nn.Module, card: Mapping[str, Any]) -> bytes:
    """The same network and card give the same bytes."""
    weights = {name: values.detach().cpu().half().contiguous() for name, values in network.state_dict().items()}
    return save(weights, metadata={"card": json.dumps(card, sort_keys=True)})


def read_model(source: bytes | pathlib.Path) -> ModelFile:
    """Raises InputError where it is no model of ours."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        length = int.from_bytes(data[:8], "little")
        card = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["card"])
        weights = {name: values.float() for name, values in load(data).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source if isinstance(source, pathlib.Path) else 'model'}: not a model of MusAI") from error
    return ModelFile(hashlib.sha256(data).hexdigest(), card, weights)


def with_card(data: bytes, more: Mapping[str, Any]) -> bytes:
    """The same weights, of a model or of the judge, whose card says more."""
    length = int.from_bytes(data[:8], "little")
    card = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["card"])
    return save(load(data), metadata={"card": json.dumps({**card, **more}, sort_keys=True)})


def ships(kind: str) -> bool:
    """Whether the package has weights of this kind."""
    return conf_path(SHIPPED[kind]).is_file()


def shipped(kind: str) -> ModelFile:
    """The model that comes with the package: rnn or gan."""
    return read_model(conf_path(SHIPPED[kind]))


def versions() -> dict[str, str]:
    """Of the packages that a sampled bit depends on."""
    return {name: importlib.metadata.version(name) for name in ("torch", "numpy", "symusic")}
