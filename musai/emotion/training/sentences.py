"""A sentence encoder learns labels of texts: those of its layers that are heard, and a linear one on their means.

As Devlin et al. (2019) fine-tune BERT, with lower rates for lower layers (Howard & Ruder 2018, "Universal language
model fine-tuning for text classification"). Word vectors and the layers below stay: they know more of the language than
the labelled texts say, and a text passes them but once. What counts is the epoch at which the dev part was likeliest,
the last one where there is none. Matrix products are in bfloat16, which takes two thirds of the time where the
processor has it. One result for a seed, interrupted or not, on one type of processor, unless the limit in minutes ended
it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from musai.embedding.checkpoints import NOWHERE, Checkpoint, packed, taken_up
from musai.emotion.encoder import HEARD, WEIGHTS, SentenceModel, Sentences, padded
from musai.emotion.training import files, schedule
from musai.emotion.training.files import Labelled
from musai.emotion.training.measures import cross_entropy

BATCH, WEIGHT_DECAY, DROPOUT = 32, 0.01, 0.1
HEAD_RATE, RATE, LOWER = 1e-3, 1.5e-4, 0.85  # of the head, of the highest layer, of a layer over the one above it
SAID_EVERY = 200  # steps


@dataclasses.dataclass(frozen=True)
class Plan:
    """At most so many epochs, and minutes of the processor."""

    epochs: int
    minutes: float
    seed: int


@dataclasses.dataclass
class Progress:
    """Where a training stands: epochs that are whole, steps of the one that runs; the best state and dev's loss."""

    kept: dict[str, Tensor]
    epoch: int = 0
    step: int = 0
    spent_s: float = 0.0
    best: float = math.inf


@dataclasses.dataclass(frozen=True)
class Passed:
    """Texts as the layers that stay hand them on: of each its states, bfloat16 [tokens, size]."""

    states: Sequence[Tensor]

    @staticmethod
    def of(sentences: Sentences, texts: Sequence[str]) -> Passed:
        ids = sentences.ids(texts)
        states = [torch.empty(0)] * len(ids)
        with torch.no_grad(), _in_bfloat16():
            for chosen in _batches(ids):
                found = sentences.encoder.lower(*padded([ids[row] for row in chosen]))
                for row, state in zip(chosen, found, strict=True):
                    states[row] = state[: len(ids[row])].to(torch.bfloat16, copy=True)
        return Passed(states)

    def rows(self, chosen: np.ndarray) -> Passed:
        return Passed([self.states[row] for row in chosen])

    def batch(self, chosen: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """(states [b, tokens, size], whether a token is there bool [b, tokens])."""
        states = [self.states[row] for row in chosen]
        x = nn.utils.rnn.pad_sequence(states, batch_first=True)
        return x, torch.arange(x.shape[1]) < torch.tensor([len(one) for one in states])[:, None]

    def scores(self, model: SentenceModel) -> np.ndarray:
        """The model's logits, float32 [texts, labels]."""
        found = np.zeros((len(self.states), len(model.offset)), np.float32)
        with torch.no_grad(), _in_bfloat16():
            for chosen in _batches(self.states):
                heard = model.sentences.encoder.upper(*self.batch(chosen)).float().numpy()
                found[chosen] = heard @ model.weights + model.offset
        return found


class Learner(nn.Module):
    """What learns: the encoder's upper layers, and `head` from what is heard of a text to logits."""

    def __init__(self, sentences: Sentences, labels: np.ndarray) -> None:
        super().__init__()
        sentences.encoder.requires_grad_(False)
        self.layers = sentences.encoder.layers[-HEARD:].requires_grad_()
        self.head = nn.Linear(sentences.width, labels.shape[1])
        often = np.clip(labels.mean(0), 1e-4, 1 - 1e-4)
        self.head.bias.data = torch.from_numpy(np.log(often / (1 - often)).astype(np.float32))

    def groups(self) -> list[dict[str, Any]]:
        """Parameters with their highest rate."""
        heights = enumerate(reversed(list(self.layers)))
        lower = [{"params": list(layer.parameters()), "highest": RATE * LOWER**depth} for depth, layer in heights]
        return [{"params": list(self.head.parameters()), "highest": HEAD_RATE}, *lower]

    def reader(self, sentences: Sentences) -> SentenceModel:
        weight, bias = (parameter.detach().numpy() for parameter in (self.head.weight, self.head.bias))
        return SentenceModel(sentences, weight.T.copy(), bias.copy())

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.state_dict().items()}


