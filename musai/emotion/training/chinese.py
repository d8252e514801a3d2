"""Chinese: how far the word list can be trusted, and a linear model where there are reviews to learn from."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np

from musai.emotion import calibration, linear
from musai.emotion.chinese import NGRAMS, ChineseReader
from musai.emotion.fusion import PRIOR_SPREAD
from musai.emotion.training import files
from musai.emotion.weights import Card, Stored, stored

FOLDS, STRENGTH = 5, 20.0
COMMAND = "musai run train_emotion emotion.training.chinese_reviews=FILE"


def train_reviews(path: pathlib.Path, seed: int, say: Callable[[str], None]) -> Stored:
    """From a CSV of label (1 praise, 0 blame) and review."""
    rows = files.table(path, ("label", "review"))
    texts, praise = [row["review"] for row in rows], np.array([row["label"] == "1" for row in rows])
    counts = NGRAMS.counts(texts)
    held_out = np.zeros(len(texts), np.float32)
    for fold, chosen in enumerate(folds(praise, FOLDS, seed)):
        say(f"Chinese, fold {fold + 1} of {FOLDS}")
        rest = np.setdiff1d(np.arange(len(texts)), chosen)
        idf, weights, offset = fit(counts[rest], praise[rest])
        held_out[chosen] = (NGRAMS.weighted(counts[chosen], idf) @ weights + offset)[:, 0]
    idf, weights, offset = fit(counts, praise)
    gain = PRIOR_SPREAD / float(np.abs(held_out).mean())
    valence = np.clip(gain * held_out, -1, 1)
    error = float(np.sqrt(((valence - np.where(praise, 1, -1) * PRIOR_SPREAD) ** 2).mean()))
    stated = sign_probability(valence, error)
    right = (valence > 0) == praise
    trusted = calibration.fit(stated, right)
    figures = {
        "5-fold accuracy": float(right.mean()),
        "calibration error, of the sign of valence": calibration.expected_calibration_error(
            np.array([trusted(p) for p in stated]), right
        ),
    }
    packed, scale = linear.quantised(weights)
    tensors = {"weights": packed[:, 0], "scale": scale, "offset": offset, "idf": idf.astype(np.float16)}
    data = [{"name": "reviews in Chinese", "licence": "as its owner says", **files.described(path)}]
    card = Card("chinese", data, "as its data", figures, COMMAND, error, PRIOR_SPREAD, trusted, {"gain": gain})
    return stored(tensors, card)


def fit(counts, praise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """(idf [width], weights [width, 1], offset [1])."""
    idf = linear.inverse_document_frequency(counts)
    return idf, *linear.fit_logistic(NGRAMS.weighted(counts, idf), praise[:, None], STRENGTH)


def folds(labels: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Rows of each fold, with the same share of each label."""
    from sklearn.model_selection import StratifiedKFold

    splits = StratifiedKFold(count, shuffle=True, random_state=seed).split(labels, labels)
    return [chosen for _, chosen in splits]


def sign_probability(valence: np.ndarray, error: float) -> np.ndarray:
    """Probability that the truth has the estimate's sign, under a normal distribution."""
    from scipy.stats import norm

    return np.asarray(norm.cdf(np.abs(valence) / error))


def word_list_card(reviews: dict[str, tuple[list[str], np.ndarray]], data: list[dict[str, str]], command: str) -> Card:
    """Measures the word list on reviews by name (texts, praise bool): nothing is learnt but its error and how far it
    can be trusted."""
    found = {name: ChineseReader().read(texts)[:, 0] for name, (texts, _) in reviews.items()}
    figures: dict[str, float] = {}
    for name, (_, praise) in reviews.items():
        known = ~np.isnan(found[name])
        figures[f"{name}: share of texts it says something of"] = float(known.mean())
        figures[f"{name}: accuracy on these"] = float(((found[name] > 0) == praise)[known].mean())
    valence, praise = np.concatenate(list(found.values())), np.concatenate([p for _, p in reviews.values()])
    known = ~np.isnan(valence)
    valence, praise = valence[known], praise[known]
    error = float(np.sqrt(((valence - np.where(praise, 1, -1) * PRIOR_SPREAD) ** 2).mean()))
    trusted = calibration.fit(sign_probability(valence, error), (valence > 0) == praise)
    return Card("chinese", data, "Apache-2.0", figures, command, error, PRIOR_SPREAD, trusted)
