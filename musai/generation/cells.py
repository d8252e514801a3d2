"""Next-cell models of chorales: which pitch each of four voices has at each sixteenth, given all cells before it.

    p(piece) = prod over frames t, voices v of  p(x[t, v] | frames before t, voices above v at t)

Rests are a class as every pitch is; nothing is told but the cells (no chord, no bar line, no fermata), so the nats a
cell compare with the joint figures of TonicNet (Peracha 2019) and of Music Transformer, not with those given a chord.
A GRU (Cho et al. 2014) reads frames: each voice's pitch, how long it has sounded, and the place of the frame among 16.
A voice's head scores each pitch by itself, by its step from the voice's pitch before and by its intervals to the voices
above, so that steps and chords are learnt once for all keys, and the pitch that a match foretells: the piece's longest
earlier place like this one (matches.py), once of all voices and once of the soprano alone. Pieces are moved by
semitones in training; in a test a cell's probability is the mean over the piece moved by each of them, a mixture, so
that it still adds up to one. Which moves there are follows from the range of the whole piece, its end included.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from musai.embedding.checkpoints import NOWHERE, Checkpoint, packed, unpacked
from musai.generation import matches
from musai.generation.training import state_of

VOICES = 4
REST, LOWEST, CLASSES = 0, 33, 53  # classes: a rest, then MIDI pitches 33 to 84
WIDEST = 24  # semitones of a step or an interval; wider ones count as that
HELD = 32  # frames; longer ones count as that
PLACES = 16  # frames of a bar of 4/4
SHIFTS = (-5, 6)  # semitones
MATCHES = 2  # kinds of matches: of all voices, of the soprano


@dataclasses.dataclass(frozen=True)
class CellSchedule:
    """Training ends after `epochs` or `minutes` of this process's own time, whatever runs beside it; the rate falls to
    nothing as a cosine over either."""

    epochs: int = 200
    minutes: float = 20.0
    batch: int = 8
    longest: int = 160  # frames a piece is cut to in training
    rate: float = 3e-3
    decay: float = 0.02
    hidden: int = 256
    dropout: float = 0.35
    seed: int = 1


class CellRNN(nn.Module):
    """Classes int64 [B, T, VOICES], soprano first."""

    def __init__(self, hidden: int = 256, dropout: float = 0.35, size: int = 32) -> None:
        super().__init__()
        self.pitch = nn.ModuleList(nn.Embedding(CLASSES, size) for _ in range(VOICES))
        self.held = nn.ModuleList(nn.Embedding(HELD + 1, size // 4) for _ in range(VOICES))
        self.place = nn.Embedding(PLACES, size // 2)
        self.match = nn.ModuleList(nn.Embedding(matches.LENGTHS, size // 4) for _ in range(MATCHES))
        inputs = VOICES * (size + size // 4) + size // 2
        self.gru = nn.GRU(inputs, hidden, num_layers=2, dropout=dropout, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.start = nn.Parameter(torch.zeros(hidden))  # stands for the frames before the first
        self.heads = nn.ModuleList(_Head(voice, hidden, inputs, size, dropout) for voice in range(VOICES))

    def logits(self, cells: Tensor, foretold: Tensor, match: Tensor) -> Tensor:
        """float [B, T, VOICES, CLASSES] of p(cell | frames before, voices above). What the frames before each one
        foretell of it: `foretold` int64 [B, T, MATCHES, VOICES], and `match`, the length's class, [B, T, MATCHES]."""
        held = held_frames(cells)
        place = torch.arange(cells.shape[1], device=cells.device) % PLACES
        of_voice = [
            torch.cat([self.pitch[v](cells[..., v]), self.held[v](held[..., v])], dim=-1) for v in range(VOICES)
        ]
        seen = torch.cat([*of_voice, self.place(place).expand(len(cells), -1, -1)], dim=-1)  # [B, T, inputs]
        hidden = self.gru(self.drop(seen[:, :-1]))[0]
        hidden = torch.cat([self.start.expand(len(cells), 1, -1), hidden], dim=1)
        told = torch.cat([torch.zeros_like(seen[:, :1]), seen[:, :-1]], dim=1)
        sure = [length(match[..., kind]) for kind, length in enumerate(self.match)]
        before = F.pad(cells[:, :-1], (0, 0, 1, 0), value=REST)
        above = [self.pitch[v](cells[..., v]) for v in range(VOICES)]
        found = []
        for v, head in enumerate(self.heads):
            ahead = [self.pitch[v](foretold[..., kind, v]) for kind in range(MATCHES)]
            right = (foretold[..., :v] == cells[..., None, :v]).flatten(-2).float()
            known = torch.cat([self.drop(hidden), told, *above[:v], *sure, *ahead, right], dim=-1)
            found.append(head(known, before, cells, foretold[..., v], match))
        return torch.stack(found, dim=2)

    def nats(self, cells: Tensor, foretold: Tensor, match: Tensor) -> Tensor:
        """float [B, T, VOICES]: -log p of every cell; 0 where it is beyond a piece (-1)."""
        found = self.logits(cells.clamp(min=0), foretold, match)
        return F.cross_entropy(found.permute(0, 3, 1, 2), cells, reduction="none", ignore_index=-1)


