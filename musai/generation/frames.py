"""Next-frame models of piano rolls: what sounds at frame t, from frames < t. Nats as the literature counts them.

A recurrent network (LSTM, Hochreiter & Schmidhuber 1997) reads the frames. Its state gives the keys of the next one
    independently  p(frame) = prod over keys of p(key)                             (the rows LSTM, GRU, TCN)
    jointly        p(frame) = p(lowest) p(next above | lowest) ... p(no more | all)      (the rows RNN-RBM, RNN-NADE)
The joint form is exact: pitches ascend, each is drawn from those above the last one, and a token ends the frame. A
pitch is scored by itself and by its distance from the pitches of the frame before, so that voice leading is learnt
once for all pitches; the independent form has for that one network for all keys, which sees what sounded around its
key in the PAST frames (Johnson 2017 ties the weights of keys likewise). Pieces are moved by up to six semitones in
training. Both forms are told the frame that followed the longest earlier match of the latest frames (matches.py), and
how long that match is: parts that are played again need not be kept in the state.

Boulanger-Lewandowski, Bengio & Vincent 2012 set the task; Bai, Kolter & Koltun 2018 the figures of LSTM, GRU and TCN.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.embedding.checkpoints import NOWHERE, Checkpoint, packed, taken_up
from musai.generation import matches
from musai.generation.training import state_of

KEYS = 88
END = KEYS  # the token that ends a frame
WIDEST = 12  # semitones between a pitch and one of the frames before
PAST, TIED = 4, 48  # frames, and units of each key, of the independent form
RARE = -3.0  # log-odds of a key, at the start
SHIFTS = (-6, 5)  # semitones
FORGOTTEN = 0.1  # share of the frames that the network is not shown in training


@dataclasses.dataclass(frozen=True)
class FrameSchedule:
    """Training ends after `epochs` or `minutes` of this process's own time, or when for `patience` epochs the valid
    pieces got no likelier, three times over: each time the rate is divided by four and the best network taken up
    again."""

    epochs: int = 1_000
    minutes: float = 10.0
    patience: int = 6
    batch: int = 16
    longest: int = 200  # frames; longer pieces are cut
    rate: float = 2e-3
    decay: float = 1e-4
    seed: int = 1


class FrameRNN(nn.Module):
    """Either form; `keys` scores each key by the state alone, END is not used by the independent form."""

    def __init__(self, joint: bool, hidden: int = 384, dropout: float = 0.5) -> None:
        super().__init__()
        self.joint = joint
        self.read = nn.Linear(2 * KEYS + matches.LENGTHS, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.keys = nn.Linear(hidden, KEYS + 1)
        self.again = nn.Linear(hidden + matches.LENGTHS, 1)  # of what a match foretells
        if joint:
            self.steps = nn.Linear(hidden, 2 * WIDEST + 1)  # of the pitches of the frame before
            self.pitch = nn.Embedding(KEYS + 1, hidden)
            self.chord = nn.GRU(2 * hidden, hidden, batch_first=True)
        else:
            self.around = nn.Conv1d(PAST + 1, TIED, 2 * WIDEST + 1, padding=WIDEST)
            self.told = nn.Linear(hidden, TIED)
            self.own = nn.Parameter(torch.zeros(TIED, KEYS))
            self.tied = nn.Sequential(nn.ReLU(), nn.Dropout(dropout / 2), nn.Conv1d(TIED, 1, 1))
            self.keys.bias.data.fill_(RARE)

    def nats(self, frames: Tensor, lengths: Tensor, foretold: Tensor, match: Tensor) -> Tensor:
        """float [B, T - 1]: -log p of frames 1, 2, ... of pieces float [B, T, KEYS]; 0 beyond a piece's length.
        `foretold` float [B, T, KEYS] and `match` int64 [B, T]: what the frames before each one foretell of it."""
        before, due = frames[:, :-1], frames[:, 1:]
        given = before
        if self.training:
            given = given * (torch.rand(*given.shape[:2], 1) > FORGOTTEN)
        told = torch.cat([foretold[:, 1:], F.one_hot(match[:, 1:], matches.LENGTHS)], dim=-1)
        state = self.drop(self.lstm(self.drop(F.relu(self.read(torch.cat([given, told], dim=-1)))))[0])
        within = torch.arange(1, frames.shape[1]) < lengths[:, None]
        known = state[within], told[within]
        if self.joint:
            found = self._jointly(*known, before[within], due[within])
        else:
            past = [F.pad(before, (0, 0, back, 0))[:, : before.shape[1]] for back in range(PAST)]
            found = self._apart(*known, torch.stack(past, dim=2)[within], due[within])
        return torch.zeros(within.shape).masked_scatter(within, found)

    def _apart(self, state: Tensor, told: Tensor, past: Tensor, due: Tensor) -> Tensor:
        """`told`: [N, KEYS + LENGTHS]; `past`: [N, PAST, KEYS], the last frame first."""
        foretold, match = told[:, :KEYS], told[:, KEYS:]
        around = self.around(torch.cat([past, foretold[:, None]], dim=1))
        tied = self.tied(around + self.told(state)[..., None] + self.own)
        trust = self.again(torch.cat([state, match], dim=-1))
        logits = self.keys(state)[:, :KEYS] + tied[:, 0] + trust * (2 * foretold - 1) * (1 - match[:, :1])
        return F.binary_cross_entropy_with_logits(logits, due, reduction="none").sum(-1)

    def _jointly(self, state: Tensor, told: Tensor, before: Tensor, due: Tensor) -> Tensor:
        tokens = _tokens(due)  # [N, S]
        size = tokens.shape[1]
        begun = F.pad(tokens[:, :-1], (1, 0), value=END)
        given = torch.cat([self.pitch(begun), state[:, None].expand(-1, size, -1)], -1)
        hidden = self.drop(self.chord(given)[0]) + state[:, None]
        logits = self.keys(hidden)
        near = _spread(self.steps(hidden), before[:, None].expand(-1, size, -1))
        logits = logits + F.pad(near, (0, 1))
        last = F.pad(tokens[:, :-1], (1, 0), value=-1)
        below = torch.arange(KEYS + 1) <= last[..., None]
        below[..., END] = False  # and after the end there is only the end, which costs nothing
        foretold, match = told[:, None, :KEYS].expand(-1, size, -1), told[:, None, KEYS:].expand(-1, size, -1)
        # The lowest foretold key that may still come, or else the end.
        ahead = F.pad(foretold, (0, 1), value=1.0).masked_fill(below, 0).argmax(-1)
        trust = self.again(torch.cat([hidden, match], dim=-1)) * (1 - match[..., :1])
        logits = logits.scatter_add(-1, ahead[..., None], trust)
        found = F.cross_entropy(logits.masked_fill(below, -1e9).transpose(1, 2), tokens, reduction="none")
        return found.sum(-1)


def _spread(steps: Tensor, before: Tensor) -> Tensor:
    """[..., KEYS]: for each key the sum, over the keys that sounded before, of the score of the step from there."""
    columns = F.pad(before, (WIDEST, WIDEST)).unfold(-1, 2 * WIDEST + 1, 1)  # [..., KEYS, 2 WIDEST + 1]
    return (columns @ steps[..., None]).squeeze(-1)


def _tokens(frames: Tensor) -> Tensor:
    """int64 [N, S]: the keys that sound in ascending order, then END to the longest frame's end and once more."""
    most = int(frames.sum(-1).max()) + 1
    places = torch.where(frames > 0, torch.arange(KEYS), END)
    return torch.sort(F.pad(places, (0, 1), value=END)).values[:, :most]


