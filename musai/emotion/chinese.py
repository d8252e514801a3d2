"""Chinese words: jieba's words looked up in the list of `lexicons/chinese.tsv`; where `train_emotion` was given
reviews, a linear model over words and characters says the valence, together with a sentence encoder where there is
one."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from musai.emotion import lexicon, linear

if TYPE_CHECKING:
    from musai.emotion.encoder import SentenceModel

LEXICON = "chinese"


@functools.cache
def _segmenter():  # type: ignore[no-untyped-def]
    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    for word in lexicon.entries(LEXICON):
        segmenter.add_word(word)
    return segmenter


def words(text: str) -> list[str]:
    return [word for word in _segmenter().lcut(text) if not word.isspace()]


NGRAMS = linear.NGrams(words, (1, 2), (1, 4), within_words=False, bits=18)


def both(linear_scores: np.ndarray, sentence_scores: np.ndarray) -> np.ndarray:
    """The logit of praise by both models: their mean."""
    return (linear_scores + sentence_scores) / 2


@dataclasses.dataclass
class ChineseReader:
    """`reviews` scores the odds of praise, and so may `sentences`, of whose mean valence is `gain` times; None where
    only the lexicon is there."""

    reviews: linear.LinearModel | None = None
    gain: float = 0.0
    sentences: SentenceModel | None = None

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 2]: valence, arousal; NaN for a text of which nothing is known."""
        found = np.full((len(texts), 2), np.nan, np.float32)
        for row, text in enumerate(texts):
            said = lexicon.read(words(text), lexicon.entries(LEXICON))
            if said:
                found[row] = said.valence, said.arousal
        if self.reviews is not None:
            scores = self.reviews.scores(texts)[:, 0]
            if self.sentences is not None:
                scores = both(scores, self.sentences.read(texts)[0][:, 0])
            found[:, 0] = np.clip(self.gain * scores, -1, 1)
            found[:, 1] = np.nan_to_num(found[:, 1])
        return found
