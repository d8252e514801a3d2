"""The recurrent network: a GRU over compound tokens that is told style, emotion, meter and form.

A note is predicted field by field, each given those before it:
    p(row | past) = p(shift) p(voice | shift) p(pitch | shift, voice) p(duration | shift, voice, pitch)
Beside the recurrent state, each field's head sees the place of its note in the bar and in the form, and what stood
there 1, 2, 4, 8 and 16 bars ago (`musai.generation.context`), which it may copy through a gate of its own: a pointer
(See et al., 2017) whose targets are the lags. A pitch is scored by itself and by its interval from the voice's last
one, so that steps and leaps are learnt once for all pitches. Pitches are those of C major or A minor.

References: GRU, Cho et al. 2014; Lookback RNN, Waite et al. 2016; compound words, Hsiao et al. 2021.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from musai.generation.context import FORM, LAGS, LONGEST_BAR, TOLD_LEFT
from musai.music.tokens import LONGEST, SIZES, VOICES

WIDEST = 24  # semitones of an interval; wider ones count as that
NOTHING = {"shift": LONGEST + 2, "voice": VOICES, "pitch": 0, "duration": LONGEST}  # of the row before the first


@dataclasses.dataclass(frozen=True)
class Shape:
    """What fixes the sizes of the network's arrays."""

    styles: tuple[str, ...]
    meters: tuple[tuple[int, int], ...]
    hidden: int = 256
    head: int = 128
    embedding: int = 16


class NoteRNN(nn.Module):
    """Inputs are int64 unless said otherwise; B pieces, N notes, L lags, V voices."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, size = shape, shape.embedding
        self.shift = nn.Embedding(SIZES["shift"] + 1, size)
        self.voice = nn.Embedding(VOICES + 1, size)
        self.pitch = nn.Embedding(SIZES["pitch"], size)
        self.duration = nn.Embedding(LONGEST + 1, size)
        self.position = nn.Embedding(LONGEST_BAR, size)
        self.form = nn.Embedding(FORM, size)
        self.left = nn.Embedding(TOLD_LEFT, size)
        self.style = nn.Embedding(len(shape.styles), size)
        self.emotion = nn.Embedding(4, size)
        self.meter = nn.Embedding(len(shape.meters), size)
        lags, place, began = len(LAGS), 3 * size, (1 + len(LAGS)) * VOICES
        self.gru = nn.GRU(4 * size + place + 3 * size, shape.hidden, batch_first=True)
        self.shift_head = _head(shape, place + lags * size + began, SIZES["shift"])
        self.voice_head = _head(shape, place + began, VOICES)
        self.pitch_head = _head(shape, place + (lags + VOICES + 1) * size, SIZES["pitch"])
        self.interval_head = _head(shape, place + size, 2 * WIDEST + 1)
        self.duration_head = _head(shape, place + (2 * lags + 2) * size, LONGEST)
        self.copy = nn.ModuleDict({name: nn.Linear(shape.hidden, lags) for name in ("shift", "pitch", "duration")})

    def state(
        self, before: dict[str, Tensor], place: dict[str, Tensor], asked: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(hidden [B, N, H], last state [1, B, H]) from the rows before each note, fields [B, N] each; the place
        [B, N] of the time before; and `asked` [B, 3]: style, emotion, meter."""
        told = torch.cat([self.style(asked[:, 0]), self.emotion(asked[:, 1]), self.meter(asked[:, 2])], dim=-1)
        fields = [getattr(self, name)(before[name]) for name in SIZES]
        steps = before["shift"].shape[1]
        inputs = torch.cat([*fields, self._place(place), told[:, None].expand(-1, steps, -1)], dim=-1)
        hidden, last = self.gru(inputs, state)
        return hidden, last

    def shift_logits(self, hidden: Tensor, place: dict[str, Tensor], ahead: Tensor, began: Tensor) -> Tensor:
        """[..., 98]; `ahead` [..., L], `began` float [..., (1 + L) V]."""
        logits = self.shift_head(torch.cat([hidden, self._place(place), self.shift(ahead).flatten(-2), began], dim=-1))
        return self._copied("shift", hidden, logits, ahead, ahead > 0)

    def voice_logits(self, hidden: Tensor, place: dict[str, Tensor], began: Tensor) -> Tensor:
        """[..., V]."""
        logits: Tensor = self.voice_head(torch.cat([hidden, self._place(place), began], dim=-1))
        return logits

    def pitch_logits(
        self, hidden: Tensor, place: dict[str, Tensor], back: Tensor, sounding: Tensor, voice: Tensor
    ) -> Tensor:
        """[..., 128]; `back` [..., L], `sounding` [..., V], `voice` [...]."""
        heard = [self.pitch(back).flatten(-2), self.pitch(sounding).flatten(-2), self.voice(voice)]
        logits = self.pitch_head(torch.cat([hidden, self._place(place), *heard], dim=-1))
        logits = logits + self._by_interval(hidden, place, sounding, voice)
        return self._copied("pitch", hidden, logits, back, back > 0)

    def duration_logits(
        self, hidden: Tensor, place: dict[str, Tensor], back: Tensor, length: Tensor, voice: Tensor, pitch: Tensor
    ) -> Tensor:
        """[..., 96]; `back` and `length` (steps, 0 = none) [..., L], `voice` and `pitch` [...]."""
        heard = [self.pitch(back).flatten(-2), self.duration(length).flatten(-2), self.voice(voice), self.pitch(pitch)]
        logits = self.duration_head(torch.cat([hidden, self._place(place), *heard], dim=-1))
        return self._copied("duration", hidden, logits, (length - 1).clamp(min=0), length > 0)

    def _by_interval(self, hidden: Tensor, place: dict[str, Tensor], sounding: Tensor, voice: Tensor) -> Tensor:
        """[..., 128]: what speaks for each pitch by its interval from the voice's note before; 0 without one."""
        last = sounding.gather(-1, voice[..., None])
        scores = self.interval_head(torch.cat([hidden, self._place(place), self.voice(voice)], dim=-1))
        interval = torch.arange(SIZES["pitch"], device=last.device) - last
        found: Tensor = scores.gather(-1, interval.clamp(-WIDEST, WIDEST) + WIDEST) * (last > 0)
        return found

    def _place(self, place: dict[str, Tensor]) -> Tensor:
        return torch.cat([self.position(place["position"]), self.form(place["form"]), self.left(place["left"])], dim=-1)

    def _copied(self, field: str, hidden: Tensor, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """The logits, each lag's target raised by what its gate says."""
        gate = self.copy[field](hidden) * known
        return logits.scatter_add(-1, targets, gate)


def _head(shape: Shape, inputs: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(shape.hidden + inputs, shape.head), nn.GELU(), nn.Linear(shape.head, classes))
