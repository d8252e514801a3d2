"""Training a `NoteRNN`: maximum likelihood, AdamW, the state with the best loss on held-out pieces."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.devices import Device
from musai.embedding.checkpoints import NOWHERE, Checkpoint, packed, taken_up
from musai.generation import accelerator
from musai.generation import lessons as teaching
from musai.generation.lessons import Lesson
from musai.generation.quadrants import QUADRANTS
from musai.generation.rnn import NOTHING, NoteRNN, Shape
from musai.music.tokens import END, FIELDS

PLACES = ("position", "form", "left")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Training ends after `epochs` or `minutes`, whichever comes first."""

    epochs: int = 8
    minutes: float = 15.0
    batch: int = 32
    rate: float = 3e-3
    seed: int = 1
    device: Device = "cpu"


@dataclasses.dataclass
class Trained:
    """`losses`: (nats a note on the training pieces, on the held-out ones) by epoch."""

    network: NoteRNN
    losses: list[tuple[float, float]]
    seconds: float


@dataclasses.dataclass
class Progress:
    """Where a training stands: `step` groups of the epoch are learnt, with `total` nats of `notes` notes; `spent_s`
    over all its beginnings."""

    best: dict[str, Tensor]
    epoch: int = 0
    step: int = 0
    total: float = 0.0
    notes: int = 0
    spent_s: float = 0.0
    losses: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def train(
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    shape: Shape,
    schedule: Schedule,
    say: Callable[[str], None] = lambda _: None,
    checkpoint: Checkpoint = NOWHERE,
) -> Trained:
    """The learning rate rises over the first 5% of the time and falls as a cosine to nothing.

    With a checkpoint of the same training it goes on from there: to the same weights, as far as `epochs` and not
    `minutes` set the pace.
    """
    device = accelerator.device(schedule.device)
    torch.manual_seed(schedule.seed)
    network = NoteRNN(shape).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=0.01)
    data, test = teaching.contexts(lessons), teaching.contexts(held_out)
    known = taken_up(checkpoint, network, optimizer)
    at = Progress(**known) if known else Progress(state_of(network))
    begun = time.monotonic() - at.spent_s
    loss_of = accelerator.compiled(_loss, device)
    while at.epoch < schedule.epochs and at.spent_s < 60 * schedule.minutes:
        random = np.random.default_rng([schedule.seed, at.epoch])
        groups = list(teaching.windows(lessons, data, schedule.batch, random))
        for pieces, arrays in groups[at.step :]:
            at.spent_s = time.monotonic() - begun
            done = max((at.epoch + at.step / len(groups)) / schedule.epochs, at.spent_s / 60 / schedule.minutes)
            for group in optimizer.param_groups:
                group["lr"] = (
                    schedule.rate * min(1.0, done / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
                )
            seen, asked = _given(network, lessons, pieces, arrays)
            with accelerator.mixed(device):
                loss, count = loss_of(network, seen, asked)
            optimizer.zero_grad()
            (loss / count).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            at.total, at.notes, at.step = at.total + float(loss.detach()), at.notes + count, at.step + 1
            if checkpoint.due():
                checkpoint.keep(_packed(at, network, optimizer))
            if done >= 1.0:
                break
        at.losses.append((at.total / at.notes, nats(network, held_out, test)))
        at.epoch, at.step, at.total, at.notes = at.epoch + 1, 0, 0.0, 0
        at.spent_s = time.monotonic() - begun
        say(f"epoch {at.epoch}: {at.losses[-1][0]:.3f} nats a note, {at.losses[-1][1]:.3f} on held-out pieces")
        if at.losses[-1][1] <= min(loss for _, loss in at.losses):
            at.best = state_of(network)
    checkpoint.keep(_packed(at, network, optimizer))
    network.load_state_dict(at.best)
    return Trained(network.eval().cpu(), at.losses, at.spent_s)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Its arrays, copied to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def _packed(at: Progress, network: NoteRNN, optimizer: torch.optim.Optimizer) -> bytes:
    return packed({"at": dataclasses.asdict(at), "now": state_of(network), "optimizer": optimizer.state_dict()})


@torch.no_grad()
def nats(network: NoteRNN, lessons: Sequence[Lesson], data: dict[str, np.ndarray] | None = None) -> float:
    """Mean negative log likelihood of a note, in nats; the end of a piece counts as one."""
    data = teaching.contexts(lessons) if data is None else data
    total, notes = 0.0, 0
    for pieces, arrays in teaching.windows(lessons, data, 32, np.random.default_rng(0)):
        loss, count = _loss(network, *_given(network, lessons, pieces, arrays))
        total, notes = total + float(loss), notes + count
    return total / notes


def asked_of(shape: Shape, lessons: Sequence[Lesson]) -> np.ndarray:
    """int64 [B, 3]: style, emotion and meter by number."""
    return np.array(
        [
            (shape.styles.index(one.style), QUADRANTS.index(one.emotion), shape.meters.index(one.meter))
            for one in lessons
        ]
    )


def _given(
    network: NoteRNN, lessons: Sequence[Lesson], pieces: np.ndarray, arrays: dict[str, np.ndarray]
) -> tuple[dict[str, Tensor], Tensor]:
    """(the arrays of a group of windows, what was asked for) where the network is."""
    device = next(network.parameters()).device
    seen = {name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in arrays.items()}
    seen = {name: values if values.dtype == torch.bool else values.long() for name, values in seen.items()}
    return seen, torch.from_numpy(asked_of(network.shape, [lessons[piece] for piece in pieces])).to(device)


def _loss(network: NoteRNN, seen: dict[str, Tensor], asked: Tensor) -> tuple[Tensor, int]:
    """(sum of nats, notes) of a group of windows."""
    before = {
        name: torch.where(seen["first"], NOTHING[name], seen["before"][..., place]) for place, name in enumerate(FIELDS)
    }
    was = {name: seen[f"before_{name}"] for name in PLACES}
    hidden, _ = network.state(before, was, asked)
    learnt = seen["learnt"]
    sounds = learnt & (seen["rows"][..., 0] != END)
    of_all = {name: values[learnt] for name, values in was.items()}
    shift = network.shift_logits(hidden[learnt], of_all, seen["ahead"][learnt], seen["before_began"][learnt].float())
    loss = F.cross_entropy(shift, seen["rows"][..., 0][learnt], reduction="sum")
    hidden, place = hidden[sounds], {name: seen[name][sounds] for name in PLACES}
    _, voice, pitch, duration = seen["rows"][sounds].unbind(-1)
    back, length = seen["back"][sounds], seen["length"][sounds]
    logits = (
        (network.voice_logits(hidden, place, seen["began"][sounds].float()), voice),
        (network.pitch_logits(hidden, place, back, seen["sounding"][sounds], voice), pitch),
        (network.duration_logits(hidden, place, back, length, voice, pitch), duration),
    )
    for found, truth in logits:
        loss = loss + F.cross_entropy(found, truth, reduction="sum")
    return loss, int(learnt.sum())
