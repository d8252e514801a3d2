"""English words: the 28 emotions of GoEmotions, and valence and arousal as EmoBank's readers rate them.

Two models of the emotions are averaged: the network of `musai.emotion.network` and a linear one over hashed n-grams;
where `train_emotion` was given a sentence encoder, that is a third. Valence and arousal are linear in what they make of
a text, in its outward form (length, punctuation, capitals: arousal shows in them), and in products of the two.
Data: Demszky et al., "GoEmotions" (2020); Buechel and Hahn, "EmoBank" (2017).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musai.emotion import linear
from musai.emotion.encoder import SentenceModel, Sentences
from musai.emotion.network import WordReader
from musai.emotion.text import LONGEST_LINE, tokens

EMOTIONS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
NGRAMS = linear.NGrams(tokens, (1, 2), (2, 5), within_words=True, bits=16)


def split(text: str) -> list[str]:
    """The words that the network reads."""
    return tokens(text)[:LONGEST_LINE]


@dataclasses.dataclass
class EnglishEmotions:
    """thresholds float32 [28]: above it the emotion is there. Logits: `share` of the network's and the rest of the
    n-grams'; where there is an encoder, `sentence_share` of its own and the rest of these."""

    words: WordReader
    ngrams: linear.LinearModel
    share: float
    thresholds: np.ndarray
    sentences: SentenceModel | None = None
    sentence_share: float = 0.0

    @staticmethod
    def of(tensors: dict[str, np.ndarray], settings: Mapping[str, Any]) -> EnglishEmotions:
        weights = tensors["ngrams"].astype(np.float32) * tensors["ngrams_scale"]
        return EnglishEmotions(
            WordReader.of(tensors, split),
            linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["ngrams_offset"]),
            settings["network_share"],
            tensors["thresholds"],
            SentenceModel.of(tensors),
            settings.get("sentence_share", 0.0),
        )

    def read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(logits [texts, 28] of all models together, pooled states of the network [texts, 6 hidden], and beside them
        what the encoder heard, [texts, 6 hidden + its width]), float32."""
        pooled = self.words.pooled(texts)
        logits = self.share * self.words.scores(pooled) + (1 - self.share) * self.ngrams.scores(texts)
        if self.sentences is None:
            return logits, pooled
        by_sentences, heard = self.sentences.read(texts)
        logits = self.sentence_share * by_sentences + (1 - self.sentence_share) * logits
        return logits, np.concatenate([pooled, heard], axis=1)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 28], each emotion for itself."""
        return 1 / (1 + np.exp(-self.read(texts)[0]))


COUNTED = tuple(
    re.compile(pattern)
    for pattern in (
        r"!", r"\?", r",", r"[\"\u201c\u201d]", r"\.\.\.|\u2026", r"[:;]", r"-", r"\b[A-Z]{2,}\b", r"\d",
        r"(?i)n't\b|\b(?:not|no|never)\b", r"(?i)\b(?:i|me|my|we|us|our)\b", r"(?i)\byou(?:r|rs)?\b",
    )
)  # fmt: skip
ENDS = (".", "!", "?")


def form(text: str) -> list[float]:
    """How a text looks: its length in characters and words, what it counts of COUNTED (each as log(1 + n)), the mean
    length of its words, the share of capitals, whether it begins with one, and how it ends."""
    length, words = len(text), text.split()
    return [
        math.log1p(length),
        math.log1p(len(words)),
        *(math.log1p(len(pattern.findall(text))) for pattern in COUNTED),
        length / (len(words) + 1),
        sum(character.isupper() for character in text) / (length + 1),
        float(text[:1].isupper()),
        *(float(text.endswith(end)) for end in ENDS),
    ]


TOLD = len(EMOTIONS) + len(form(""))  # numbers that are told of a text: its emotions and its form
UNUSUAL = 3.0  # spreads; what lies farther out counts as that in a product


@dataclasses.dataclass
class AffectFeatures:
    """What valence and arousal are read from; `sentences`: an encoder of their own, where the emotions have none."""

    emotions: EnglishEmotions
    sentences: Sentences | None = None

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, TOLD + 6 hidden], and an encoder's width where there is one."""
        outward = np.array([form(text) for text in texts], np.float32)
        logits, states = self.emotions.read(texts)
        parts = [logits, outward, states, *([self.sentences.read(texts)] if self.sentences else [])]
        return np.concatenate(parts, axis=1)


def with_products(features: np.ndarray) -> np.ndarray:
    """Standardised ones [texts, n], and beside them the products of each two of what is told: how exciting one emotion
    is depends on the others, and on how loudly it is said."""
    told = np.clip(features[:, :TOLD], -UNUSUAL, UNUSUAL)
    first, second = np.triu_indices(TOLD)
    return np.concatenate([features, told[:, first] * told[:, second]], axis=1)


@dataclasses.dataclass
class EnglishAffect:
    """Valence and arousal on the scale of `musai.emotion.fusion`: weights [features and products, 2] on what
    `AffectFeatures` makes, standardised, and `with_products`; ngrams: the same two from n-grams; share float [2] of the
    former."""

    features: AffectFeatures
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    ngrams: linear.LinearModel
    share: np.ndarray

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 2]: valence, arousal."""
        features = (self.features.of(texts) - self.centre) / self.spread
        by_network = with_products(features) @ self.weights + self.offset
        return self.share * by_network + (1 - self.share) * self.ngrams.scores(texts)

    @staticmethod
    def of(emotions: EnglishEmotions, tensors: dict[str, np.ndarray], share: Sequence[float]) -> EnglishAffect:
        weights = tensors["ngrams"].astype(np.float32) * tensors["ngrams_scale"]
        model = linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["ngrams_offset"])
        centre, spread, dense, offset = (
            tensors[name].astype(np.float32) for name in ("centre", "spread", "weights", "offset")
        )
        features = AffectFeatures(emotions, Sentences.of(tensors))
        return EnglishAffect(features, centre, spread, dense, offset, model, np.array(share, np.float32))