class _Head(nn.Module):
    """The logits of one voice, given what came before and the voices above it."""

    def __init__(self, voice: int, hidden: int, told: int, size: int, dropout: float) -> None:
        super().__init__()
        self.voice = voice
        inputs = hidden + told + voice * size + MATCHES * (size + size // 4 + voice)
        self.inner = nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout))
        self.pitches = nn.Linear(hidden, CLASSES)
        self.steps = nn.Linear(hidden, 2 * WIDEST + 1)
        self.chords = nn.ModuleList(nn.Linear(hidden, 2 * WIDEST + 1) for _ in range(voice))
        self.again = nn.Linear(hidden, MATCHES)

    def forward(self, known: Tensor, before: Tensor, cells: Tensor, foretold: Tensor, match: Tensor) -> Tensor:
        inner = self.inner(known)
        found: Tensor = self.pitches(inner) + _by_interval(self.steps(inner), before[..., self.voice])
        for voice, chord in enumerate(self.chords):
            found = found + _by_interval(chord(inner), cells[..., voice])
        return found.scatter_add(-1, foretold, self.again(inner) * (match > 0))


def _by_interval(scores: Tensor, base: Tensor) -> Tensor:
    """[..., CLASSES]: the score of each pitch's interval from the pitch `base` [...]; 0 for a rest, and from one."""
    interval = torch.arange(CLASSES, device=base.device) - base[..., None]
    found = scores.gather(-1, interval.clamp(-WIDEST, WIDEST) + WIDEST)
    known = (base[..., None] != REST) & (torch.arange(CLASSES, device=base.device) != REST)
    return found * known


def held_frames(cells: Tensor) -> Tensor:
    """int64 of the shape of `cells`: frames for which each voice has had its class, this one included, up to HELD."""
    frames = torch.arange(cells.shape[1], device=cells.device)[:, None].expand(cells.shape[1:])
    changes = torch.ones_like(cells, dtype=torch.bool)
    changes[:, 1:] = cells[:, 1:] != cells[:, :-1]
    began = torch.where(changes, frames, 0).cummax(dim=1).values
    return (frames - began + 1).clamp(max=HELD)


