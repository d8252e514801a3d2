"""How like real music generated music is: pure functions of pieces, no model.

Features are numbers of one piece (or excerpt); an overlapping area compares their distribution over two sets of
pieces (Yang and Lerch, 2020): 1 where the two are equal, 0 where they never meet. Features that look at notes without
their order cannot tell a tune from its shuffled notes, so half of ours look at order. Pitches are MIDI numbers, times
steps of 1/12 quarter note. Empty pieces have no features: `validate` refuses them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from musai.errors import InputError
from musai.music.keys import key_of
from musai.music.notes import STEPS_PER_QUARTER, Piece, melody

LAGS = 16  # bars, of `bar_similarity`
SMALL_STEP = 2  # semitones
EXCERPT = 16  # bars


def validate(piece: Piece) -> None:
    """Raises InputError for a piece of fewer than two notes at different times."""
    if len(np.unique(piece.onset)) < 2:
        raise InputError("a piece of two notes at least is due")


def pitches(piece: Piece) -> float:
    """Different pitches."""
    return float(len(np.unique(piece.pitch)))


def pitch_range(piece: Piece) -> float:
    """Semitones from the lowest to the highest pitched note."""
    return float(np.ptp(piece.pitched().pitch))


def notes_a_bar(piece: Piece) -> float:
    return len(piece) / max(piece.bars, 1)


def inter_onset(piece: Piece) -> float:
    """Mean time between one onset and the next, in quarter notes."""
    return float(np.diff(np.unique(piece.onset)).mean()) / STEPS_PER_QUARTER


def pitch_classes_a_bar(piece: Piece) -> float:
    """Mean number of pitch classes that begin in a bar, over the bars with notes."""
    pairs = np.unique(piece.onset // piece.bar_steps * 12 + piece.pitch % 12)
    return len(pairs) / len(np.unique(pairs // 12))


def repeated_bars(piece: Piece) -> float:
    """Share of the bars with notes that are equal to an earlier one, in onsets, pitches and durations."""
    seen: set[bytes] = set()
    repeated = filled = 0
    rows = np.stack([piece.onset % piece.bar_steps, piece.pitch, piece.duration], axis=1)
    for bar in range(piece.bars):
        content = rows[piece.onset // piece.bar_steps == bar].tobytes()
        filled += bool(content)
        repeated += bool(content) and content in seen
        seen.add(content)
    return repeated / max(filled, 1)


def compression_ratio(piece: Piece) -> float:
    """Bytes of the melody's pitches after zlib, over those before."""
    line = melody(piece).pitch.astype(np.uint8).tobytes()
    return len(zlib.compress(line, 9)) / len(line)


def small_steps(piece: Piece) -> float:
    """Share of the melody's intervals of at most SMALL_STEP semitones."""
    return float((np.abs(np.diff(melody(piece).pitch)) <= SMALL_STEP).mean())


def scale_consistency(piece: Piece) -> float:
    """Share of the notes in the scale of the piece's own key (of minor: natural, with the raised 6th and 7th)."""
    key = key_of(piece)
    scale = {*key.scale, (key.tonic + 9) % 12, (key.tonic + 11) % 12} if key.minor else set(key.scale)
    return float(np.isin(piece.pitched().pitch % 12, list(scale)).mean())


def groove_consistency(piece: Piece) -> float:
    """1 - the share of a bar's places at which one of two neighbouring bars has an onset and the other has none."""
    grid = _onsets(piece)
    return 1.0 if len(grid) < 2 else float(1 - (grid[1:] != grid[:-1]).mean())


def empty_bars(piece: Piece) -> float:
    """Share of the bars in which no note begins."""
    return float((~_onsets(piece).any(axis=1)).mean())


def qualified_notes(piece: Piece) -> float:
    """Share of the notes of a thirty-second and more (3 of MuseGAN's 24 steps a quarter note)."""
    return float((piece.duration * 8 >= STEPS_PER_QUARTER).mean())


FEATURES: dict[str, Callable[[Piece], float]] = {
    "pitches": pitches,
    "pitch_range": pitch_range,
    "notes_a_bar": notes_a_bar,
    "inter_onset": inter_onset,
    "pitch_classes_a_bar": pitch_classes_a_bar,
    "repeated_bars": repeated_bars,
    "compression_ratio": compression_ratio,
    "small_steps": small_steps,
    "scale_consistency": scale_consistency,
    "groove_consistency": groove_consistency,
    "empty_bars": empty_bars,
    "qualified_notes": qualified_notes,
}


def features(piece: Piece) -> dict[str, float]:
    """Every feature of FEATURES by name. Raises InputError as `validate`."""
    validate(piece)
    return {name: feature(piece) for name, feature in FEATURES.items()}


def transitions(pieces: Sequence[Piece]) -> np.ndarray:
    """How often one pitch class of a melody follows another, each tune moved to the tonic C: float64 [12, 12], of
    sum 1."""
    counts = np.zeros((12, 12))
    for piece in pieces:
        line = (melody(piece).pitch - key_of(piece).tonic) % 12
        np.add.at(counts, (line[:-1], line[1:]), 1)
    return counts / max(counts.sum(), 1)


def bar_similarity(piece: Piece, lags: int = LAGS) -> np.ndarray:
    """float64 [lags]: how alike bars 1, 2, ... apart are (mean Jaccard of their (place, pitch) pairs); NaN where the
    piece has no two bars so far apart."""
    pairs = (piece.onset % piece.bar_steps) * 128 + piece.pitch
    bar = piece.onset // piece.bar_steps
    held = [set(pairs[bar == number].tolist()) for number in range(piece.bars)]
    found = np.full(lags, np.nan)
    for lag in range(1, lags + 1):
        alike = [len(a & b) / len(a | b) for a, b in zip(held, held[lag:], strict=False) if a | b]
        if alike:
            found[lag - 1] = np.mean(alike)
    return found


