"""The network that reads words: word vectors, one bidirectional GRU, three kinds of pooling, a logit a label.

GRU: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); attention pooling: Lin et al., "A
structured self-attentive sentence embedding" (2017).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from musai.emotion.weights import words_of

BATCH = 256  # texts that are read at once
PAD, UNKNOWN = 0, 1  # ids of no word and of a word that the vocabulary lacks
WORD_DROPOUT = 0.1


class EmotionReader(nn.Module):
    """ids int64 [batch, tokens], 0 = padding -> logits [batch, emotions]."""

    def __init__(self, words: int, vector: int, hidden: int, emotions: int, dropout: float = 0.4) -> None:
        super().__init__()
        self.vectors = nn.Embedding(words, vector, padding_idx=PAD, sparse=True)
        self.reader = nn.GRU(vector, hidden, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * hidden, 1)
        self.emotions = nn.Linear(6 * hidden, emotions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.emotions(self.dropout(self.pooled(ids)))
        return logits

    def pooled(self, ids: torch.Tensor) -> torch.Tensor:
        """What the text says as one vector, [batch, 6 hidden]: attention, maximum and mean over its tokens."""
        there = (ids != PAD)[..., None]
        vectors = self.vectors(ids)  # [batch, tokens, vector]
        if self.training:
            vectors = vectors * (torch.rand(*ids.shape, 1) > WORD_DROPOUT)
        states, _ = self.reader(self.dropout(vectors))  # [batch, tokens, 2 hidden]
        share = self.attention(states).masked_fill(~there, -torch.inf).softmax(1)
        highest = states.masked_fill(~there, -torch.inf).amax(1)
        mean = states.masked_fill(~there, 0).sum(1) / there.sum(1)
        return torch.cat([(share * states.masked_fill(~there, 0)).sum(1), highest, mean], 1)


def padded(rows: list[list[int]]) -> torch.Tensor:
    """Token ids as one block, int64 [rows, longest]; a row without tokens is one unknown word."""
    block = np.full((len(rows), max(1, *map(len, rows))), PAD, np.int64)
    for number, row in enumerate(rows):
        block[number, : len(row) or 1] = row or [UNKNOWN]
    return torch.from_numpy(block)


@dataclasses.dataclass
class WordReader:
    """A network with its words: `vocabulary` says the row of a word's vector, `split` what is read of a text."""

    network: EmotionReader
    vocabulary: Mapping[str, int]
    split: Callable[[str], list[str]]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self.vocabulary.get(word, UNKNOWN) for word in self.split(text)] for text in texts]

    def pooled(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, 6 hidden]: see `EmotionReader.pooled`."""
        rows = self.ids(texts)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # little padding
        found = np.zeros((len(rows), self.network.emotions.in_features), np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH):
                chosen = order[start : start + BATCH]
                found[chosen] = self.network.pooled(padded([rows[number] for number in chosen])).numpy()
        return found

    def scores(self, pooled: np.ndarray) -> np.ndarray:
        """Logits float32 [texts, labels] of what `pooled` found."""
        with torch.inference_mode():
            found: np.ndarray = self.network.emotions(torch.from_numpy(pooled)).numpy()
        return found

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], split: Callable[[str], list[str]]) -> WordReader:
        """From what `musai.emotion.training.network.packed` made."""
        vectors = tensors["vectors"].astype(np.float32) * tensors["vectors_scale"]
        state = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        labels, hidden = state["emotions.weight"].shape[0], state["reader.weight_hh_l0"].shape[1]
        network = EmotionReader(vectors.shape[0], vectors.shape[1], hidden, labels)
        state["vectors.weight"] = vectors
        network.load_state_dict({name: torch.from_numpy(t.astype(np.float32)) for name, t in state.items()})
        rows = {word: row for row, word in enumerate(words_of(tensors["vocabulary"]))}
        return WordReader(network.eval(), rows, split)
