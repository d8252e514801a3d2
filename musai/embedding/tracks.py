"""Embeddings of tracks: their files decoded in one thread while the network works in another, batched across tracks.

Every batch has the same number of excerpts (the last one is filled up with silence), so that a track's embedding has
the same bits whatever tracks it is computed with.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from safetensors.torch import load, save

from musai.config import Embedding
from musai.devices import Device, choose
from musai.embedding import audio, rendering, weights
from musai.embedding.audio import Plan, Unusable
from musai.embedding.network import NETWORKS, AllLayers, Network
from musai.errors import InputError
from musai.inputs import media

log = logging.getLogger(__name__)

DEVICE = "embedding.device"
AHEAD = 4  # tracks that are decoded before the network asks for them


@dataclasses.dataclass(frozen=True)
class Embedder:
    """A network with its weights as bytes, and how it listens: all that a task on another machine needs."""

    network: str
    tags: int
    state: bytes = dataclasses.field(repr=False)
    plan: Plan
    batch: int
    device: Device
    roots: tuple[str, ...]
    layers: Literal["last", "all"] = "last"

    @property
    def model(self) -> str:
        """`<network>-<digest>`: another network, other weights or another way of listening has another name."""
        how = f"{self.plan.seconds} {self.plan.count}{' all' * (self.layers == 'all')}".encode()
        return f"{self.network}-{hashlib.sha256(self.state + how).hexdigest()[:12]}"


@dataclasses.dataclass(frozen=True)
class Heard:
    """A track's sound and notes as paths, and what an earlier run made of it."""

    track_id: str
    audio_path: str | None
    midi_path: str | None
    earlier_hash: str | None = None
    earlier: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Embedded:
    """embedding float32 [E] or None; rejects: (audio or midi, path, reason) of each file that could not be used."""

    track_id: str
    embedding: np.ndarray | None
    content_hash: str | None
    rejects: tuple[tuple[str, str, str], ...] = ()
    carried: bool = False


def embedder_of(settings: Embedding, roots: Sequence[str], trained: bytes | None = None) -> Embedder:
    """The embedder that the configuration names; `roots` are the folders in which files may lie (`inputs.media`).

    `trained`, the safetensors of `train_embedder`, stand in for the weights that ship.
    Raises InputError where the weights cannot be had or are no weights of the network, and for a device that is not
    there.
    """
    choose(settings.device, DEVICE)
    if trained is not None and settings.weights is None:
        network = weights.of_state(settings.network, load(trained), "of train_embedder")
    else:
        network = weights.loaded(settings.network, weights.located(settings.network, settings.weights, settings.sha256))
    tags = next(layer.out_features for layer in reversed(list(network.modules())) if isinstance(layer, torch.nn.Linear))
    plan = Plan(network.seconds, settings.excerpts, settings.longest_h * 3600)
    state = save({name: value.contiguous() for name, value in network.state_dict().items()})
    return Embedder(
        settings.network, tags, state, plan, settings.batch_excerpts, settings.device, tuple(roots), settings.layers
    )


def embedders_of(settings: Embedding, roots: Sequence[str], trained: bytes | None = None) -> list[Embedder]:
    """Those of `embedding.network` and of `embedding.also`, in this order; see `embedder_of`.

    Raises InputError for one that is named twice, too.
    """
    others = [settings.model_copy(update=dict(one)) for one in settings.also]
    found = [embedder_of(settings, roots, trained), *(embedder_of(one, roots) for one in others)]
    if len({one.model for one in found}) < len(found):
        raise InputError("embedding.also: a network with the same weights is named twice")
    return found


def opened(embedder: Embedder) -> Network:
    """Its network with its weights."""
    network = NETWORKS[embedder.network](tags=embedder.tags)
    network.load_state_dict(load(embedder.state))
    return network


def embedded(tracks: Iterable[Heard], embedder: Embedder, threads: int) -> Iterator[Embedded]:
    """One result a track, in their order as far as batches allow; `threads` of the processor for the network."""
    device = choose(embedder.device, DEVICE)
    torch.set_num_threads(threads)
    own = opened(embedder)
    network = (AllLayers(own) if embedder.layers == "all" else own).to(device).eval()
    waiting: list[tuple[Embedded, int]] = []  # tracks with the number of their excerpts
    unheard: list[np.ndarray] = []  # excerpts of these, each [samples], that have not gone through the network
    vectors: list[np.ndarray] = []  # what it made of those before them, each [E]
    with torch.inference_mode():
        for result, excerpts in decoded(tracks, embedder):
            if excerpts is None:
                yield result
                continue
            waiting.append((result, len(excerpts)))
            unheard.extend(excerpts)
            while len(unheard) >= embedder.batch:
                vectors.extend(_through(network, unheard[: embedder.batch], embedder.batch, device))
                del unheard[: embedder.batch]
            yield from _whole(waiting, vectors)
        if unheard:
            vectors.extend(_through(network, unheard, embedder.batch, device))
        yield from _whole(waiting, vectors)


def _through(network: torch.nn.Module, excerpts: list[np.ndarray], batch: int, device: torch.device) -> np.ndarray:
    """float32 [excerpts, E]; the batch is filled up with silence."""
    sound = torch.from_numpy(np.stack(excerpts))
    filled = torch.nn.functional.pad(sound, (0, 0, 0, batch - len(sound))).to(device)
    return network(filled)[0][: len(sound)].cpu().numpy()


def _whole(waiting: list[tuple[Embedded, int]], vectors: list[np.ndarray]) -> Iterator[Embedded]:
    """The tracks all of whose excerpts were heard, with the mean over these; both lists are left without them."""
    while waiting and len(vectors) >= waiting[0][1]:
        result, count = waiting.pop(0)
        mean = np.stack(vectors[:count]).mean(axis=0, dtype=np.float64)
        del vectors[:count]
        yield dataclasses.replace(result, embedding=mean.astype(np.float32))


def decoded(tracks: Iterable[Heard], embedder: Embedder) -> Iterator[tuple[Embedded, np.ndarray | None]]:
    """Each track with its excerpts, or None where there is nothing to compute; a few tracks ahead, in a thread."""
    pending: list[Future[tuple[Embedded, np.ndarray | None]]] = []
    with ThreadPoolExecutor(1) as decoder:
        for track in tracks:
            pending.append(decoder.submit(_listen, track, embedder))
            if len(pending) > AHEAD:
                yield pending.pop(0).result()
        for future in pending:
            yield future.result()


def _listen(track: Heard, embedder: Embedder) -> tuple[Embedded, np.ndarray | None]:
    """The sound file; where there is none that can be used, the rendered notes."""
    rejects: list[tuple[str, str, str]] = []
    for kind, name in (("audio", track.audio_path), ("midi", track.midi_path)):
        if not name:
            continue
        try:
            path = _located(name, embedder.roots)
            content_hash = audio.content_hash(path)
            if content_hash == track.earlier_hash and track.earlier is not None:
                return Embedded(track.track_id, track.earlier, content_hash, tuple(rejects), carried=True), None
            found = (audio if kind == "audio" else rendering).excerpts(path, embedder.plan)
        except Unusable as reason:
            rejects.append((kind, name, str(reason)))
            continue
        return Embedded(track.track_id, None, content_hash, tuple(rejects)), found
    return Embedded(track.track_id, None, None, tuple(rejects)), None


def _located(name: str, roots: Sequence[str]) -> pathlib.Path:
    found = media.located(name, roots)
    if found is None:
        raise Unusable("outside inputs.media_roots")
    if "://" in found:
        raise Unusable("no path on this machine")
    return pathlib.Path(found)
