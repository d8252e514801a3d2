"""Training the GAN: WGAN-GP, a few critic steps for each of the generator, whose weights are averaged over time."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from musai.devices import Device
from musai.embedding.checkpoints import NOWHERE, Checkpoint, packed, unpacked
from musai.generation import accelerator
from musai.generation.gan import NOISE, Critic, Generator, RollShape, drawn, one_hot
from musai.generation.phrases import BAR_CELLS
from musai.generation.training import state_of

PENALTY = 10.0  # weight of the gradient penalty
BETAS = (0.5, 0.9)  # of Adam, as in Gulrajani et al. 2017
RARE = 1e-3  # share of a class that never stands in a cell, at the start
SAID = 50  # steps between two figures


@dataclasses.dataclass(frozen=True)
class GanSchedule:
    """Training ends after `steps` of the generator or `minutes`, whichever comes first."""

    steps: int = 100_000
    minutes: float = 15.0
    critic_steps: int = 2  # for each of the generator
    batch: int = 16
    rate: float = 8e-4
    average: float = 0.995  # of the generator's weights, a step
    seed: int = 1
    device: Device = "cpu"


@dataclasses.dataclass
class TrainedGan:
    """`distances`: of real and made phrases by the critic, every SAID steps."""

    generator: Generator
    critic: Critic
    distances: list[float]
    steps: int


def train(
    rolls: np.ndarray, asked: np.ndarray, shape: RollShape, schedule: GanSchedule,
    say: Callable[[str], None] = lambda _: None, checkpoint: Checkpoint = NOWHERE,
) -> TrainedGan:  # fmt: skip
    """From the phrases of `musai.generation.phrases`: rolls int8 [n, cells, V], asked int64 [n, 4].

    Styles are drawn by the square root of their shares, so that a small one is heard. The rate falls to nothing.
    With a checkpoint of the same training it goes on from there, to the same weights as far as `steps` and not
    `minutes` set the pace: what is drawn in a step follows from its number.
    """
    device = accelerator.device(schedule.device)
    torch.manual_seed(schedule.seed)
    generator, critic = Generator(shape), Critic(shape)
    generator.usual.data[:] = _log_shares(rolls[:, BAR_CELLS:], asked, generator.usual.shape)
    kept = copy.deepcopy(generator)
    both = nn.ModuleDict({"generator": generator, "critic": critic, "kept": kept}).to(device)
    optimizers = [torch.optim.Adam(net.parameters(), schedule.rate, BETAS) for net in (generator, critic)]
    at = _resumed(checkpoint, both, optimizers) or Progress()
    write = accelerator.compiled(generator, device)
    share = 1 / np.sqrt(np.bincount(asked[:, 0], minlength=len(shape.styles)))[asked[:, 0]]
    begun = time.monotonic() - at.spent_s
    while at.step < schedule.steps and at.spent_s < 60 * schedule.minutes:
        done = max(at.spent_s / 60 / schedule.minutes, at.step / schedule.steps)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = schedule.rate * min(1.0, 2 * (1 - done))
        random = np.random.default_rng([schedule.seed, at.step])
        torch.manual_seed(int(random.integers(2**31)))
        for _ in range(schedule.critic_steps):
            chosen = random.choice(len(rolls), schedule.batch, p=share / share.sum())
            told = torch.from_numpy(asked[chosen]).to(device)
            real = one_hot(torch.from_numpy(rolls[chosen]).to(device))
            with torch.no_grad():
                made = _made(write, real, told)
            with accelerator.mixed(device):
                distance = critic(real, told).float().mean() - critic(made, told).float().mean()
            loss = PENALTY * _penalty(critic, real, made, told) - distance
            _step(optimizers[1], loss)
        made = _made(write, real, told)
        with accelerator.mixed(device):
            realness = critic(made, told).float().mean()
        _step(optimizers[0], -realness)
        with torch.no_grad():
            for old, new in zip(kept.parameters(), generator.parameters(), strict=True):
                old.lerp_(new, 1 - min(schedule.average, at.step / (at.step + 10)))
        if at.step % SAID == 0:
            at.distances.append(float(distance.detach()))
            say(f"step {at.step}: distance {at.distances[-1]:.3f}")
        at.step, at.spent_s = at.step + 1, time.monotonic() - begun
        if checkpoint.due():
            checkpoint.keep(_packed(at, both, optimizers))
    checkpoint.keep(_packed(at, both, optimizers))
    return TrainedGan(kept.eval().cpu(), critic.eval().cpu(), at.distances, at.step)


@dataclasses.dataclass
class Progress:
    """Where a training stands; `spent_s` over all its beginnings."""

    step: int = 0
    spent_s: float = 0.0
    distances: list[float] = dataclasses.field(default_factory=list)


def _packed(at: Progress, both: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer]) -> bytes:
    states = [optimizer.state_dict() for optimizer in optimizers]
    return packed({"at": dataclasses.asdict(at), "networks": state_of(both), "optimizers": states})


def _resumed(
    checkpoint: Checkpoint, both: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer]
) -> Progress | None:
    content = checkpoint.read()
    if content is None:
        return None
    state = unpacked(content)
    both.load_state_dict(state["networks"])
    for optimizer, own in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(own)
    return Progress(**state["at"])


@torch.no_grad()
def realism(critic: Critic, rolls: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The critic's score of each phrase, float [n]."""
    found: np.ndarray = critic(one_hot(torch.from_numpy(rolls)), torch.from_numpy(asked)).double().numpy()
    return found


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _made(write: Callable[[Tensor, Tensor, Tensor], Tensor], real: Tensor, told: Tensor) -> Tensor:
    """Phrases after the bars that stood before the real ones, those bars included."""
    before = real[:, :BAR_CELLS]
    noise = torch.randn(len(real), NOISE, device=real.device)
    with accelerator.mixed(real.device):
        logits = write(noise, before, told)
    return torch.cat([before, drawn(logits.float())], dim=1)


def _log_shares(rolls: np.ndarray, asked: np.ndarray, shape: Sequence[int]) -> Tensor:
    """float [styles, meters, cells, V, CLASSES]: of the classes among the phrases of a style and meter."""
    counts = np.zeros(shape)
    cell, voice = np.arange(shape[2])[:, None], np.arange(shape[3])
    for roll, (style, _, meter, _) in zip(rolls, asked, strict=True):
        counts[style, meter, cell, voice, roll] += 1
    return torch.from_numpy(np.log(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1) + RARE)).float()


def _penalty(critic: Critic, real: Tensor, made: Tensor, told: Tensor) -> Tensor:
    """Mean squared distance from 1 of the critic's gradient, between real and made at random."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * made).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between, told).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
