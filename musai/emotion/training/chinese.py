"""Chinese: how far the word list can be trusted, and models where there are reviews to learn from."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import torch

from musai.emotion import calibration, linear
from musai.emotion.chinese import NGRAMS, ChineseReader
from musai.emotion.fusion import PRIOR_SPREAD
from musai.emotion.network import UNKNOWN
from musai.emotion.reviews import ReviewReader, split
from musai.emotion.training import files
from musai.emotion.training import network as training
from musai.emotion.weights import Card, Stored, stored

FOLDS, STRENGTH, EPOCHS, VECTOR = 5, 5.0, 3, 100
SETTINGS = {"network_share": 0.5}  # chosen on four fifths of the hotel reviews
COMMAND = "musai run train_emotion emotion.training.chinese_reviews=FILE"


def train_reviews(path: pathlib.Path, vectors: pathlib.Path | None, seed: int, say: Callable[[str], None]) -> Stored:
    """From a CSV of label (1 praise, 0 blame) and review; `vectors`: a file of word vectors, see `files.word2vec`."""
    rows = files.table(path, ("label", "review"))
    praise = np.array([row["label"] == "1" for row in rows])
    known = files.word2vec(vectors) if vectors else {}
    reviews = Reviews.of([row["review"] for row in rows], praise, known, seed)
    scores = held_out(reviews, folds(praise, FOLDS, seed), seed, say)
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
    say("Chinese, all reviews")
    tensors = fit(reviews, seed)
    data = [{"name": "reviews in Chinese", "licence": "as its owner says", **files.described(path)}]
    if vectors:
        data.append({"name": "word vectors", "licence": "as its owner says", **files.described(vectors)})
    settings = {**SETTINGS, "gain": gain}
    return stored(
        tensors, Card("chinese", data, "as its data", figures, COMMAND, error, PRIOR_SPREAD, trusted, settings)
    )


@dataclasses.dataclass(frozen=True)
class Reviews:
    """Texts as both models learn from them: counts [texts, width], rows of `vocabulary` a text, praise bool [texts];
    vectors float32 [words, VECTOR]: where the network begins."""

    texts: list[str]
    praise: np.ndarray
    counts: sp.csr_matrix
    ids: list[list[int]]
    vocabulary: list[str]
    vectors: np.ndarray

    @staticmethod
    def of(texts: list[str], praise: np.ndarray, known: Mapping[str, np.ndarray], seed: int) -> Reviews:
        """`known`: vectors by word. The vocabulary is what has one, or stands in three texts."""
        said = [split(text) for text in texts]
        having = collections.Counter(word for one in said for word in set(one))
        vocabulary = ["<pad>", "<unknown>", *sorted(word for word, n in having.items() if n > 2 or word in known)]
        rows = {word: row for row, word in enumerate(vocabulary)}
        ids = [[rows.get(word, UNKNOWN) for word in one] for one in said]
        vectors = training.first_vectors(vocabulary, known, VECTOR, seed)
        return Reviews(texts, praise, NGRAMS.counts(texts), ids, vocabulary, vectors)

    def rows(self, chosen: np.ndarray) -> Reviews:
        return dataclasses.replace(
            self,
            texts=[self.texts[row] for row in chosen],
            praise=self.praise[chosen],
            counts=self.counts[chosen],
            ids=[self.ids[row] for row in chosen],
        )


def fit(reviews: Reviews, seed: int) -> dict[str, np.ndarray]:
    """The tensors that `ReviewReader.of` reads."""
    idf = linear.inverse_document_frequency(reviews.counts)
    ratio = log_count_ratio(reviews.counts, reviews.praise)
    features = sp.csr_matrix(NGRAMS.weighted(reviews.counts, idf) @ sp.diags(ratio))
    weights, offset = linear.fit_logistic(features, reviews.praise[:, None], STRENGTH)
    packed, scale = linear.quantised(ratio[:, None] * weights)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = training.begun(reviews.vectors.copy(), reviews.praise[:, None])
    training.fit(network, reviews.ids, reviews.praise[:, None], seed, lambda _: None, EPOCHS)
    return {
        **training.packed(network, reviews.vocabulary, {}),
        "weights": packed[:, 0],
        "scale": scale,
        "offset": offset,
        "idf": idf.astype(np.float16),
    }


def held_out(reviews: Reviews, parts: Sequence[np.ndarray], seed: int, say: Callable[[str], None]) -> np.ndarray:
    """Logit of praise, float32 [texts]: of each part (rows) by what the others taught."""
    found = np.zeros(len(reviews.praise), np.float32)
    for number, chosen in enumerate(parts):
        say(f"Chinese, fold {number + 1} of {len(parts)}")
        rest = np.setdiff1d(np.arange(len(found)), chosen)
        reader = ReviewReader.of(fit(reviews.rows(rest), seed), SETTINGS)
        found[chosen] = reader.scores([reviews.texts[row] for row in chosen])[:, 0]
    return found


def log_count_ratio(counts: sp.csr_matrix, praise: np.ndarray) -> np.ndarray:
    """float32 [width]: log of how much more often a feature stands in praise than in blame, each counted once more
    (Wang & Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification")."""
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