def classes_of(frames: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    """int64 [T, VOICES] from MIDI pitches, of which what is no pitch (NaN, or below 0) is a rest."""
    pitches = np.nan_to_num(np.asarray(frames, float), nan=-1)
    found = np.where(pitches < 0, REST, pitches - LOWEST + 1).astype(np.int64)
    if found.min(initial=0) < 0 or found.max(initial=0) >= CLASSES:
        raise ValueError(f"pitches of {LOWEST} to {LOWEST + CLASSES - 2} are due")
    return found


@dataclasses.dataclass(frozen=True)
class Told:
    """A piece int64 [T, VOICES], what the frames before each one foretell of it, [T, MATCHES, VOICES] (rests where
    there is no match), and the classes of the matches' lengths, [T, MATCHES]."""

    cells: np.ndarray
    foretold: np.ndarray
    match: np.ndarray

    def part(self, start: int, end: int) -> Told:
        return Told(self.cells[start:end], self.foretold[start:end], self.match[start:end])

    def shifts(self) -> range:
        """The semitones by which all its pitches may be moved and stay among the classes."""
        sounds = self.cells[self.cells != REST]
        if not len(sounds):
            return range(1)
        return range(max(SHIFTS[0], 1 - sounds.min()), min(SHIFTS[1], CLASSES - 1 - sounds.max()) + 1)

    def moved(self, shift: int) -> Told:
        ahead = np.where(self.foretold == REST, REST, self.foretold + shift)
        outside = (ahead < 0) | (ahead >= CLASSES)  # of a match before this part of a piece
        cells = np.where(self.cells == REST, REST, self.cells + shift)
        return Told(cells, np.where(outside, REST, ahead), self.match)


def told(cells: np.ndarray) -> Told:
    found = [matches.longest(of) for of in (cells, cells[:, :1])]
    places, match = (np.stack(some, axis=1) for some in zip(*found, strict=True))
    return Told(cells, np.where(places[..., None] >= 0, cells[places], REST), match)


def padded(pieces: Sequence[Told]) -> tuple[Tensor, Tensor, Tensor]:
    """What CellRNN.nats takes."""
    several = nn.utils.rnn.pad_sequence
    return (
        several([torch.from_numpy(piece.cells) for piece in pieces], batch_first=True, padding_value=-1),
        several([torch.from_numpy(piece.foretold) for piece in pieces], batch_first=True, padding_value=REST),
        several([torch.from_numpy(piece.match) for piece in pieces], batch_first=True),
    )


def nats_a_cell(model: CellRNN, pieces: Sequence[np.ndarray], mixed: bool = True) -> float:
    """Mean over all cells of all pieces [T, VOICES], the first frame's among them; `mixed`: over moves of the piece."""
    return _nats_a_cell(model, [told(piece) for piece in pieces], mixed)


@torch.no_grad()
def _nats_a_cell(model: CellRNN, pieces: Sequence[Told], mixed: bool) -> float:
    model.eval()
    total = 0.0
    for piece in pieces:
        nats = model.nats(*padded([piece.moved(by) for by in (piece.shifts() if mixed else (0,))])).double()
        total -= float((torch.logsumexp(-nats, dim=0) - math.log(len(nats))).sum())
    return total / sum(piece.cells.size for piece in pieces)


def repeated(train: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> float:
    """Nats a cell of the model that knows how often a cell is that of the frame before, and how often each class is
    what follows where it is not; both counted in `train`."""
    stays = np.mean(np.concatenate([(one[1:] == one[:-1]).ravel() for one in train]))
    changed = np.concatenate([one[1:][one[1:] != one[:-1]] for one in train])
    share = (np.bincount(changed, minlength=CLASSES) + 1) / (len(changed) + CLASSES)
    total = 0.0
    for one in test:
        total -= np.log(share[one[0]]).sum()
        same = one[1:] == one[:-1]
        others = np.log1p(-stays) + np.log(share[one[1:]] / (1 - share[one[:-1]]))
        total -= np.where(same, np.log(stays), others).sum()
    return total / sum(one.size for one in test)


def train(
    pieces: Sequence[np.ndarray], valid: Sequence[np.ndarray], schedule: CellSchedule,
    say: Callable[[str], None] = lambda _: None, checkpoint: Checkpoint = NOWHERE,
) -> CellRNN:  # fmt: skip
    """The network of the epoch at which the valid pieces were likeliest; with a checkpoint of the same training it goes
    on from there."""
    torch.manual_seed(schedule.seed)
    model = CellRNN(schedule.hidden, schedule.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), schedule.rate, weight_decay=schedule.decay)
    kept = checkpoint.read()
    at: dict[str, Any] = (
        unpacked(kept) if kept else {"epoch": 0, "spent_s": 0.0, "best": math.inf, "kept": state_of(model)}
    )
    if kept:
        model.load_state_dict(at["now"])
        optimizer.load_state_dict(at["optimizer"])
    known, judged = [told(piece) for piece in pieces], [told(piece) for piece in valid]
    begun = time.process_time() - at["spent_s"]
    while at["epoch"] < schedule.epochs and at["spent_s"] < 60 * schedule.minutes:
        random = np.random.default_rng([schedule.seed, at["epoch"]])
        torch.manual_seed(int(random.integers(2**31)))
        model.train()
        for given in _batches(known, schedule, random):
            done = max(at["epoch"] / schedule.epochs, (time.process_time() - begun) / 60 / schedule.minutes)
            for group in optimizer.param_groups:
                group["lr"] = (
                    schedule.rate * min(1.0, done / 0.02 + 0.05) * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
                )
            loss = model.nats(*given).sum() / (given[0] >= 0).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        found = _nats_a_cell(model, judged, mixed=False)
        at["epoch"], at["spent_s"] = at["epoch"] + 1, time.process_time() - begun
        if found < at["best"]:
            at["best"], at["kept"] = found, state_of(model)
        say(f"epoch {at['epoch']}, {at['spent_s']:.0f} s: {found:.4f} nats a cell of the valid pieces")
        if checkpoint.due():
            checkpoint.keep(packed({**at, "now": state_of(model), "optimizer": optimizer.state_dict()}))
    checkpoint.keep(packed({**at, "now": state_of(model), "optimizer": optimizer.state_dict()}))
    model.load_state_dict(at["kept"])
    return model.eval()


def _batches(
    pieces: Sequence[Told], schedule: CellSchedule, random: np.random.Generator
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """An excerpt of each piece, moved by some semitones."""
    found, order = [], random.permutation(len(pieces))
    for start in range(0, len(pieces), schedule.batch):
        chosen = []
        for place in order[start : start + schedule.batch]:
            piece = pieces[place]
            first = PLACES * int(random.integers(0, max(len(piece.cells) - schedule.longest, 0) // PLACES + 1))
            part = piece.part(first, first + schedule.longest)
            chosen.append(part.moved(int(random.choice(part.shifts()))))
        found.append(padded(chosen))
    return found
