"""What a network is told beside the notes so far: place in the bar and the form, and what stood there bars ago.

Looking back by whole bars is the lookback of Waite et al. ("Lookback RNN", Magenta, 2016), here for several voices:
a network of small memory repeats bars and sections only where it is shown them. All of it follows from the past,
so that sampling and training share it: `Board` is filled note by note, for a batch of pieces side by side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from musai.music.tokens import LONGEST, VOICES

LAGS = (1, 2, 4, 8, 16)  # bars
FORM = 16  # the number of a bar counts modulo it, the bars that are left up to it
TOLD_LEFT = 2 * FORM + 1  # what may be told of the bars that are left
LONGEST_BAR = 96  # steps


@dataclasses.dataclass
class Board:
    """B pieces of at most T steps. `pitch`, `length` int16 [B, V, T]: the note that begins there, 0 = none;
    `next_onset` int16 [B, T]: steps from an onset to the next one, 0 = unknown; `sounding`, `free_at` [B, V]."""

    pitch: np.ndarray
    length: np.ndarray
    next_onset: np.ndarray
    sounding: np.ndarray
    free_at: np.ndarray
    bar: np.ndarray  # int [B]: steps of a bar
    told: np.ndarray  # int [B, bars + 1, 2]: what is told at each bar, as `told` has it

    @classmethod
    def empty(cls, bar: np.ndarray, plans: Sequence[np.ndarray]) -> Board:
        """`bar`: int [B], steps of a bar; `plans`: of each piece what `told` gives."""
        bars = np.array([len(plan) - 1 for plan in plans])
        batch, steps = len(bar), int((bar * bars).max())
        told = np.zeros((batch, bars.max() + 1, 2), np.int64)
        for row, plan in zip(told, plans, strict=True):
            row[: len(plan)] = plan
        return cls(
            np.zeros((batch, VOICES, steps), np.int16),
            np.zeros((batch, VOICES, steps), np.int16),
            np.zeros((batch, steps), np.int16),
            np.zeros((batch, VOICES), np.int16),
            np.zeros((batch, VOICES), np.int64),
            bar.astype(np.int64),
            told,
        )

    def place(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Of times [B]: `position` in the bar, and `form` and `left` of the bar."""
        bar = np.minimum(time // self.bar, self.told.shape[1] - 1)
        form, left = self.told[np.arange(len(time)), bar].T
        return {"position": np.minimum(time % self.bar, LONGEST_BAR - 1), "form": form, "left": left}

    def ahead(self, time: np.ndarray) -> np.ndarray:
        """Steps to the onset that followed, LAGS bars ago, this time: int64 [B, L], 0 where nothing is known."""
        places, known = self._back(time)
        found = self.next_onset[np.arange(len(time))[:, None], places]
        return np.where(known, found, 0).astype(np.int64)

    def began(self, time: np.ndarray) -> np.ndarray:
        """Which voices began a note at this time, now and LAGS bars ago: float32 [B, (1 + L) V]."""
        places, known = self._back(time)
        rows = np.arange(len(time))
        then = (self.pitch[rows[:, None], :, places] > 0) & known[:, :, None]
        now = self.pitch[rows, :, np.minimum(time, self.pitch.shape[2] - 1)] > 0
        return np.concatenate([now[:, None], then], axis=1).reshape(len(time), -1).astype(np.float32)

    def back(self, time: np.ndarray, voice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(pitch, length) of the note that began there in this voice LAGS bars ago: int64 [B, L] each, 0 = none."""
        places, known = self._back(time)
        rows = np.arange(len(time))[:, None]
        pitch, length = (array[rows, voice[:, None], places] for array in (self.pitch, self.length))
        return np.where(known, pitch, 0).astype(np.int64), np.where(known, length, 0).astype(np.int64)

    def put(self, rows: np.ndarray, time: np.ndarray, voice: np.ndarray, pitch: np.ndarray, length: np.ndarray) -> None:
        """Add a note to the pieces `rows` [b]; every other array is [b] too."""
        self.pitch[rows, voice, time] = pitch
        self.length[rows, voice, time] = length
        self.sounding[rows, voice] = pitch
        self.free_at[rows, voice] = time + length

    def move(self, rows: np.ndarray, before: np.ndarray, shift: np.ndarray) -> None:
        """Note in the pieces `rows` that the onset after `before` comes `shift` > 0 steps later."""
        self.next_onset[rows, before] = np.minimum(shift, LONGEST)

    def _back(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = time[:, None] - self.bar[:, None] * np.asarray(LAGS)
        return np.maximum(places, 0), places >= 0


def told(form: Sequence[int], upbeat: bool) -> np.ndarray:
    """int64 [bars + 1, 2], what the network is told at each bar, and after the last, of a piece whose bar b equals its
    earlier bar `form[b]`: (number of the bar modulo FORM, an upbeat not counted; bars that are left).

    Those count from where the bar is played for the last time, up to FORM; before that time FORM is added. So a phrase
    that will end the piece is known as such when it is first written.
    """
    last = {first: bar for bar, first in enumerate(form)}
    left = [min(len(form) - last[first], FORM) + FORM * (last[first] > bar) for bar, first in enumerate(form)]
    numbers = (np.arange(len(form) + 1) - upbeat) % FORM
    return np.stack([numbers, [*left, 0]], axis=1)
