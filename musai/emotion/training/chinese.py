"""Chinese: how far the word list can be trusted; where there are reviews to learn from, a linear model, and beside it
the upper layers of a sentence encoder."""

from __future__ import annotations

import copy
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from musai.embedding.checkpoints import NOWHERE, Checkpoint
from musai.emotion import calibration, linear
from musai.emotion.chinese import NGRAMS, ChineseReader, both
from musai.emotion.encoder import HEARD, REVIEW, SentenceModel, Sentences, opened
from musai.emotion.fusion import PRIOR_SPREAD
from musai.emotion.training import files
from musai.emotion.training.sentences import Passed, Plan, described, learn
from musai.emotion.weights import Card, Stored, stored

FOLDS, STRENGTH = 5, 5.0
EPOCHS = 1  # of a sentence encoder, which learns a time a fold and once more
Checkpoints = Callable[[int], Checkpoint]  # of each of several trainings
COMMAND = "musai run train_emotion emotion.training.chinese_reviews=FILE"


def train_reviews(
    path: pathlib.Path, seed: int, say: Callable[[str], None], folder: pathlib.Path | None = None,
    plan: Plan | None = None, checkpoints: Checkpoints = lambda _: NOWHERE,
) -> Stored:  # fmt: skip
    """From a CSV, see `files.reviews`. `folder`: of an encoder, see `musai.emotion.encoder`,
    which learns as `plan` says."""
    texts, praise = files.reviews(path)
    counts, parts = NGRAMS.counts(texts), folds(praise, FOLDS, seed)
    scores = held_out(counts, praise, parts, say)
    idf, weights, offset = fit(counts, praise)
    packed, scale = linear.quantised(weights)
    tensors = {"weights": packed[:, 0], "scale": scale, "offset": offset, "idf": idf.astype(np.float16)}
    data = [{"name": "reviews in Chinese", "licence": "as its owner says", **files.described(path)}]
    command = COMMAND
    if folder and plan:
        learner = ReviewSentences.of(folder, texts, praise, plan, say, checkpoints)
        scores = both(scores, learner.held_out(parts))
        tensors |= learner.fit_all().packed()
        data.append(described(folder))
        command += " emotion.training.chinese_encoder=DIR"
    gain = PRIOR_SPREAD / float(np.abs(scores).mean())
    valence = np.clip(gain * scores, -1, 1)
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
    card = Card("chinese", data, "as its data", figures, command, error, PRIOR_SPREAD, trusted, {"gain": gain})
    return stored(tensors, card)


def held_out(
    counts: sp.csr_matrix, praise: np.ndarray, parts: Sequence[np.ndarray], say: Callable[[str], None]
) -> np.ndarray:
    """Logits of praise by the linear model, float32 [texts], of the rows of each part by a fit on the others."""
    scores = np.zeros(len(praise), np.float32)
    for number, chosen in enumerate(parts, 1):
        say(f"Chinese, fold {number} of {len(parts)}")
        rest = np.setdiff1d(np.arange(len(praise)), chosen)
        idf, weights, offset = fit(counts[rest], praise[rest])
        scores[chosen] = (NGRAMS.weighted(counts[chosen], idf) @ weights + offset)[:, 0]
    return scores


@dataclasses.dataclass(frozen=True)
class ReviewSentences:
    """A sentence encoder that learns praise (bool [texts]) from texts that have passed its lower layers; `published`:
    the state with which its upper ones begin each time."""

    sentences: Sentences
    passed: Passed
    praise: np.ndarray
    plan: Plan
    say: Callable[[str], None]
    checkpoints: Checkpoints
    published: Mapping[str, Any]

    @staticmethod
    def of(
        folder: pathlib.Path, texts: Sequence[str], praise: np.ndarray, plan: Plan,
        say: Callable[[str], None], checkpoints: Checkpoints = lambda _: NOWHERE,
    ) -> ReviewSentences:  # fmt: skip
        found = opened(folder, "chinese_encoder", REVIEW)
        published = copy.deepcopy(found.encoder.layers[-HEARD:].state_dict())
        say("Chinese, sentences")
        return ReviewSentences(found, Passed.of(found, texts), praise, plan, say, checkpoints, published)

    def fit(self, rows: np.ndarray, number: int) -> SentenceModel:
        """The very encoder is changed, until the next `fit`; `number` is that of its checkpoint."""
        self.sentences.encoder.layers[-HEARD:].load_state_dict(self.published)
        labels, checkpoint = self.praise[rows, None], self.checkpoints(number)
        return learn(self.sentences, self.passed.rows(rows), labels, None, self.plan, self.say, checkpoint)

    def fit_all(self) -> SentenceModel:
        return self.fit(np.arange(len(self.praise)), 0)

    def held_out(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """As the linear model's `held_out`."""
        scores = np.zeros(len(self.praise), np.float32)
        for number, chosen in enumerate(parts, 1):
            self.say(f"Chinese, sentences, fold {number} of {len(parts)}")
            model = self.fit(np.setdiff1d(np.arange(len(scores)), chosen), number)
            scores[chosen] = self.passed.rows(chosen).scores(model)[:, 0]
        return scores


def fit(counts: sp.csr_matrix, praise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(idf [width], weights [width, 1], offset [1]) of a logistic regression on log-count ratios (Wang & Manning 2012,
    "Baselines and bigrams: simple, good sentiment and topic classification")."""
    idf, ratio = linear.inverse_document_frequency(counts), log_count_ratio(counts, praise)
    scaled = (NGRAMS.weighted(counts, idf) @ sp.diags(ratio)).tocsr()
    weights, offset = linear.fit_logistic(scaled, praise[:, None], STRENGTH)
    return idf, ratio[:, None] * weights, offset


def log_count_ratio(counts: sp.csr_matrix, praise: np.ndarray) -> np.ndarray:
    """float32 [width]: log of how much more of praise than of blame a feature is, each counted once more."""
    good, bad = (np.asarray(counts[chosen].sum(0)).ravel() + 1 for chosen in (praise, ~praise))
    return np.log((good / good.sum()) / (bad / bad.sum())).astype(np.float32)


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
