"""WGAN-GP over four-bar rolls of several voices: the generator writes a phrase at once, the critic scores it.

Both are shown the bar before the phrase, so that phrases can be chained, and told style, emotion, meter and whether the
phrase opens or closes its piece. Every voice and cell holds one of the classes of `musai.music.rolls`, drawn by
Gumbel-softmax with a hard forward pass (Jang et al. 2017): nothing is binarised by a threshold, so no note falls to
pieces. What a style's voices never hold and what lies beyond the bar has no probability. Losses and the gradient
penalty are those of Gulrajani et al. 2017; conditions enter the critic by projection (Miyato and Koyama 2018); the
bar before is the condition of MidiNet (Yang et al. 2017).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.generation.phrases import BAR_CELLS, PARTS, PHRASE_BARS, cells_of
from musai.generation.quadrants import QUADRANTS
from musai.music.rolls import CLASSES, FIRST, LOWEST, SILENT

NOISE = 64  # numbers a phrase is made from
TOLD = 16  # numbers for each thing that is told
NEVER = -1e4


@dataclasses.dataclass(frozen=True)
class RollShape:
    """`lowest`, `highest`: [styles][voices] MIDI pitches in the common tonic; a voice that a style lacks has its lowest
    above its highest."""

    styles: tuple[str, ...]
    meters: tuple[tuple[int, int], ...]
    lowest: tuple[tuple[int, ...], ...]
    highest: tuple[tuple[int, ...], ...]
    width: int = 32

    @property
    def voices(self) -> int:
        return len(self.lowest[0])


class Generator(nn.Module):
    """noise [B, NOISE], before float [B, BAR_CELLS, V, CLASSES] (one-hot), asked int64 [B, 4] (style, emotion, meter,
    part) -> logits [B, PHRASE_BARS BAR_CELLS, V, CLASSES].

    `usual` [styles, meters, cells, V, CLASSES] is added to them: training begins it at the logarithm of how often each
    class stands in each cell.
    """

    allowed: Tensor
    inside: Tensor

    def __init__(self, shape: RollShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.told = _Told(shape, TOLD)
        self.cell = nn.Linear(shape.voices * CLASSES, width)
        self.heard = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv1d(width, 2 * width, 4, stride=4), nn.LeakyReLU(0.2), nn.Flatten()
        )
        heard = 2 * width * BAR_CELLS // 4
        self.start = nn.Linear(NOISE + TOLD * 4 + heard, 4 * width * PHRASE_BARS)
        self.grow = nn.Sequential(
            _Residual(4 * width), nn.ConvTranspose1d(4 * width, 2 * width, 4, stride=4),
            _Residual(2 * width), nn.ConvTranspose1d(2 * width, width, 4, stride=4),
            _Residual(width), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.classes = nn.Linear(width, shape.voices * CLASSES)
        cells = PHRASE_BARS * BAR_CELLS
        self.usual = nn.Parameter(torch.zeros(len(shape.styles), len(shape.meters), cells, shape.voices, CLASSES))
        self.register_buffer("allowed", _allowed(shape), persistent=False)
        self.register_buffer("inside", _inside(shape), persistent=False)

    def forward(self, noise: Tensor, before: Tensor, asked: Tensor) -> Tensor:
        heard = self.heard(self.cell(before.flatten(2)).transpose(1, 2))
        start = self.start(torch.cat([noise, self.told(asked).flatten(1), heard], dim=-1))
        grown = self.grow(start.reshape(len(noise), 4 * self.shape.width, PHRASE_BARS))  # [B, width, cells]
        logits: Tensor = self.classes(grown.transpose(1, 2)).unflatten(2, (self.shape.voices, CLASSES))
        logits = logits + self.usual[asked[:, 0], asked[:, 2]]
        held = self.allowed[asked[:, 0]][:, None] & self.inside[asked[:, 2]][:, :, None, None]
        held[..., SILENT] = True
        return logits.masked_fill(~held, NEVER)


class Critic(nn.Module):
    """rolls float [B, (1 + PHRASE_BARS) BAR_CELLS, V, CLASSES] (one-hot, or between two; the bar before and the
    phrase), asked int64 [B, 4] -> realism [B]."""

    def __init__(self, shape: RollShape) -> None:
        super().__init__()
        width, bars = shape.width, 1 + PHRASE_BARS
        self.cell = nn.Linear(shape.voices * CLASSES, width)
        self.look = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv1d(width, width, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv1d(width, 2 * width, 4, stride=4), nn.LeakyReLU(0.2),
            nn.Conv1d(2 * width, 2 * width, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv1d(2 * width, 4 * width, BAR_CELLS // 4, stride=BAR_CELLS // 4), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * width * bars, 4 * width), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.score = nn.Linear(4 * width, 1)
        self.told = _Told(shape, 4 * width)

    def forward(self, rolls: Tensor, asked: Tensor) -> Tensor:
        seen = self.look(self.cell(rolls.flatten(2)).transpose(1, 2))
        score: Tensor = self.score(seen)[:, 0] + (seen * self.told(asked).sum(dim=1)).sum(dim=-1)
        return score


class _Told(nn.Module):
    """asked int64 [B, 4] -> [B, 4, size]."""

    def __init__(self, shape: RollShape, size: int) -> None:
        super().__init__()
        counts = (len(shape.styles), len(QUADRANTS), len(shape.meters), len(PARTS))
        self.of = nn.ModuleList(nn.Embedding(count, size) for count in counts)

    def forward(self, asked: Tensor) -> Tensor:
        return torch.stack([table(asked[:, place]) for place, table in enumerate(self.of)], dim=1)


class _Residual(nn.Module):
    """[B, channels, T] -> the same; what it adds is normalised over channels and time of each sample alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add = nn.Sequential(
            nn.GroupNorm(4, channels), nn.LeakyReLU(0.2), nn.Conv1d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.2), nn.Conv1d(channels, channels, 3, padding=1),
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        added: Tensor = values + self.add(values)
        return added


def one_hot(rolls: Tensor) -> Tensor:
    """int [...] -> float [..., CLASSES]."""
    return F.one_hot(rolls.long(), CLASSES).float()


def drawn(logits: Tensor) -> Tensor:
    """One-hot samples whose gradient is that of the softmax."""
    return F.gumbel_softmax(logits, tau=1.0, hard=True)


def _allowed(shape: RollShape) -> Tensor:
    """bool [styles, V, CLASSES]: silence, and where a style has the voice holds and the pitches of its range."""
    pitch = torch.arange(CLASSES) - FIRST + LOWEST
    low, high = (torch.tensor(bounds)[..., None] for bounds in (shape.lowest, shape.highest))
    found = (pitch >= low) & (pitch <= high)
    found[..., :FIRST] = low <= high
    found[..., SILENT] = True
    return found


def _inside(shape: RollShape) -> Tensor:
    """bool [meters, cells of a phrase]: the cells that bars of this meter have."""
    place = torch.arange(PHRASE_BARS * BAR_CELLS) % BAR_CELLS
    return torch.stack([place < cells_of(meter) for meter in shape.meters])
