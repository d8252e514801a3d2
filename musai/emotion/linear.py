"""Linear models over hashed word and character n-grams: no vocabulary, so a small file and any text can be read.

Hashing: Weinberger et al., "Feature hashing for large scale multitask learning" (2009). N-grams are weighted by their
inverse document frequency and each block has length 1, as in TF-IDF.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

Tokens = Callable[[str], list[str]]


@dataclasses.dataclass(frozen=True)
class NGrams:
    """Two blocks of 2^bits features each: n-grams of words, then of characters; `tokens` splits a text into words."""

    tokens: Tokens
    words: tuple[int, int]
    characters: tuple[int, int]
    within_words: bool  # characters' n-grams end at a word's end
    bits: int = 16

    @property
    def width(self) -> int:
        return 2 * 2**self.bits

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Which n-grams a text has: 0 or 1, float32 [texts, width]."""
        from sklearn.feature_extraction.text import HashingVectorizer

        shared = {"n_features": 2**self.bits, "binary": True, "alternate_sign": False, "norm": None}
        kind = "char_wb" if self.within_words else "char"
        words = HashingVectorizer(
            tokenizer=self.tokens, token_pattern=None, lowercase=False, ngram_range=self.words, **shared
        )
        characters = HashingVectorizer(analyzer=kind, ngram_range=self.characters, **shared)
        return sp.hstack([words.transform(texts), characters.transform(texts)], "csr").astype(np.float32)

    def weighted(self, counts: sp.csr_matrix, idf: np.ndarray) -> sp.csr_matrix:
        """The blocks of `counts` times idf [width], each of length 1."""
        from sklearn.preprocessing import normalize

        scaled = sp.csr_matrix(counts.multiply(idf[None, :].astype(np.float32)))
        half = 2**self.bits
        return sp.hstack([normalize(scaled[:, :half]), normalize(scaled[:, half:])], "csr")


def inverse_document_frequency(counts: sp.csr_matrix) -> np.ndarray:
    """float32 [width]: log((1 + n) / (1 + texts with it)) + 1; 0 for what no text or a single one has."""
    having = np.asarray(counts.sum(0)).ravel()
    idf = np.log((1 + counts.shape[0]) / (1 + having)) + 1
    return np.where(having > 1, idf, 0).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class LinearModel:
    """weights float32 [width, outputs], offset float32 [outputs], idf float32 [width]."""

    ngrams: NGrams
    idf: np.ndarray
    weights: np.ndarray
    offset: np.ndarray

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, outputs]."""
        found = self.ngrams.weighted(self.ngrams.counts(texts), self.idf) @ self.weights + self.offset
        return np.asarray(found, np.float32)


def quantised(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int8 of the same shape, float32 scale [columns]): weights ~ int8 * scale."""
    scale = np.maximum(np.abs(weights).max(0), 1e-12) / 127
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def fit_logistic(features: sp.csr_matrix, labels: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """(weights [width, labels], offset [labels]) of one logistic regression a label; labels bool [texts, labels]."""
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((features.shape[1], labels.shape[1]), np.float32)
    offset = np.zeros(labels.shape[1], np.float32)
    for column in range(labels.shape[1]):
        model = LogisticRegression(C=strength, solver="liblinear").fit(features, labels[:, column])
        weights[:, column], offset[column] = model.coef_[0], model.intercept_[0]
    return weights, offset
