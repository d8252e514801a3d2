"""English words: the 28 emotions of GoEmotions, and valence and arousal as EmoBank's readers rate them.

Two models of the emotions are averaged: the network of `musai.emotion.network` and a linear one over hashed n-grams.
Valence and arousal are linear in what both make of a text, and in what a sentence encoder does where `train_emotion`
was given one.
Data: Demszky et al., "GoEmotions" (2020); Buechel and Hahn, "EmoBank" (2017).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from musai.emotion import linear
from musai.emotion.encoder import Sentences
from musai.emotion.network import UNKNOWN, EmotionReader, padded
from musai.emotion.text import LONGEST_LINE, tokens
from musai.emotion.weights import words_of

EMOTIONS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
NGRAMS = linear.NGrams(tokens, (1, 2), (2, 5), within_words=True, bits=16)
BATCH = 256


@dataclasses.dataclass
class EnglishEmotions:
    """vocabulary: word -> row of the network's vectors; thresholds float32 [28]: above it the emotion is there."""

    network: EmotionReader
    vocabulary: dict[str, int]
    ngrams: linear.LinearModel
    share: float
    thresholds: np.ndarray

    @staticmethod
    def of(tensors: dict[str, np.ndarray], share: float) -> EnglishEmotions:
        vectors = tensors["vectors"].astype(np.float32) * tensors["vectors_scale"]
        state = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        words, size = vectors.shape
        network = EmotionReader(words, size, state["reader.weight_hh_l0"].shape[1], len(EMOTIONS))
        state["vectors.weight"] = vectors
        network.load_state_dict({name: torch.from_numpy(t.astype(np.float32)) for name, t in state.items()})
        rows = {word: row for row, word in enumerate(words_of(tensors["vocabulary"]))}
        weights = tensors["ngrams"].astype(np.float32) * tensors["ngrams_scale"]
        model = linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["ngrams_offset"])
        return EnglishEmotions(network.eval(), rows, model, share, tensors["thresholds"])

    def ids(self, text: str) -> list[int]:
        return [self.vocabulary.get(word, UNKNOWN) for word in tokens(text)[:LONGEST_LINE]]

    def read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(logits [texts, 28] of both models together, pooled states of the network [texts, 6 hidden]), float32."""
        pooled = self.pooled(texts)
        with torch.inference_mode():
            by_network = self.network.emotions(torch.from_numpy(pooled)).numpy()
        return self.share * by_network + (1 - self.share) * self.ngrams.scores(texts), pooled

    def pooled(self, texts: Sequence[str]) -> np.ndarray:
        rows = [self.ids(text) for text in texts]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # little padding
        found = np.zeros((len(rows), self.network.emotions.in_features), np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH):
                chosen = order[start : start + BATCH]
                found[chosen] = self.network.pooled(padded([rows[number] for number in chosen])).numpy()
        return found

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 28], each emotion for itself."""
        return 1 / (1 + np.exp(-self.read(texts)[0]))


@dataclasses.dataclass
class AffectFeatures:
    """What valence and arousal are read from."""

    emotions: EnglishEmotions
    sentences: Sentences | None = None

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 28 + 6 hidden], and the encoder's width where there is one."""
        parts = [*self.emotions.read(texts), *([self.sentences.read(texts)] if self.sentences else [])]
        return np.concatenate(parts, axis=1)


@dataclasses.dataclass
class EnglishAffect:
    """Valence and arousal on the scale of `musai.emotion.fusion`: weights [features, 2] on standardised features, which
    `AffectFeatures` makes; ngrams: the same two from n-grams, `share` of the former."""

    features: AffectFeatures
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    ngrams: linear.LinearModel
    share: float

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 2]: valence, arousal."""
        features = (self.features.of(texts) - self.centre) / self.spread
        by_network = features @ self.weights + self.offset
        return self.share * by_network + (1 - self.share) * self.ngrams.scores(texts)

    @staticmethod
    def of(emotions: EnglishEmotions, tensors: dict[str, np.ndarray], share: float) -> EnglishAffect:
        weights = tensors["ngrams"].astype(np.float32) * tensors["ngrams_scale"]
        model = linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["ngrams_offset"])
        centre, spread, dense, offset = (
            tensors[name].astype(np.float32) for name in ("centre", "spread", "weights", "offset")
        )
        features = AffectFeatures(emotions, Sentences.of(tensors))
        return EnglishAffect(features, centre, spread, dense, offset, model, share)
