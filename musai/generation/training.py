"""Training a `NoteRNN`: maximum likelihood, AdamW, the state with the best loss on held-out pieces."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

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
    device: str = "cpu"


@dataclasses.dataclass
class Trained:
    """`losses`: (nats a note on the training pieces, on the held-out ones) by epoch."""

    network: NoteRNN
    losses: list[tuple[float, float]]
    seconds: float


def train(
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    shape: Shape,
    schedule: Schedule,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """The learning rate rises over the first 5% of the time and falls as a cosine to nothing."""
    torch.manual_seed(schedule.seed)
    random = np.random.default_rng(schedule.seed)
    network = NoteRNN(shape).to(schedule.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=0.01)
    data, test = teaching.contexts(lessons), teaching.contexts(held_out)
    begun, best, losses = time.monotonic(), copy.deepcopy(network.state_dict()), []
    for epoch in range(schedule.epochs):
        total, notes = 0.0, 0
        groups = list(teaching.windows(lessons, data, schedule.batch, random))
        for number, (pieces, arrays) in enumerate(groups):
            done = max(
                (epoch + number / len(groups)) / schedule.epochs, (time.monotonic() - begun) / 60 / schedule.minutes
            )
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate * min(1.0, done / 0.05 + 0.02) * 0.5 * (1 + np.cos(np.pi * min(done, 1.0)))
            loss, count = _loss(network, lessons, pieces, arrays, schedule.device)
            optimizer.zero_grad()
            (loss / count).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total, notes = total + float(loss.detach()), notes + count
            if done >= 1.0:
                break
        losses.append((total / notes, nats(network, held_out, test, schedule.device)))
        say(f"epoch {epoch + 1}: {losses[-1][0]:.3f} nats a note, {losses[-1][1]:.3f} on held-out pieces")
        if losses[-1][1] <= min(loss for _, loss in losses):
            best = copy.deepcopy(network.state_dict())
        if (time.monotonic() - begun) / 60 >= schedule.minutes:
            break
    network.load_state_dict(best)
    return Trained(network.eval(), losses, time.monotonic() - begun)


@torch.no_grad()
def nats(
    network: NoteRNN, lessons: Sequence[Lesson], data: dict[str, np.ndarray] | None = None, device: str = "cpu"
) -> float:
    """Mean negative log likelihood of a note, in nats; the end of a piece counts as one."""
    data = teaching.contexts(lessons) if data is None else data
    total, notes = 0.0, 0
    for pieces, arrays in teaching.windows(lessons, data, 32, np.random.default_rng(0)):
        loss, count = _loss(network, lessons, pieces, arrays, device)
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


def _loss(
    network: NoteRNN, lessons: Sequence[Lesson], pieces: np.ndarray, arrays: dict[str, np.ndarray], device: str
) -> tuple[Tensor, int]:
    """(sum of nats, notes) of a group of windows."""
    seen = {name: torch.from_numpy(np.ascontiguousarray(values)).to(device) for name, values in arrays.items()}
    seen = {name: values if values.dtype == torch.bool else values.long() for name, values in seen.items()}
    asked = torch.from_numpy(asked_of(network.shape, [lessons[piece] for piece in pieces])).to(device)
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
