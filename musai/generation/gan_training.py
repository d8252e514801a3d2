"""Training the GAN: WGAN-GP, a few critic steps for each of the generator, whose weights are averaged over time."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from musai.generation.gan import NOISE, Critic, Generator, RollShape, drawn, one_hot
from musai.generation.phrases import BAR_CELLS

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


@dataclasses.dataclass
class TrainedGan:
    """`distances`: of real and made phrases by the critic, every SAID steps."""

    generator: Generator
    critic: Critic
    distances: list[float]
    steps: int


def train(
    rolls: np.ndarray, asked: np.ndarray, shape: RollShape, schedule: GanSchedule,
    say: Callable[[str], None] = lambda _: None,
) -> TrainedGan:  # fmt: skip
    """From the phrases of `musai.generation.phrases`: rolls int8 [n, cells, V], asked int64 [n, 4].

    Styles are drawn by the square root of their shares, so that a small one is heard. The rate falls to nothing.
    """
    torch.manual_seed(schedule.seed)
    random = np.random.default_rng(schedule.seed)
    generator, critic = Generator(shape), Critic(shape)
    generator.usual.data[:] = _log_shares(rolls[:, BAR_CELLS:], asked, generator.usual.shape)
    kept = copy.deepcopy(generator)
    optimizers = [torch.optim.Adam(net.parameters(), schedule.rate, BETAS) for net in (generator, critic)]
    share = 1 / np.sqrt(np.bincount(asked[:, 0], minlength=len(shape.styles)))[asked[:, 0]]
    begun, distances, step = time.monotonic(), [], 0
    while step < schedule.steps and (done := (time.monotonic() - begun) / 60 / schedule.minutes) < 1:
        done = max(done, step / schedule.steps)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = schedule.rate * min(1.0, 2 * (1 - done))
        for _ in range(schedule.critic_steps):
            chosen = random.choice(len(rolls), schedule.batch, p=share / share.sum())
            real, told = one_hot(torch.from_numpy(rolls[chosen])), torch.from_numpy(asked[chosen])
            with torch.no_grad():
                made = _made(generator, real, told)
            distance = critic(real, told).mean() - critic(made, told).mean()
            loss = PENALTY * _penalty(critic, real, made, told) - distance
            _step(optimizers[1], loss)
        _step(optimizers[0], -critic(_made(generator, real, told), told).mean())
        with torch.no_grad():
            for old, new in zip(kept.parameters(), generator.parameters(), strict=True):
                old.lerp_(new, 1 - min(schedule.average, step / (step + 10)))
        if step % SAID == 0:
            distances.append(float(distance.detach()))
            say(f"step {step}: distance {distances[-1]:.3f}")
        step += 1
    return TrainedGan(kept.eval(), critic.eval(), distances, step)


@torch.no_grad()
def realism(critic: Critic, rolls: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The critic's score of each phrase, float [n]."""
    found: np.ndarray = critic(one_hot(torch.from_numpy(rolls)), torch.from_numpy(asked)).double().numpy()
    return found


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _made(generator: Generator, real: Tensor, told: Tensor) -> Tensor:
    """Phrases after the bars that stood before the real ones, those bars included."""
    before = real[:, :BAR_CELLS]
    return torch.cat([before, drawn(generator(torch.randn(len(real), NOISE), before, told))], dim=1)


def _log_shares(rolls: np.ndarray, asked: np.ndarray, shape: Sequence[int]) -> Tensor:
    """float [styles, meters, cells, V, CLASSES]: of the classes among the phrases of a style and meter."""
    counts = np.zeros(shape)
    cell, voice = np.arange(shape[2])[:, None], np.arange(shape[3])
    for roll, (style, _, meter, _) in zip(rolls, asked, strict=True):
        counts[style, meter, cell, voice, roll] += 1
    return torch.from_numpy(np.log(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1) + RARE)).float()


def _penalty(critic: Critic, real: Tensor, made: Tensor, told: Tensor) -> Tensor:
    """Mean squared distance from 1 of the critic's gradient, between real and made at random."""
    share = torch.rand(len(real), 1, 1, 1)
    between = (share * real + (1 - share) * made).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between, told).sum(), between, create_graph=True)
    return F.mse_loss(slope.flatten(1).norm(dim=1), torch.ones(len(real)))
