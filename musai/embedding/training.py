"""Trains an embedder on what people listen to: sound -> ALS factors.

    loss = mean over tracks of  w |y - head(embedding(sound))|^2 / f  +  contrastive x NT-Xent

y are a track's factors, w how many listeners stand behind them (van den Oord, Dieleman & Schrauwen 2013, "Deep
content-based music recommendation": a squared error on the factors of mel-spectrogram excerpts). NT-Xent (Chen,
Kornblith, Norouzi & Hinton 2020) asks for the excerpt of the same artist's track among those of others. The network
starts from the weights at hand; artists are held out whole, training ends where nothing is gained on them any more, and
what counts is what a ridge regression makes of the embeddings there, before and after, for that is how
`predict_factors` uses them.

Reproducible: one result for a seed, the same tracks, the same number of threads and one type of processor, whether it
was interrupted or not, unless the limit in minutes ended it. Several processes, each with a device of its own, share
every step: each takes its part of a batch that grows with their number, and their gradients are averaged (Li et al.
2020, "PyTorch distributed: experiences on accelerating data parallel training"); that is another result than one
process has, and as reproducible.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from musai.embedding.checkpoints import packed, unpacked
from musai.embedding.factors import RIDGES
from musai.embedding.lessons import Lessons
from musai.embedding.network import Network

BATCH, RATE, WEIGHT_DECAY, TEMPERATURE = 16, 5e-4, 0.01, 0.2
PATIENCE = 5  # epochs without a gain on the held-out artists


@dataclasses.dataclass(frozen=True)
class Schedule:
    epochs: int
    minutes: float
    contrastive: float
    seed: int


@dataclasses.dataclass(frozen=True)
class Team:
    """The processes of a training, by torch.distributed where there are several: this one's number of so many."""

    rank: int = 0
    size: int = 1

    def shared(self, learner: Learner) -> nn.Module:
        """The learner; with others, such that every backward pass averages the gradients of all."""
        if self.size == 1:
            return learner
        return DistributedDataParallel(learner, find_unused_parameters=True)  # the tags' layer learns nothing

    def agreed(self, said: tuple[float, float]) -> tuple[float, float]:
        """What the first process says, in all of them: they must end after the same epoch."""
        if self.size == 1:
            return said
        told = [said]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def part(self, batch: np.ndarray) -> np.ndarray:
        """This process's rows of a batch."""
        return np.array_split(batch, self.size)[self.rank]


ALONE = Team()


@dataclasses.dataclass
class Progress:
    """Where a training stands; `spent_s` over all its beginnings."""

    epoch: int = 0
    best: float = -np.inf
    waited: int = 0
    spent_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class Figures:
    """Share of the held-out artists' factors that is explained: by the trained head, and by ridge regressions on the
    embeddings before and after."""

    head: float
    before: float
    after: float
    epochs: int


class Learner(nn.Module):
    """The network with a linear layer from its embedding [b, E] to factors [b, f]."""

    def __init__(self, network: Network, samples: int, factors: int) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            size = network.eval()(torch.zeros(2, samples))[0].shape[1]
        self.head = nn.Linear(size, factors)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.network(sound)[0]
        return embedding, self.head(embedding)


