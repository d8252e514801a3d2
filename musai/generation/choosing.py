"""Which of several sampled pieces is taken, so that what comes out is spread as real music of the style is.

Sampling-importance-resampling (Rubin, 1988): of a few pieces one is drawn by how much likelier each is among real
pieces than among sampled ones. That ratio of densities is the odds of a logistic regression that tells the two apart
(discriminator rejection sampling, Azadi et al. 2019). It looks at order: repeated bars and their lags, intervals,
rhythm, how many training pieces share the melody's n-grams; and at how plain the asked emotion is by the cues that
labelled the training pieces (`musai.generation.quadrants`). No note is changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from musai.errors import InputError
from musai.evaluation import music_metrics
from musai.generation import originality
from musai.generation.originality import Index
from musai.generation.quadrants import density, quadrants
from musai.generation.wishes import Draft, Wish
from musai.music.keys import key_of
from musai.music.notes import STEPS_PER_QUARTER, Piece, melody

LAGS = (1, 2, 3, 4, 6, 8)  # bars
INTERVALS = (0, 1, 3, 5, 8)  # semitones at which a class of the melody's intervals begins
LONGEST_GAP = 2 * STEPS_PER_QUARTER  # between two onsets; longer ones are of one class
EXTREME = 4.0  # deviations; what lies farther out counts as that
MATCHES = 2  # the last features are 0 or 1: they have no squares
CUES, PLAIN = slice(-4, -2), 0.5  # the two before them: mode and density, by how much they speak for the asked emotion
STRENGTH = 0.1  # inverse weight of the regression's penalty
FEWEST, MOST = 256, 2_048  # pieces that are sampled for it
CONSTANT = ("empty_bars", "qualified_notes")  # nearly, in real pieces


@dataclasses.dataclass(frozen=True)
class Chooser:
    """Of one style. `density`: the median of its pieces; `mean`, `scale`: float [F] of the features of real pieces;
    `weights`: float [2 F - MATCHES], of the scaled features and their squares."""

    density: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Log odds but for a constant, float [n], of `described` [n, F]; PLAIN more a deviation of what speaks for the
        asked emotion. Raises InputError where the chooser was fitted to other features."""
        if features.shape[1] != len(self.mean):
            raise InputError("the model was trained by another version of MusAI: run train_generators again")
        terms = _terms(features, np.array(self.mean), np.array(self.scale))
        found: np.ndarray = terms @ np.array(self.weights) + PLAIN * terms[:, : len(self.mean)][:, CUES].sum(axis=1)
        return found

    def to_json(self) -> dict[str, Any]:
        lists = {name: [round(one, 6) for one in getattr(self, name)] for name in ("mean", "scale", "weights")}
        return {"density": round(self.density, 6), **lists}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Chooser:
        return cls(content["density"], *(tuple(content[name]) for name in ("mean", "scale", "weights")))


def fitted(
    pieces: Mapping[str, Piece], index: Index, make: Callable[[Sequence[Wish]], list[Piece]], style: str
) -> Chooser:
    """From the training pieces of a style, which stand in the index, and what `make` samples for their emotions."""
    labels = quadrants(pieces)
    middle = float(np.median([density(piece) for piece in pieces.values()]))
    excerpts = {name: piece.excerpt(0, min(piece.bars, music_metrics.EXCERPT)) for name, piece in pieces.items()}
    names = sorted(name for name, piece in excerpts.items() if _sounds(piece))
    real = [described(excerpts[n], labels[n], middle, originality.known(excerpts[n], index, pieces[n])) for n in names]
    count = min(max(len(names), FEWEST), MOST)
    wishes = [Wish(style, labels[names[number % len(names)]], _seed(number, style)) for number in range(count)]
    made = [
        described(piece, wish.emotion, middle, originality.known(piece, index))
        for piece, wish in zip(make(wishes), wishes, strict=True)
        if _sounds(piece)
    ]
    return regressed(np.array(real), np.array(made), middle)