@dataclasses.dataclass(frozen=True)
class Told:
    """A roll bool or integer [T, KEYS], what the frames before each one foretell of it (likewise; nothing where no
    match is), and the class of the match's length, int64 [T]."""

    roll: np.ndarray
    foretold: np.ndarray
    match: np.ndarray

    def __len__(self) -> int:
        return len(self.roll)

    def part(self, start: int, end: int) -> Told:
        return Told(self.roll[start:end], self.foretold[start:end], self.match[start:end])

    def moved(self, shift: int) -> Told:
        """Some semitones higher or lower, as far as all of it stays on the keys."""
        used = np.flatnonzero(self.roll.any(axis=0))
        if not len(used):
            return self
        by = int(np.clip(shift, -used[0], KEYS - 1 - used[-1]))
        # A part's match may lie before its beginning, with other keys: what leaves the keys is lost.
        foretold = np.roll(self.foretold, by, axis=1)
        foretold[:, slice(0, by) if by > 0 else slice(KEYS + by, KEYS)] = 0
        return Told(np.roll(self.roll, by, axis=1), foretold, self.match)


def told(piece: np.ndarray) -> Told:
    places, match = matches.longest(piece)
    return Told(piece, np.where(places[:, None] >= 0, piece[places], 0), match)


def padded(pieces: Sequence[Told]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What FrameRNN.nats takes."""
    several = nn.utils.rnn.pad_sequence
    rolls, foretold = (
        several([torch.from_numpy(np.asarray(one, np.float32)) for one in some], batch_first=True)
        for some in ([piece.roll for piece in pieces], [piece.foretold for piece in pieces])
    )
    match = several([torch.from_numpy(piece.match) for piece in pieces], batch_first=True)
    return rolls, torch.tensor([len(piece) for piece in pieces]), foretold, match


def nats_a_frame(model: FrameRNN, pieces: Sequence[np.ndarray]) -> float:
    """Mean over all frames together, the first of each piece left out."""
    return _nats_a_frame(model, [told(piece) for piece in pieces])


@torch.no_grad()
def _nats_a_frame(model: FrameRNN, pieces: Sequence[Told]) -> float:
    model.eval()
    total, frames = 0.0, 0
    for piece in pieces:
        total += float(model.nats(*padded([piece])).sum())
        frames += len(piece) - 1
    return total / frames


def train(
    joint: bool, pieces: Sequence[np.ndarray], valid: Sequence[np.ndarray], schedule: FrameSchedule,
    say: Callable[[str], None] = lambda _: None, checkpoint: Checkpoint = NOWHERE,
) -> FrameRNN:  # fmt: skip
    """The network of the epoch at which the valid pieces were likeliest; with a checkpoint of the same training it goes
    on from there."""
    torch.manual_seed(schedule.seed)
    model = FrameRNN(joint)
    length = schedule.longest
    parts = [piece.part(start, start + length) for piece in map(told, pieces) for start in range(0, len(piece), length)]
    judged = [told(piece) for piece in valid]
    cut = [part for part in parts if len(part) > 1]
    optimizer = torch.optim.AdamW(model.parameters(), schedule.rate, weight_decay=schedule.decay)
    known = taken_up(checkpoint, model, optimizer)
    at = _Progress(**known) if known else _Progress(state_of(model))
    begun = time.process_time() - at.spent_s
    while at.epoch < schedule.epochs and at.spent_s < 60 * schedule.minutes and at.falls <= 2:
        random = np.random.default_rng([schedule.seed, at.epoch])
        torch.manual_seed(int(random.integers(2**31)))
        model.train()
        for chosen in _batches([len(part) for part in cut], schedule.batch, random):
            shifts = random.integers(SHIFTS[0], SHIFTS[1] + 1, len(chosen))
            given = padded([cut[place].moved(int(by)) for place, by in zip(chosen, shifts, strict=True)])
            loss = model.nats(*given).sum() / (given[1] - 1).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        found = _nats_a_frame(model, judged)
        at.epoch, at.waited, at.spent_s = at.epoch + 1, at.waited + 1, time.process_time() - begun
        if found < at.best:
            at.best, at.kept, at.waited = found, state_of(model), 0
        elif at.waited > schedule.patience:
            at.falls, at.waited = at.falls + 1, 0
            model.load_state_dict(at.kept)
            for group in optimizer.param_groups:
                group["lr"] /= 4
        say(f"epoch {at.epoch}, {at.spent_s:.0f} s: {found:.3f} nats a frame of the valid pieces")
        if checkpoint.due():
            checkpoint.keep(_packed(at, model, optimizer))
    checkpoint.keep(_packed(at, model, optimizer))
    model.load_state_dict(at.kept)
    return model.eval()


@dataclasses.dataclass
class _Progress:
    """Where a training stands; `falls` of the rate, `spent_s` over all its beginnings."""

    kept: dict[str, Tensor]
    epoch: int = 0
    best: float = math.inf
    waited: int = 0
    falls: int = 0
    spent_s: float = 0.0


def _packed(at: _Progress, model: FrameRNN, optimizer: torch.optim.Optimizer) -> bytes:
    return packed({"at": dataclasses.asdict(at), "now": state_of(model), "optimizer": optimizer.state_dict()})


def _batches(lengths: Sequence[int], size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Pieces of like length together, in an order of chance."""
    order = np.argsort(np.array(lengths) + random.uniform(-10, 10, len(lengths)))
    found = [order[start : start + size] for start in range(0, len(order), size)]
    return [found[place] for place in random.permutation(len(found))]
