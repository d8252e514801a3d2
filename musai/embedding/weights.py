"""Weights of the networks: the shipped ones, our own trained ones (safetensors) and published state dicts (.pth).

An address is fetched by pooch, once, and refused where its digest is not the one that is asked for; a state dict is
loaded with `weights_only`, so nothing of it is ever run.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import pathlib
import urllib.parse
from pickle import UnpicklingError  # what torch raises for a file that holds more than weights

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from musai.embedding.log_mel import N_FFT, mel_filters
from musai.embedding.network import NETWORKS, Network
from musai.errors import InputError
from musai.scratch import scratch

SHIPPED = "small.safetensors"
FRONT_END = {"spec.spectrogram.window": torch.hann_window(N_FFT), "spec.mel_scale.fb": mel_filters()}
TOLERANCE = 1e-4  # between their filters, made in float32, and ours


def located(network: str, weights: str | None, sha256: str | None) -> pathlib.Path:
    """The file of the weights on this machine: shipped, by path, by file URL, or fetched into the scratch folder.

    Raises InputError where there is none, where an address comes without a digest, and where the digest is another.
    """
    if weights is None:
        if network != "small":
            raise InputError(f"embedding.weights: none are shipped for {network}; name an address or a file")
        return pathlib.Path(str(importlib.resources.files("musai"))) / "embedding" / "weights" / SHIPPED
    address = urllib.parse.urlparse(weights)
    if address.scheme in ("http", "https", "ftp"):
        if not sha256:
            raise InputError("embedding.sha256: an address needs the digest of what it should give")
        return _fetched(weights, sha256)
    path = pathlib.Path(urllib.parse.unquote(address.path) if address.scheme == "file" else weights)
    if not path.is_file():
        raise InputError(f"embedding.weights: {weights}: no such file")
    found = digest(path)
    if sha256 and found != sha256.lower():
        raise InputError(f"embedding.weights: {weights}: sha256 is {found}, not {sha256}")
    return path


def _fetched(address: str, sha256: str) -> pathlib.Path:
    import pooch
    from requests import RequestException

    name = pathlib.PurePosixPath(urllib.parse.urlparse(address).path).suffix
    try:
        file = pooch.retrieve(address, f"sha256:{sha256}", f"{sha256[:32]}{name}", scratch("weights"))
    except ValueError as error:  # another digest: pooch has removed the file again
        raise InputError(f"embedding.weights: {address}: the digest is not {sha256}") from error
    except (RequestException, OSError) as error:
        raise InputError(f"embedding.weights: {address} cannot be fetched: {error}") from error
    return pathlib.Path(file)


def digest(path: pathlib.Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def loaded(network: str, path: pathlib.Path) -> Network:
    """The network with the weights of a file, ready to embed. Raises InputError where they are not its own."""
    return of_state(network, _state(path), str(path))


def of_state(network: str, state: dict[str, Tensor], path: str) -> Network:
    """`loaded` from a state dict; `path` says where it is from."""
    for name, ours in FRONT_END.items():
        theirs = state.pop(name, ours)
        if theirs.shape != ours.shape or float((theirs - ours).abs().max()) > TOLERANCE:
            raise InputError(f"embedding.weights: {path}: {name} is not of the log-mel that MusAI computes")
    tags = max((len(state[key]) for key in ("dense.bias", "dense2.bias") if key in state), default=0)
    made = NETWORKS[network](tags=tags)
    try:
        made.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"embedding.weights: {path} holds no weights of {network}") from error
    return made.eval()


def _state(path: pathlib.Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise InputError(f"embedding.weights: {path} cannot be read as weights") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"embedding.weights: {path} is no state dict")
    return found


def save(network: Network, path: pathlib.Path) -> str:
    """Write the weights as safetensors; returns their sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}, path)
    return digest(path)
