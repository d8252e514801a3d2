"""What people's choices between two things say: strengths by Bradley and Terry, agreement by Krippendorff.

Choices are int64 [answers, 3]: rater, chosen, other; raters and things are numbered from 0.
Sources: Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 1952, fitted as in Hunter, "MM
algorithms for generalized Bradley-Terry models", Annals of Statistics 2004; Krippendorff, "Computing Krippendorff's
alpha-reliability", 2011. Imports no model.
"""

from __future__ import annotations

import dataclasses

import numpy as np

PRIOR = 0.5  # of a win each way between things that were compared: somebody who never loses stays finite
ROUNDS, TOLERANCE = 10_000, 1e-10


@dataclasses.dataclass(frozen=True)
class Chosen:
    """How often a thing is chosen over the reference, with the interval of it over raters; 0.5 is no difference."""

    share: float
    low: float
    high: float


def wins(choices: np.ndarray, things: int) -> np.ndarray:
    """int64 [things, things]: how often the row was chosen over the column."""
    counts = np.zeros((things, things), np.int64)
    np.add.at(counts, (choices[:, 1], choices[:, 2]), 1)
    return counts


def strengths(counts: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """float64 [things], of sum 1: i is chosen over j with probability s[i] / (s[i] + s[j]).

    Raises ValueError where the comparisons do not join all things.
    """
    compared = (counts + counts.T) > 0
    reach = np.linalg.matrix_power(compared.astype(float) + np.eye(len(counts)), max(len(counts) - 1, 1))
    if not (reach > 0).all():
        raise ValueError("some things were never compared with the others, not even by way of a third")
    won = counts + prior * compared
    games, of_each = won + won.T, won.sum(axis=1)
    found = np.full(len(counts), 1 / len(counts))
    for _ in range(ROUNDS):
        after = of_each / (games / (found[:, None] + found[None, :])).sum(axis=1)
        after /= after.sum()
        if np.abs(after - found).max() < TOLERANCE:
            break
        found = after
    return after


def over_reference(
    choices: np.ndarray, things: int, reference: int, resamples: int, confidence: float, seed: int
) -> list[Chosen | None]:
    """Of each thing against the reference (None at its own place); the intervals are those of raters drawn anew.

    A thing that no drawn rater was asked about is left out of that draw.
    """
    raters = np.unique(choices[:, 0])
    of_rater = np.stack([wins(choices[choices[:, 0] == rater], things) for rater in raters])
    shares = _shares(of_rater.sum(axis=0), reference)
    random = np.random.default_rng(seed)
    drawn = np.full((resamples, things), np.nan)
    for number in range(resamples):
        counts = of_rater[random.integers(0, len(raters), len(raters))].sum(axis=0)
        try:
            drawn[number] = _shares(counts, reference)
        except ValueError:  # those who were drawn had no pair that joins them all
            continue
    outside = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [outside, 1 - outside], axis=0)
    return [
        None if thing == reference else Chosen(float(shares[thing]), float(low[thing]), float(high[thing]))
        for thing in range(things)
    ]


def _shares(counts: np.ndarray, reference: int) -> np.ndarray:
    found = strengths(counts)
    return found / (found + found[reference])


def agreement(values: np.ndarray) -> float:
    """Krippendorff's alpha for nominal float [raters, units], nan where a rater gave none: 1 perfect, 0 chance.

    NaN where no unit has two values, or all values are the same.
    """
    kinds = np.unique(values[~np.isnan(values)])
    counts = np.stack([(values == kind).sum(axis=0) for kind in kinds], axis=1).astype(float)  # [units, kinds]
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return float("nan")
    of_unit = counts.sum(axis=1, keepdims=True)
    coincide = (counts.T @ (counts / (of_unit - 1))) - np.diag((counts / (of_unit - 1)).sum(axis=0))
    total, of_kind = counts.sum(), coincide.sum(axis=1)
    expected = total**2 - (of_kind**2).sum()
    if expected == 0:
        return float("nan")
    return float(1 - (total - 1) * (coincide.sum() - np.trace(coincide)) / expected)