def overlapping_area(left: Sequence[float] | np.ndarray, right: Sequence[float] | np.ndarray) -> float:
    """Integral of the lower of two kernel densities (Scott's bandwidth, a grid of 1,000 points), 0..1.

    Values that are all alike on a side have no density of their own: they get a bandwidth of 5% of both sides' spread
    (of 1 where there is none).
    """
    a, b = np.asarray(left, float), np.asarray(right, float)
    if not len(a) or not len(b):
        raise InputError("values on both sides are due")
    spread = np.concatenate([a, b]).std() or 1.0
    widths = [max(side.std(ddof=1) if len(side) > 1 else 0.0, 0.05 * spread) * len(side) ** -0.2 for side in (a, b)]
    grid = np.linspace(min(a.min(), b.min()) - 4 * max(widths), max(a.max(), b.max()) + 4 * max(widths), 1_000)
    lower = np.minimum(*(_density(side, width, grid) for side, width in zip((a, b), widths, strict=True)))
    return float(np.trapezoid(lower, grid))


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a set of n excerpts is compared by: `values` float [n, len(FEATURES)], `lags` float [n, LAGS] (NaN: no two
    bars so far apart), `transitions` float [12, 12]."""

    values: np.ndarray
    lags: np.ndarray
    transitions: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def profile(pieces: Sequence[Piece]) -> Profile:
    """Raises InputError as `validate`."""
    values = np.array([list(features(piece).values()) for piece in pieces]).reshape(-1, len(FEATURES))
    lags = np.array([bar_similarity(piece) for piece in pieces]).reshape(-1, LAGS)
    return Profile(values, lags, transitions(pieces))


def likeness(ours: Profile, real: Profile) -> dict[str, float]:
    """How like two sets of excerpts are: the overlapping area of every feature and of `structure` (bars alike, mean of
    the areas over the lags), and `transitions` (cosine of the two matrices)."""
    found = {
        name: overlapping_area(ours.values[:, place], real.values[:, place]) for place, name in enumerate(FEATURES)
    }
    found["transitions"] = _cosine(ours.transitions.ravel(), real.transitions.ravel())
    pairs = [(a[~np.isnan(a)], b[~np.isnan(b)]) for a, b in zip(ours.lags.T, real.lags.T, strict=True)]
    areas = [overlapping_area(*pair) for pair in pairs if all(len(side) for side in pair)]
    found["structure"] = float(np.mean(areas)) if areas else 0.0
    return found


def compared(
    ours: Profile, real: Mapping[str, tuple[Profile, Profile]], style: str
) -> dict[str, tuple[float, float, float]]:
    """Metric -> (ours, other real pieces of the style, the nearest other style), each against one half of the style's
    real pieces. `real`: two halves of each style. Without another style the last is NaN."""
    held, rest = real[style]
    rows = [likeness(ours, held), likeness(rest, held)]
    others = [likeness(halves[1], held) for name, halves in real.items() if name != style]
    nearest = {name: max((other[name] for other in others), default=float("nan")) for name in rows[0]}
    return {name: (rows[0][name], rows[1][name], nearest[name]) for name in rows[0]}


def frechet_distance(ours: np.ndarray, real: np.ndarray) -> float:
    """Squared distance of two normal distributions fitted to embeddings [n, E] and [m, E] (Heusel et al. 2017; of
    music, Kilgour et al. 2019): of their means, and of their covariances A and B tr(A + B - 2 (A B)^1/2).

    The fewer the rows, the larger it comes out: a figure says something beside another of as many. Raises InputError
    for fewer than two rows on a side.
    """
    if min(len(ours), len(real)) < 2:
        raise InputError("two embeddings on both sides are due")
    means = [side.mean(axis=0) for side in (ours, real)]
    a, b = ((side - mean) / np.sqrt(len(side) - 1) for side, mean in zip((ours, real), means, strict=True))
    both = np.linalg.svd(a @ b.T, compute_uv=False).sum()  # of the root of the product: A = a'a, B = b'b
    return float(np.square(means[0] - means[1]).sum() + np.square(a).sum() + np.square(b).sum() - 2 * both)


def ends_home(piece: Piece) -> float:
    """1 where the lowest of the last notes is the tonic or the dominant of the piece's key, else 0."""
    pitched = piece.pitched()
    last = pitched.pitch[pitched.onset + pitched.duration == pitched.end]
    return float((int(last.min()) - key_of(piece).tonic) % 12 in (0, 7))


def excerpts(pieces: Mapping[str, Piece], bars: int = EXCERPT) -> list[Piece]:
    """The first `bars` bars of every piece that has notes in them and is half as long at least."""
    found = [pieces[name].excerpt(0, bars) for name in sorted(pieces) if pieces[name].bars * 2 >= bars]
    return [piece for piece in found if len(np.unique(piece.onset)) > 1]


def _onsets(piece: Piece) -> np.ndarray:
    """bool [bars, places of a bar]."""
    grid = np.zeros((piece.bars, piece.bar_steps), bool)
    grid[piece.onset // piece.bar_steps, piece.onset % piece.bar_steps] = True
    return grid


def _density(values: np.ndarray, width: float, grid: np.ndarray) -> np.ndarray:
    distance = (grid[:, None] - values) / width
    density: np.ndarray = np.exp(-0.5 * distance**2).sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))
    return density


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else 0.0