def learn(
    sentences: Sentences, passed: Passed, truth: np.ndarray, dev: Labelled | None, plan: Plan,
    say: Callable[[str], None] = lambda _: None, checkpoint: Checkpoint = NOWHERE,
) -> SentenceModel:  # fmt: skip
    """From texts that have passed the lower layers; truth bool [texts, labels]. The very encoder is changed. With a
    checkpoint of the same training it goes on from there."""
    torch.manual_seed(plan.seed)
    learner = Learner(sentences, truth)
    optimizer = torch.optim.AdamW(learner.groups(), weight_decay=WEIGHT_DECAY)
    known = taken_up(checkpoint, learner, optimizer)
    at = Progress(**known) if known else Progress(learner.state())
    labels, lengths = torch.from_numpy(truth.astype(np.float32)), [len(one) for one in passed.states]
    begun = time.process_time() - at.spent_s
    while at.epoch < plan.epochs and at.spent_s < 60 * plan.minutes:
        order = np.random.default_rng([plan.seed, at.epoch])
        groups = list(schedule.batches(lengths, BATCH, order))
        learner.train()
        for chosen in groups[at.step :]:
            steps = plan.epochs * len(groups)
            step = max(at.epoch * len(groups) + at.step, steps * at.spent_s / 60 / plan.minutes)
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * schedule.pace(step, steps)
            torch.manual_seed(hash((plan.seed, at.epoch, at.step)))  # what drops out is the same after an interruption
            loss = _loss(sentences, learner.head, passed.batch(chosen), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            at.step, at.spent_s = at.step + 1, time.process_time() - begun
            if at.step % SAID_EVERY == 0:
                say(f"sentences, epoch {at.epoch + 1}: {at.step} of {len(groups)} steps, {at.spent_s:.0f} s")
            if checkpoint.due():
                checkpoint.keep(_packed(at, learner, optimizer))
            if step >= steps:
                break
        learner.eval()
        missed = cross_entropy(learner.reader(sentences).read(dev.texts)[0], dev.labels) if dev else math.nan
        at.epoch, at.step, at.spent_s = at.epoch + 1, 0, time.process_time() - begun
        if dev is None or missed < at.best:
            at.best, at.kept = missed, learner.state()
        told = f": {missed:.4f} nats a label of dev" if dev else ""
        say(f"sentences, epoch {at.epoch} of {plan.epochs}, {at.spent_s:.0f} s{told}")
    checkpoint.keep(_packed(at, learner, optimizer))
    learner.load_state_dict(at.kept)
    return learner.reader(sentences)


def described(folder: pathlib.Path) -> dict[str, str]:
    """The encoder of a folder, for a card."""
    return {"name": folder.name, "licence": "as its owner says", **files.described(folder / WEIGHTS)}


def digest(texts: pathlib.Path, encoder: pathlib.Path, plan: Plan) -> str:
    """Of all that the training depends on."""
    told = [files.described(texts)["sha256"], files.described(encoder / WEIGHTS)["sha256"], repr(plan)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _loss(sentences: Sentences, head: nn.Linear, batch: tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
    """Binary cross-entropy, summed over the labels; labels float [b, labels]."""
    with _in_bfloat16():
        logits = head(F.dropout(sentences.encoder.upper(*batch), DROPOUT)).float()
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1).mean()


@contextlib.contextmanager
def _in_bfloat16() -> Iterator[None]:
    # torch's fused attention is slow in bfloat16 where there is a mask
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def _batches(rows: Sequence[Sized]) -> Iterator[np.ndarray]:
    """Rows of like length together: little padding."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _packed(at: Progress, learner: Learner, optimizer: torch.optim.Optimizer) -> bytes:
    return packed({"at": vars(at), "now": learner.state(), "optimizer": optimizer.state_dict()})
