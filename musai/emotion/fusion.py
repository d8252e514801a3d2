"""From what several sources say of a track to one valence, one arousal, a label and a confidence.

Scale: 0 is neutral, 1 is two standard deviations of what people say of such material, in [-1, 1]. Each source gives
its estimate as the mean of a normal distribution whose spread is its error measured on held-out data. Sources are
assumed independent given the truth (no data with joint labels exists), so their densities multiply, less the prior
that each of them holds already. Where they contradict each other by more than their errors explain, the spread grows
by the Birge ratio (R. T. Birge, "The calculation of errors by the method of least squares", 1932): probabilities
level out and the confidence falls. What each source said, and that ratio, are kept beside the result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

PRIOR_SPREAD = 0.5  # of the truth around neutral; follows from the scale
NEUTRAL = 0.15  # both within this of 0: neutral
LABELS = ("happy", "calm", "sad", "tense", "neutral")
SOURCES = ("lyrics", "audio", "midi", "tags")
DISAGREEING = 2.0  # Birge ratio from which sources contradict each other: by chance 1 in 20 of two do


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Platt's map from the probability of the label to how often such a label is right:
    1 / (1 + exp(-(offset + label's own offset + slope logit p))) (J. Platt, "Probabilistic outputs for support vector
    machines", 1999). Labels have offsets, for they are not equally common and errors are no true normal distributions:
    what a source calls happy may be right far more often than what it calls sad with the same probability."""

    offset: float = 0.0
    slope: float = 1.0
    of_label: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __call__(self, probability: float, label: str | None = None) -> float:
        p = min(max(probability, 1e-6), 1 - 1e-6)
        offset = self.offset + (self.of_label.get(label, 0.0) if label else 0.0)
        return 1 / (1 + math.exp(-(offset + self.slope * math.log(p / (1 - p)))))


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one source says of a track; errors are standard deviations > 0 on held-out data."""

    source: str
    valence: float
    arousal: float
    valence_error: float
    arousal_error: float
    calibration: Calibration = dataclasses.field(default_factory=Calibration)


@dataclasses.dataclass(frozen=True)
class Emotion:
    """A row of the table `track_emotions` without its id; of `emotion_inputs`, what each source said and the larger of
    the Birge ratios of valence and arousal, None of one source alone."""

    valence: float
    arousal: float
    label: str
    probabilities: Mapping[str, float]
    sources: tuple[str, ...]
    confidence: float
    valence_by_source: Mapping[str, float]
    arousal_by_source: Mapping[str, float]
    disagreement: float | None


def fuse(readings: Sequence[Reading]) -> Emotion | None:
    """None where no source says anything."""
    if not readings:
        return None
    valences = [(r.valence, r.valence_error) for r in readings]
    arousals = [(r.arousal, r.arousal_error) for r in readings]
    valence, valence_spread = combined(valences)
    arousal, arousal_spread = combined(arousals)
    likely = probabilities(valence, valence_spread, arousal, arousal_spread)
    label = label_of(valence, arousal)
    weights = [1 / (r.valence_error * r.arousal_error) for r in readings]
    sure = sum(w * r.calibration(likely[label], label) for w, r in zip(weights, readings, strict=True)) / sum(weights)
    names = {reading.source for reading in readings}
    return Emotion(
        valence=_bounded(valence),
        arousal=_bounded(arousal),
        label=label,
        probabilities=likely,
        sources=tuple(source for source in SOURCES if source in names),
        confidence=sure,
        valence_by_source={r.source: r.valence for r in readings},
        arousal_by_source={r.source: r.arousal for r in readings},
        disagreement=max(birge_ratio(valences), birge_ratio(arousals)) if len(readings) > 1 else None,
    )


def combined(estimates: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(mean, spread) of estimates (value, error) of one quantity: precisions add up, the shared prior counts once."""
    precisions = [1 / error**2 for _, error in estimates]
    total = sum(precisions) - (len(estimates) - 1) / PRIOR_SPREAD**2
    total = max(total, *precisions)  # an error above the prior's spread never makes the others less sure
    mean = sum(p * value for p, (value, _) in zip(precisions, estimates, strict=True)) / total
    if len(estimates) == 1:
        return mean, total**-0.5
    return mean, max(1.0, birge_ratio(estimates)) * total**-0.5


def birge_ratio(estimates: Sequence[tuple[float, float]]) -> float:
    """How far two or more estimates (value, error) lie apart, over what their errors explain."""
    precisions = [1 / error**2 for _, error in estimates]
    centre = sum(p * value for p, (value, _) in zip(precisions, estimates, strict=True)) / sum(precisions)
    misfit = sum(p * (value - centre) ** 2 for p, (value, _) in zip(precisions, estimates, strict=True))
    return math.sqrt(misfit / (len(estimates) - 1))


def label_of(valence: float, arousal: float) -> str:
    if abs(valence) <= NEUTRAL and abs(arousal) <= NEUTRAL:
        return "neutral"
    if valence >= 0:
        return "happy" if arousal >= 0 else "calm"
    return "tense" if arousal >= 0 else "sad"


def probabilities(valence: float, valence_spread: float, arousal: float, arousal_spread: float) -> dict[str, float]:
    """Label -> probability under two independent normal distributions; they add up to 1."""
    v, a = _parts(valence, valence_spread), _parts(arousal, arousal_spread)
    quadrants = {"happy": (1, 1), "calm": (1, 0), "sad": (0, 0), "tense": (0, 1)}
    found = {}
    for label, (up, loud) in quadrants.items():
        found[label] = v.side[up] * a.side[loud] - v.near[up] * a.near[loud]
    found["neutral"] = sum(v.near) * sum(a.near)
    return found


@dataclasses.dataclass(frozen=True)
class _Parts:
    side: tuple[float, float]  # probability below and above 0
    near: tuple[float, float]  # of these, within NEUTRAL of 0


def _parts(mean: float, spread: float) -> _Parts:
    def below(x: float) -> float:
        return 0.5 * (1 + math.erf((x - mean) / (spread * math.sqrt(2))))

    middle = below(0)
    return _Parts((middle, 1 - middle), (middle - below(-NEUTRAL), below(NEUTRAL) - middle))


def _bounded(value: float) -> float:
    return min(1.0, max(-1.0, value))
