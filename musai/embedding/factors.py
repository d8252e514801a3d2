"""Content to ALS factors: what a track's factors would be if it had listeners (van den Oord et al. 2013's task).

Weighted ridge regression from all blocks of `content` at once,

    minimise  sum over heard tracks of  w |y - x B|^2  +  ridge |B|^2,      w = listeners / (listeners + 20),

fitted on each track three times: with all that is known of it, without its artist's mean, and with each block dropped
by chance, so that a track of a new artist, or one of which only the sound is there, finds itself among the examples.
An artist's mean is over the artist's other tracks. The ridge is chosen on artists that were held out whole; the
predictions are scaled so that their mean square norm there is that of the factors.
"""

from __future__ import annotations

import collections
import dataclasses
import logging

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from musai.embedding.content import ARTIST, BLOCKS, OTHERS, Content, Vocabulary

log = logging.getLogger(__name__)

RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
HALF_TRUSTED = 20.0  # listeners of a track whose factors count half
DROPPED = 0.3  # share of blocks that are dropped in the third copy
HELD_OUT = 0.15  # of the artists
LEAST_TRACKS = 20  # heard ones, to learn from


@dataclasses.dataclass
class Predictor:
    """What `fit` found. coefficients float64 [features, f]; ridge and error are for the log."""

    vocabulary: Vocabulary
    coefficients: np.ndarray
    scale: float
    ridge: float
    explained: float

    def predict(self, content: Content, artist_means: np.ndarray) -> np.ndarray:
        """float32 [n, f]."""
        rows = sp.hstack([self.vocabulary.blocks(content, artist_means)[block] for block in BLOCKS], format="csr")
        return np.asarray(rows @ self.coefficients * self.scale, np.float32)


def fit(content: Content, factors: np.ndarray, listeners: np.ndarray, seed: int) -> Predictor:
    """Learn from heard tracks: factors float32 [n, f], listeners [n]. Raises ValueError for fewer than LEAST_TRACKS."""
    if len(content) < LEAST_TRACKS:
        raise ValueError(f"{len(content)} heard tracks with content are too few to learn from")
    rng = np.random.default_rng(seed)
    groups = _groups(content)
    held = np.isin(groups, rng.permutation(groups.max() + 1)[: max(1, round(HELD_OUT * (groups.max() + 1)))])
    weights = listeners / (listeners + HALF_TRUSTED)
    artist_means = leave_one_out(content.artists, factors)
    vocabulary = Vocabulary.of(content, artist_means)
    blocks = vocabulary.blocks(content, artist_means)
    train = _copies(blocks, np.flatnonzero(~held), rng)
    errors, norms = {}, {}
    unseen = _joined(_without(blocks, np.flatnonzero(held), {ARTIST}))
    moments = _moments(train, np.tile(factors[~held], (3, 1)), np.tile(weights[~held], 3))
    for ridge in RIDGES:
        found = unseen @ _solved(*moments, ridge)
        errors[ridge] = float(np.average(((found - factors[held]) ** 2).sum(1), weights=weights[held]))
        norms[ridge] = float(np.average((found**2).sum(1), weights=weights[held]))
    ridge = min(errors, key=lambda one: errors[one])
    norm = float(np.average((factors[held].astype(float) ** 2).sum(1), weights=weights[held]))
    every = _copies(blocks, np.arange(len(content)), rng)
    coefficients = _solved(*_moments(every, np.tile(factors, (3, 1)), np.tile(weights, 3)), ridge)
    scale = float(np.sqrt(norm / max(norms[ridge], 1e-12)))
    return Predictor(vocabulary, coefficients, scale, ridge, 1 - errors[ridge] / max(norm, 1e-12))


def leave_one_out(artists: list[str | None], factors: np.ndarray) -> np.ndarray:
    """[n, f]: the mean of the artist's other tracks, pulled towards zero; NaN where there is none."""
    sums, counts = _by_artist(artists, factors)
    found = np.full(factors.shape, np.nan)
    for row, artist in enumerate(artists):
        if artist is not None and counts[artist] > 1:
            found[row] = (sums[artist] - factors[row]) / (counts[artist] - 1 + OTHERS)
    return found


def means_of(artists: list[str | None], heard: list[str | None], factors: np.ndarray) -> np.ndarray:
    """[n, f]: for tracks that are not among the heard ones, the mean of their artist's heard tracks, likewise."""
    sums, counts = _by_artist(heard, factors)
    found = np.full((len(artists), factors.shape[1]), np.nan)
    for row, artist in enumerate(artists):
        if artist is not None and counts[artist]:
            found[row] = sums[artist] / (counts[artist] + OTHERS)
    return found


def _by_artist(
    artists: list[str | None], factors: np.ndarray
) -> tuple[dict[str, np.ndarray], collections.Counter[str]]:
    sums: dict[str, np.ndarray] = {}
    for artist, vector in zip(artists, factors, strict=True):
        if artist is not None:
            sums[artist] = sums.get(artist, 0) + vector.astype(float)
    return sums, collections.Counter(artist for artist in artists if artist is not None)


def _groups(content: Content) -> np.ndarray:
    """int [n]: tracks of one artist share a number; one without an artist stands alone, and so do all of a lone artist.

    No array of texts: numpy gives each the width of the longest.
    """
    names = [artist or f"\0{track_id}" for artist, track_id in zip(content.artists, content.track_ids, strict=True)]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    if len(numbers) == 1:
        return np.arange(len(names))
    return np.array([numbers[name] for name in names])


def _copies(blocks: dict[str, sp.csr_matrix], rows: np.ndarray, rng: np.random.Generator) -> sp.csr_matrix:
    """The rows three times: whole, without the artist's mean, with blocks dropped by chance."""
    dropped = {block: rng.random(len(rows)) < DROPPED for block in BLOCKS}
    return sp.vstack(
        [
            _joined({block: part[rows] for block, part in blocks.items()}),
            _joined(_without(blocks, rows, {ARTIST})),
            _joined({block: _blanked(part[rows], dropped[block]) for block, part in blocks.items()}),
        ],
        format="csr",
    )


def _without(blocks: dict[str, sp.csr_matrix], rows: np.ndarray, left_out: set[str]) -> dict[str, sp.csr_matrix]:
    every = np.ones(len(rows), bool)
    return {name: _blanked(part[rows], every & (name in left_out)) for name, part in blocks.items()}


def _blanked(block: sp.csr_matrix, which: np.ndarray) -> sp.csr_matrix:
    """Zeros and the indicator of a missing block in those rows."""
    kept = sp.diags((~which).astype(float)) @ block
    indicator = sp.csr_matrix(
        (which.astype(float), (np.arange(len(which)), np.full(len(which), block.shape[1] - 1))), block.shape
    )
    return sp.csr_matrix(kept + indicator)


def _joined(blocks: dict[str, sp.csr_matrix]) -> sp.csr_matrix:
    return sp.hstack([blocks[block] for block in BLOCKS], format="csr")


def _moments(rows: sp.csr_matrix, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weighted = sp.diags(weights) @ rows
    return (rows.T @ weighted).toarray(), weighted.T @ targets.astype(float)


def _solved(square: np.ndarray, cross: np.ndarray, ridge: float) -> np.ndarray:
    regular = square + ridge * np.eye(len(square))
    return scipy.linalg.solve(regular, cross, assume_a="pos", overwrite_a=True)
