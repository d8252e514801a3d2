"""What reviews taught of Chinese: a linear model over words and characters and a network over words, averaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musai.emotion import linear
from musai.emotion.chinese import NGRAMS, words
from musai.emotion.network import WordReader

LONGEST = 120  # words; of a longer text its beginning and its end are read, where the verdict mostly stands


def split(text: str) -> list[str]:
    """The words that the network reads."""
    found = words(text)
    return found if len(found) <= LONGEST else found[: LONGEST // 2] + found[-LONGEST // 2 :]


@dataclasses.dataclass
class ReviewReader:
    """`share` of the network's logit of praise and the rest of the linear model's."""

    ngrams: linear.LinearModel
    words: WordReader
    share: float

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 1]: logit of praise."""
        return self.share * self.words.scores(self.words.pooled(texts)) + (1 - self.share) * self.ngrams.scores(texts)

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> ReviewReader:
        weights = tensors["weights"].astype(np.float32)[:, None] * tensors["scale"]
        model = linear.LinearModel(NGRAMS, tensors["idf"].astype(np.float32), weights, tensors["offset"])
        return ReviewReader(model, WordReader.of(tensors, split), settings["network_share"])
