"""Sampling from a `NoteRNN`: hundreds of pieces side by side, each drawn with a generator of its own.

What a grammar forbids has no probability, so that every sample is music: voices hold one note at a time, notes stay in
their style's voices and ranges, no pitch sounds twice in one track, nothing rings beyond the last bar.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musai.generation.context import LAGS, Board, told
from musai.generation.quadrants import OPPOSITE
from musai.generation.repeats import Repeats
from musai.generation.rnn import NOTHING, NoteRNN
from musai.generation.sanity import near_bar_line
from musai.music.notes import STEPS_PER_QUARTER, bar_steps
from musai.music.tokens import END, FIELDS, LONGEST, SIZES, VOICES

BLOCK = 64  # pieces in one matrix product, always: the bits of a product depend on its size
MOST_NOTES = 3_000  # of a piece
NEVER = 2**40  # a step that no piece reaches
RECALLED = (4, 8, 16)  # of LAGS
FRESH = -0.5  # logits: a bar that is to be new takes after earlier ones a little less than by the network alone
PLACES = ("position", "form", "left")
RHYTHM, PITCH = (0.43, 0.75), (0.66, 1.04)  # bounds of a piece's own temperatures, of the sampler's


@dataclasses.dataclass(frozen=True)
class Sampler:
    """`temperature` of the whole distribution, then the likeliest classes that hold `nucleus` of it (Holtzman 2020).
    `recall` is added to the logit of what stood RECALLED bars ago: trained on notes one by one, the network comes back
    to its bars too seldom. Where a form says which bars come back, FRESH is added instead. `guidance`: how far the
    logits go on beyond those of the asked emotion, away from those of the opposite one (classifier-free guidance, Ho &
    Salimans 2022; of language models, Sanchez et al. 2023). `harmony` is added to the logits of the pitch classes that
    a source's other voices have at that beat. `spread`, 0 to 1: how far a piece has temperatures of its own, drawn by
    its seed: of onsets and durations within RHYTHM, of pitches within PITCH. Real pieces differ more in how surprising
    they are than what is sampled at one temperature does, and their rhythm is stricter than their tune."""

    temperature: float = 0.95
    nucleus: float = 0.95
    recall: float = 0.0
    guidance: float = 0.0
    harmony: float = 3.0
    spread: float = 0.0


@dataclasses.dataclass(frozen=True)
class Grammar:
    """What a style's pieces may hold. `track_of`: int [VOICES], the track of each voice, -1 where there is none;
    `lowest`, `highest`: int [VOICES], pitches in the common tonic; `longest`: steps of a note or a silence."""

    track_of: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    longest: int = LONGEST


@dataclasses.dataclass(frozen=True)
class Request:
    """`primer`: rows [n, 4] that open the piece; `melody`: [m, 3] of (onset, pitch, steps), the whole of voice 0, to
    which the other voices are found. Both in the common tonic. `ornamented`: the melody's notes stand, as long as the
    network likes, and voice 0 has more of them in between. `harmony`: [beats, 12], 0 to 1, the pitch classes that go
    with it, in the common tonic too. `form`: for each bar the first one that it equals; with `repeats` that one is
    played again there, and the network writes the others. `upbeat`: whether the piece begins in the second half of its
    first bar; its last bar then ends there, unless a melody says where. None where the network may choose."""

    style: int
    emotion: int
    meter: int
    bars: int
    seed: int
    primer: np.ndarray | None = None
    melody: np.ndarray | None = None
    ornamented: bool = False
    harmony: np.ndarray | None = None
    form: tuple[int, ...] | None = None
    repeats: bool = True
    upbeat: bool | None = None


def sample(
    network: NoteRNN, requests: Sequence[Request], grammars: Sequence[Grammar], sampler: Sampler
) -> list[np.ndarray]:
    """Rows int16 [n, 4] of each request. The same request gives the same rows in whatever company it is asked."""
    found: list[np.ndarray] = []
    for first in range(0, len(requests), BLOCK):
        block = list(requests[first : first + BLOCK])
        filled = block + [block[-1]] * (BLOCK - len(block))
        found += _Block(network, filled, [grammars[one.style] for one in filled], sampler).run()[: len(block)]
    return found


class _Block:
    def __init__(
        self, network: NoteRNN, requests: Sequence[Request], grammars: Sequence[Grammar], sampler: Sampler
    ) -> None:
        self.network, self.requests, self.sampler = network, requests, sampler
        self.bar = np.array([bar_steps(network.shape.meters[one.meter]) for one in requests])
        self.end = self.bar * np.array([one.bars for one in requests])
        self.last_bar = self.end - self.bar
        self.board = Board.empty(self.bar, [told(one.form or range(one.bars), bool(one.upbeat)) for one in requests])
        free = [one.upbeat is None or one.melody is not None for one in requests]
        self.upbeat = np.where(free, -1, [bool(one.upbeat) for one in requests])
        self.track_of = np.stack([grammar.track_of for grammar in grammars])
        pitches, steps = np.arange(SIZES["pitch"]), np.arange(1, LONGEST + 1)
        low, high = (np.stack([getattr(grammar, name) for grammar in grammars]) for name in ("lowest", "highest"))
        self.in_range = (pitches >= low[:, :, None]) & (pitches <= high[:, :, None])
        self.short = steps <= np.array([grammar.longest for grammar in grammars])[:, None]
        self.random = [np.random.default_rng(one.seed) for one in requests]
        lots = np.array([np.random.default_rng([one.seed, 5]).random(2) for one in requests])
        low, high = np.array([RHYTHM, PITCH]).T
        own = 1 + sampler.spread * (low + lots * (high - low) - 1)
        self.rhythm, self.tune = (sampler.temperature * own).T[:, :, None]  # temperatures, float [B, 1]
        self.time = np.zeros(len(requests), np.int64)
        self.first = np.full(len(requests), -1)  # onset of the first note
        self.last_voice = np.full(len(requests), -1)  # of the onset that is being filled
        self.melody = _padded([one.melody for one in requests])
        self.ornamented = np.array([one.ornamented for one in requests])
        given = np.array([one.melody is not None for one in requests])
        self.whole = given & ~self.ornamented  # nothing of voice 0 is asked of the network
        self.sung = np.zeros(len(requests), np.int64)  # notes of the melody that are placed
        pairs = zip(requests, self.bar.tolist(), strict=True)
        self.repeats = [Repeats(one.form, bar) if one.form and one.repeats else None for one, bar in pairs]
        beats = -(-int(self.end.max()) // STEPS_PER_QUARTER)
        self.harmony = np.zeros((len(requests), beats, 12))
        for own, one in zip(self.harmony, requests, strict=True):
            if one.harmony is not None:
                own[: len(one.harmony)] = one.harmony[:beats]
        far = torch.tensor([float(lag in RECALLED) for lag in LAGS])
        self.raised = torch.tensor([FRESH if one else sampler.recall for one in self.repeats])[:, None] * far
        asked = [(one.style, one.emotion, one.meter) for one in requests]
        if sampler.guidance:  # the network is asked twice, in one product
            asked += [(one.style, OPPOSITE[one.emotion], one.meter) for one in requests]
        self.asked = torch.tensor(asked)

    @torch.no_grad()
    def run(self) -> list[np.ndarray]:
        size = len(self.requests)
        row = np.tile(np.array([NOTHING[name] for name in FIELDS]), (size, 1))
        rows: list[list[np.ndarray]] = [[] for _ in range(size)]
        going, state = np.ones(size, bool), None
        for note in range(MOST_NOTES):
            before = {name: _tensor(row[:, place])[:, None] for place, name in enumerate(FIELDS)}
            was = _tensors(self.board.place(self.time))
            place = {name: was[name][:, None] for name in PLACES}
            hidden, state = self.network.state(self._twice(before), self._twice(place), self.asked, state)
            row = self._row(hidden[:, 0], was, self._forced(note))
            going &= row[:, 0] != END
            if not going.any():
                break
            for piece in np.flatnonzero(going):
                rows[piece].append(row[piece].astype(np.int16))
        return [np.array(notes, np.int16).reshape(-1, len(FIELDS)) for notes in rows]

    def _forced(self, note: int) -> np.ndarray:
        """int [B, 4]: the row of the primer, or of a bar that is played again; -1 where there is none."""
        forced = np.full((len(self.requests), len(FIELDS)), -1)
        for piece, request in enumerate(self.requests):
            if request.primer is not None and note < len(request.primer):
                forced[piece] = request.primer[note]
        for piece, again in enumerate(self.repeats):
            if again and again.due:
                forced[piece] = again.next_row(int(self.time[piece]))
        return forced

    def _row(self, hidden: Tensor, was: dict[str, Tensor], forced: np.ndarray) -> np.ndarray:
        """The next row [B, 4] of every piece; those that end get the shift END and place no note."""
        network, board, every = self.network, self.board, np.arange(len(self.requests))
        draws = np.stack([random.random(len(FIELDS)) for random in self.random])
        ahead, began = _tensor(board.ahead(self.time)), torch.from_numpy(board.began(self.time))
        logits = self._recalled(self._guided(network.shift_logits, hidden, was, ahead, began), ahead, ahead)
        shift = self._drawn(logits, self._shifts(), draws[:, 0], forced[:, 0], self.rhythm)
        self._repeat(shift, forced)
        sounds = np.flatnonzero(shift != END)
        moved = sounds[shift[sounds] > 0]
        board.move(moved, self.time[moved], shift[moved])
        self.time[sounds] += shift[sounds]
        self._begin(sounds[self.first[sounds] < 0])
        self.last_voice[moved] = -1
        place, began = _tensors(board.place(self.time)), torch.from_numpy(board.began(self.time))
        logits = self._guided(network.voice_logits, hidden, place, began)
        voice = self._drawn(logits, self._voices(), draws[:, 1], forced[:, 1], self.sampler.temperature)
        sings = (self._coming() == self.time) & (voice == 0) & (shift != END)
        given = self.melody[every, self.sung]
        forced[sings, 2] = given[sings, 1]
        forced[sings & self.whole, 3] = given[sings & self.whole, 2] - 1
        self.sung += sings
        back, length = (_tensor(values) for values in board.back(self.time, voice))
        sounding = _tensor(board.sounding)
        logits = self._guided(network.pitch_logits, hidden, place, back, sounding, _tensor(voice))
        logits = self._harmonised(self._recalled(logits, back, back))
        pitch = self._drawn(logits, self._pitches(every, voice), draws[:, 2], forced[:, 2], self.tune)
        then = (back, length, _tensor(voice), _tensor(pitch))
        logits = self._guided(network.duration_logits, hidden, place, *then)
        logits = self._recalled(logits, (length - 1).clamp(min=0), length)
        duration = self._drawn(logits, self._durations(), draws[:, 3], forced[:, 3], self.rhythm)
        board.put(sounds, self.time[sounds], voice[sounds], pitch[sounds], duration[sounds] + 1)
        self.last_voice[sounds] = voice[sounds]
        for piece in sounds:
            if again := self.repeats[piece]:
                again.put(int(self.time[piece]), int(voice[piece]), int(pitch[piece]), int(duration[piece]))
        return np.stack([shift, voice, pitch, duration], axis=1)

    def _begin(self, pieces: np.ndarray) -> None:
        """Note the first onset; after an upbeat the last bar is as much shorter."""
        self.first[pieces] = self.time[pieces]
        for piece in pieces[self.upbeat[pieces] > 0]:
            self.end[piece] -= self.bar[piece] - self.first[piece]
            if again := self.repeats[piece]:
                again.end = int(self.end[piece])

    def _repeat(self, shift: np.ndarray, forced: np.ndarray) -> None:
        """Where a shift leads into a bar that is to be an earlier one again, or beyond, it leads to that bar's first
        note instead."""
        for piece, again in enumerate(self.repeats):
            time = int(self.time[piece])
            if again and not again.due and shift[piece] != END and again.begin(time, time + int(shift[piece])):
                forced[piece] = again.next_row(time)
                shift[piece] = forced[piece, 0]

    def _twice(self, given: Any) -> Any:
        """For the emotion that is asked for and its opposite, where there is guidance: tensors, or dicts of them."""
        if not self.sampler.guidance:
            return given
        if isinstance(given, dict):
            return {name: self._twice(values) for name, values in given.items()}
        return torch.cat([given, given])

    def _guided(self, head: Callable[..., Tensor], hidden: Tensor, *given: Any) -> Tensor:
        logits = head(hidden, *map(self._twice, given))
        if not self.sampler.guidance:
            return logits
        asked, opposite = logits.chunk(2)
        return asked + self.sampler.guidance * (asked - opposite)

    def _recalled(self, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """The logits [B, C] with what stood there bars ago, `targets` int64 [B, L] where `known` > 0, raised."""
        return logits.scatter_add(-1, targets, self.raised * (known > 0))

    def _harmonised(self, logits: Tensor) -> Tensor:
        """The logits [B, 128] of pitches with those of the harmony raised."""
        beat = np.minimum(self.time // STEPS_PER_QUARTER, self.harmony.shape[1] - 1)
        now = self.harmony[np.arange(len(beat)), beat][:, np.arange(SIZES["pitch"]) % 12]
        return logits + self.sampler.harmony * torch.from_numpy(now)

    def _shifts(self) -> np.ndarray:
        """bool [B, 98]: 0 where a later voice is free, more where any is; END in the last bar, near its line, or where
        all else is forbidden."""
        owned, begun = self.track_of >= 0, self.first >= 0
        later = np.arange(VOICES) > self.last_voice[:, None]
        steps = np.arange(1, LONGEST + 1)
        asked = owned & ~(self.whole[:, None] & (np.arange(VOICES) == 0))
        first_free = np.where(asked, self.board.free_at, NEVER).min(axis=1)
        times = self.time[:, None] + steps
        onward = (times >= first_free[:, None]) & (times < self.end[:, None])
        onward &= begun[:, None] | (times < self.bar[:, None])  # the first note is in the first bar
        late = 2 * times >= self.bar[:, None]
        onward &= begun[:, None] | (self.upbeat < 0)[:, None] | (late == (self.upbeat > 0)[:, None])
        onward &= self.short | (times <= first_free[:, None])
        now = (asked & later & (self.board.free_at <= self.time[:, None])).any(axis=1)
        after = [again.after(int(time)) if again else 0 for again, time in zip(self.repeats, self.time, strict=True)]
        onward &= times >= np.array(after)[:, None]
        now &= (self.time >= after) & (begun | (self.upbeat < 1))
        last = (self.time >= self.last_bar) & begun
        last &= near_bar_line(self.board.free_at.max(axis=1), self.first, self.bar)
        allowed = np.concatenate([now[:, None], onward, last[:, None]], axis=1)
        self._up_to_melody(allowed)
        allowed[~allowed.any(axis=1), END] = True
        return allowed

    def _up_to_melody(self, allowed: np.ndarray) -> None:
        """No shift goes past the melody's next note, the one to it is allowed, and the end comes after its last."""
        coming = self._coming()
        due = coming < NEVER
        ahead = (coming - self.time)[due, None]
        shifts = np.arange(END + 1)
        allowed[due] = (allowed[due] & (shifts < ahead)) | (shifts == ahead)

    def _coming(self) -> np.ndarray:
        """int [B]: the onset of the melody's next note, NEVER without one."""
        return self.melody[np.arange(len(self.sung)), self.sung, 0]

    def _voices(self) -> np.ndarray:
        """bool [B, V]: of the style, free, and after the voice of the row before where the onset is the same."""
        free = (self.track_of >= 0) & (self.board.free_at <= self.time[:, None])
        allowed = free & (np.arange(VOICES) > self.last_voice[:, None])
        sings = self._coming() == self.time
        allowed[self.whole, 0] = False
        allowed[sings] = np.arange(VOICES) == 0
        return allowed

    def _pitches(self, every: np.ndarray, voice: np.ndarray) -> np.ndarray:
        """bool [B, 128]: in the voice's range, and not sounding in another voice of its track."""
        allowed = self.in_range[every, voice].copy()
        same = self.track_of == self.track_of[every, voice][:, None]
        held = same & (self.board.free_at > self.time[:, None])
        piece, other = np.nonzero(held)
        allowed[piece, self.board.sounding[piece, other]] = False
        return allowed

    def _durations(self) -> np.ndarray:
        """bool [B, 96]: up to the style's longest, the end of the piece, and the next note of a melody that is
        ornamented."""
        until = np.where(self.ornamented, np.minimum(self._coming(), self.end), self.end)
        limits = [
            again.limit(time) if again else end
            for again, time, end in zip(self.repeats, self.time.tolist(), self.end.tolist(), strict=True)
        ]
        until = np.minimum(until, limits)
        return self.short & (self.time[:, None] + np.arange(1, LONGEST + 1) <= until[:, None])

    def _drawn(
        self, logits: Tensor, allowed: np.ndarray, draws: np.ndarray, forced: np.ndarray, heat: np.ndarray | float
    ) -> np.ndarray:
        """A class for each piece, int64 [B], by the inverse of the cumulated probabilities; `heat`: temperature."""
        scores = logits.double().numpy() / heat
        scores[~allowed] = -np.inf
        scores[~allowed.any(axis=1), 0] = 0.0  # a piece that has ended: what it draws is not used
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        order = np.argsort(-weights, axis=1, kind="stable")
        ranked = np.take_along_axis(weights, order, axis=1)
        ranked /= ranked.sum(axis=1, keepdims=True)
        ranked[ranked.cumsum(axis=1) - ranked > self.sampler.nucleus] = 0.0
        mass = ranked.cumsum(axis=1)
        chosen = (mass < draws[:, None] * mass[:, -1:]).sum(axis=1)
        return np.where(forced >= 0, forced, order[np.arange(len(order)), chosen])


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values).astype(np.int64))


def _tensors(values: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: _tensor(array) for name, array in values.items()}


def _padded(melodies: Sequence[np.ndarray | None]) -> np.ndarray:
    """int64 [B, longest + 1, 3]; after the last note comes one that is never due."""
    longest = max((len(one) for one in melodies if one is not None), default=0)
    found = np.full((len(melodies), longest + 1, 3), NEVER, np.int64)
    for piece, melody in enumerate(melodies):
        if melody is not None:
            found[piece, : len(melody)] = melody
    return found
