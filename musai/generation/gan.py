"""WGAN-GP over four-bar rolls of several voices: the generator writes a phrase at once, the critic scores it.

Every voice and cell holds one of the classes of `musai.music.rolls`, drawn by Gumbel-softmax with a hard forward pass
(Jang et al. 2017): nothing is binarised by a threshold, so no note falls to pieces. Losses and the gradient penalty
are those of Gulrajani et al. 2017; style conditions the critic by projection (Miyato and Koyama 2018).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.music.rolls import CLASSES

PENALTY = 10.0  # weight of the gradient penalty
NOISE = 64  # numbers a phrase is made from


@dataclasses.dataclass(frozen=True)
class RollShape:
    styles: int
    voices: int
    cells: int  # of a phrase; a multiple of 16
    width: int = 64


class Generator(nn.Module):
    """noise [B, NOISE], style int64 [B] -> logits [B, V, cells, CLASSES]."""

    def __init__(self, shape: RollShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.style = nn.Embedding(shape.styles, NOISE)
        self.start = nn.Linear(2 * NOISE, 4 * width * (shape.cells // 16))
        self.grow = nn.Sequential(
            nn.ConvTranspose1d(4 * width, 2 * width, 4, stride=4), nn.BatchNorm1d(2 * width), nn.ReLU(),
            nn.ConvTranspose1d(2 * width, width, 4, stride=4), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, width, 5, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.classes = nn.Conv1d(width, shape.voices * CLASSES, 1)

    def forward(self, noise: Tensor, style: Tensor) -> Tensor:
        start = self.start(torch.cat([noise, self.style(style)], dim=-1))
        grown = self.grow(start.reshape(len(noise), 4 * self.shape.width, -1))  # [B, width, cells]
        logits: Tensor = self.classes(grown).reshape(len(noise), self.shape.voices, CLASSES, -1)
        return logits.transpose(2, 3)


class Critic(nn.Module):
    """rolls float [B, V, cells, CLASSES] (one-hot, or between two), style int64 [B] -> realism [B]."""

    def __init__(self, shape: RollShape) -> None:
        super().__init__()
        width = shape.width
        self.look = nn.Sequential(
            nn.Conv1d(shape.voices * CLASSES, width, 1), nn.LeakyReLU(0.2),
            nn.Conv1d(width, 2 * width, 4, stride=4), nn.LeakyReLU(0.2),
            nn.Conv1d(2 * width, 4 * width, 4, stride=4), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * width * (shape.cells // 16), 2 * width), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.score = nn.Linear(2 * width, 1)
        self.style = nn.Embedding(shape.styles, 2 * width)

    def forward(self, rolls: Tensor, style: Tensor) -> Tensor:
        seen = self.look(rolls.transpose(2, 3).flatten(1, 2))
        score: Tensor = self.score(seen)[:, 0] + (seen * self.style(style)).sum(dim=-1)
        return score


@dataclasses.dataclass(frozen=True)
class GanSchedule:
    steps: int = 2_000
    critic_steps: int = 3  # for each of the generator
    batch: int = 32
    rate: float = 2e-4
    seed: int = 1


def train_gan(
    rolls: np.ndarray, styles: np.ndarray, shape: RollShape, schedule: GanSchedule,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Generator, Critic, list[float]]:  # fmt: skip
    """(generator, critic, distance of the two by the critic, every tenth step) from rolls int [n, V, cells]."""
    torch.manual_seed(schedule.seed)
    random = np.random.default_rng(schedule.seed)
    generator, critic = Generator(shape), Critic(shape)
    optimizers = [torch.optim.Adam(net.parameters(), schedule.rate, (0.5, 0.9)) for net in (generator, critic)]
    distances = []
    for step in range(schedule.steps):
        for _ in range(schedule.critic_steps):
            chosen = random.integers(0, len(rolls), schedule.batch)
            style = torch.from_numpy(styles[chosen]).long()
            real = F.one_hot(torch.from_numpy(rolls[chosen]).long(), CLASSES).float()
            with torch.no_grad():
                made = drawn(generator(torch.randn(len(chosen), NOISE), style))
            distance = critic(real, style).mean() - critic(made, style).mean()
            loss = PENALTY * _penalty(critic, real, made, style) - distance
            optimizers[1].zero_grad()
            loss.backward()
            optimizers[1].step()
        loss = -critic(drawn(generator(torch.randn(schedule.batch, NOISE), style)), style).mean()
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        if step % 10 == 0:
            distances.append(float(distance.detach()))
            say(f"step {step}: distance {distances[-1]:.3f}")
    return generator.eval(), critic.eval(), distances


def drawn(logits: Tensor) -> Tensor:
    """One-hot samples whose gradient is that of the softmax."""
    return F.gumbel_softmax(logits, tau=1.0, hard=True)


@torch.no_grad()
def phrases(generator: Generator, style: int, count: int, seed: int) -> np.ndarray:
    """int64 [count, V, cells]: the likeliest class of each voice and cell; the same seed gives the same phrases."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, NOISE))).float()
    logits = generator(noise, torch.full((count,), style))
    found: np.ndarray = logits.argmax(dim=-1).numpy()
    return found


def _penalty(critic: Critic, real: Tensor, made: Tensor, style: Tensor) -> Tensor:
    """Mean squared distance from 1 of the critic's gradient, halfway between real and made at random."""
    share = torch.rand(len(real), 1, 1, 1)
    between = (share * real + (1 - share) * made).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between, style).sum(), between, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