def train(
    network: Network,
    lessons: Lessons,
    schedule: Schedule,
    device: torch.device,
    checkpoint: bytes | None,
    keep: Callable[[bytes], None],
    team: Team = ALONE,
) -> Figures:
    """Train `network` in place; it ends with the weights that were best on the held-out artists.

    `keep` is given a checkpoint after every epoch; with one of the same training it goes on from there. All processes
    of a team are given the same lessons and checkpoint; the first one's `keep` is called.
    Raises ValueError where no track or no artist is left to learn from, or to be held out.
    """
    train_rows, held = np.flatnonzero(~lessons.held), np.flatnonzero(lessons.held)
    if len(train_rows) < 2 or not len(held):
        raise ValueError(f"{len(lessons.held)} tracks with usable files are too few to learn from")
    torch.manual_seed(schedule.seed)
    learner = Learner(network, lessons.sound.shape[1], lessons.factors.shape[1]).to(device)
    before = _by_ridge(learner, lessons, device)
    optimizer = torch.optim.AdamW(learner.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    at, best = Progress(), _state(learner)
    if checkpoint is not None:
        at, best = _resumed(checkpoint, learner, optimizer)
    shared, began = team.shared(learner), time.monotonic() - at.spent_s
    while at.epoch < schedule.epochs and at.waited < PATIENCE and at.spent_s < 60 * schedule.minutes:
        _epoch(shared, optimizer, lessons, train_rows, schedule, at.epoch, device, team)
        own = _explained(lessons, held, _heard(learner, lessons, held, device)[1])
        score, at.spent_s = team.agreed((own, time.monotonic() - began))
        at.epoch, at.waited = at.epoch + 1, at.waited + 1
        if score > at.best:
            at.best, at.waited, best = score, 0, _state(learner)
        if team.rank == 0:
            keep(_checkpoint(at, best, learner, optimizer))
    learner.load_state_dict(best)
    return Figures(at.best, before, _by_ridge(learner, lessons, device), at.epoch)


def _epoch(
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    lessons: Lessons,
    rows: np.ndarray,
    schedule: Schedule,
    epoch: int,
    device: torch.device,
    team: Team,
) -> None:
    """Every track once, beside one of the same artist."""
    rng = np.random.default_rng([schedule.seed, epoch])
    torch.manual_seed(int(rng.integers(2**31)) + team.rank)
    order = rng.permutation(rows)
    if team.size > 1:
        rng = np.random.default_rng([schedule.seed, epoch, team.rank])
    learner.train()
    step = BATCH * team.size
    for start in range(0, len(order), step):
        if len(order) - start < 2 * team.size:  # one alone has no statistics to be normalised by
            break
        first = team.part(order[start : start + step])
        both = np.concatenate([first, lessons.partners(first, rng)])
        sound = torch.from_numpy(lessons.drawn(both, rng)).to(device)
        factors, weight = (torch.from_numpy(part[both]).to(device) for part in (lessons.factors, lessons.weight))
        embedding, found = learner(sound)
        loss = (weight * (found - factors).square().mean(1)).sum() / weight.sum().clamp_min(1e-6)
        if schedule.contrastive and len(first) > 1:
            artist = torch.from_numpy(lessons.artist[both]).to(device)
            loss = loss + schedule.contrastive * nt_xent(embedding, artist)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()


def nt_xent(embedding: Tensor, artist: Tensor) -> Tensor:
    """Of pairs (i, i + b) in embedding [2 b, E]; others of the same artist [2 b] are neither partner nor stranger."""
    unit = F.normalize(embedding, dim=1)
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    left_out = artist[:, None] == artist[None, :]
    left_out[torch.arange(len(unit)), partner] = False
    cosines = (unit @ unit.T / TEMPERATURE).masked_fill(left_out, float("-inf"))
    return F.cross_entropy(cosines, partner)


@torch.inference_mode()
def _heard(
    learner: Learner, lessons: Lessons, tracks: np.ndarray, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings [n, E], factors [n, f]) of tracks: the means over their excerpts."""
    learner.eval()
    found: list[list[np.ndarray]] = [[], []]
    for track in tracks:
        for part, values in zip(found, learner(torch.from_numpy(lessons.excerpts(track)).to(device)), strict=True):
            part.append(values.mean(0).cpu().numpy())
    return np.stack(found[0]), np.stack(found[1])


def _explained(lessons: Lessons, tracks: np.ndarray, found: np.ndarray) -> float:
    """1 - weighted squared error / weighted square of the factors."""
    true, weight = lessons.factors[tracks], lessons.weight[tracks][:, None]
    return 1 - float((weight * (found - true) ** 2).sum() / max(float((weight * true**2).sum()), 1e-12))


def _by_ridge(learner: Learner, lessons: Lessons, device: torch.device) -> float:
    """What the best ridge regression from embeddings of the other tracks explains of the held-out ones."""
    rows, held = np.flatnonzero(~lessons.held), np.flatnonzero(lessons.held)
    known, unknown = (_heard(learner, lessons, part, device)[0].astype(np.float64) for part in (rows, held))
    mean, spread = known.mean(0), known.std(0) + 1e-6
    known, unknown = (np.column_stack([(part - mean) / spread, np.ones(len(part))]) for part in (known, unknown))
    weighted = known * lessons.weight[rows][:, None]
    gram, right = weighted.T @ known, weighted.T @ lessons.factors[rows]
    return max(
        _explained(lessons, held, unknown @ np.linalg.solve(gram + ridge * np.eye(len(gram)), right))
        for ridge in RIDGES
    )


def _state(learner: Learner) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in learner.state_dict().items()}


def _checkpoint(at: Progress, best: dict[str, Tensor], learner: Learner, optimizer: torch.optim.Optimizer) -> bytes:
    state = {"at": dataclasses.asdict(at), "best": best, "now": _state(learner), "optimizer": optimizer.state_dict()}
    return packed(state)


def _resumed(
    checkpoint: bytes, learner: Learner, optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor]]:
    whole = unpacked(checkpoint)
    learner.load_state_dict(whole["now"])
    optimizer.load_state_dict(whole["optimizer"])
    return Progress(**whole["at"]), whole["best"]