def regressed(real: np.ndarray, made: np.ndarray, middle: float, blind: slice = slice(0)) -> Chooser:
    """From the features of real music [n, F] and of what was made [m, F]; `middle`: the style's median density;
    `blind`: features that do not count."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = real.mean(axis=0), real.std(axis=0)
    scale[scale == 0] = 1.0
    terms = _terms(np.concatenate([real, made]), mean, scale)
    for of in (terms[:, : len(mean)], terms[:, len(mean) :]):
        of[:, blind] = 0.0
    model = LogisticRegression(C=STRENGTH, max_iter=500).fit(terms, [1] * len(real) + [0] * len(made))
    return Chooser(middle, tuple(mean.tolist()), tuple(scale.tolist()), tuple(model.coef_[0].tolist()))


def best(
    make: Callable[[Sequence[Wish]], list[Draft]], choosers: Mapping[str, Chooser], index: Index, candidates: int,
    wishes: Sequence[Wish],
) -> list[Draft]:  # fmt: skip
    """A draft for each wish, one of its `candidates`; the same wish gives the same draft."""
    asked = [
        dataclasses.replace(wish, seed=_seed(wish.seed, f"{number}")) for wish in wishes for number in range(candidates)
    ]
    drafts = make(asked)
    return [
        _drawn(drafts[place * candidates : (place + 1) * candidates], choosers[wish.style], index, wish)
        for place, wish in enumerate(wishes)
    ]


def described(piece: Piece, emotion: str, middle: float, known: Sequence[float]) -> np.ndarray:
    """float [F] of a piece that `_sounds`; `middle`: the median density of its style; `known`: of its n-grams."""
    values = [feature(piece) for name, feature in music_metrics.FEATURES.items() if name not in CONSTANT]
    alike = np.nan_to_num(music_metrics.bar_similarity(piece, max(LAGS)))[np.array(LAGS) - 1]
    tune, key = melody(piece), key_of(piece)
    moves, gaps = np.diff(tune.pitch), np.minimum(np.diff(tune.onset), LONGEST_GAP)
    classes = np.bincount(np.digitize(np.abs(moves), INTERVALS) - 1, minlength=len(INTERVALS)) / len(moves)
    shares = np.bincount(gaps) / len(gaps)
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    bar = tune.onset // tune.bar_steps
    rhythms = {(tune.onset[bar == number] % tune.bar_steps).tobytes() for number in range(piece.bars)}
    turns = (np.diff(np.sign(moves)) != 0).mean() if len(moves) > 1 else 0.0
    pleasant, aroused = emotion in ("happy", "calm"), emotion in ("happy", "tense")
    dense = density(piece) - middle
    return np.array(
        [
            *values, *alike, *classes, turns, entropy, len(rhythms) / piece.bars, len(tune) / piece.bars, *known,
            key.correlation, key.margin if key.minor != pleasant else -key.margin, dense if aroused else -dense,
            key.minor != pleasant, (dense >= 0) == aroused,
        ],
        float,
    )  # fmt: skip


def _seed(seed: int, what: str) -> int:
    """48 bits that follow from a seed and what it is for."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:6], "little")


def _drawn(drafts: Sequence[Draft], chooser: Chooser, index: Index, wish: Wish) -> Draft:
    """One of those that have notes, by their odds; the first where none has."""
    usable = [draft for draft in drafts if draft.piece is not None and _sounds(draft.piece)]
    if not usable:
        return drafts[0]
    features = [
        described(draft.piece, wish.emotion, chooser.density, originality.known(draft.piece, index))
        for draft in usable
        if draft.piece is not None
    ]
    scores = chooser.scores(np.array(features))
    odds = np.exp(scores - scores.max())
    return usable[int(np.random.default_rng([wish.seed, 4]).choice(len(usable), p=odds / odds.sum()))]


def _sounds(piece: Piece) -> bool:
    """Whether a piece has an interval to look at."""
    return len(np.unique(piece.onset)) > 1


def _terms(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    scaled = ((features - mean) / scale).clip(-EXTREME, EXTREME)
    return np.hstack([scaled, np.square(scaled[:, :-MATCHES])])
