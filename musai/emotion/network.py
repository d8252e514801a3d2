"""The network that reads English: word vectors, one bidirectional GRU, three kinds of pooling, 28 emotions.

GRU: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014); attention pooling: Lin et al., "A
structured self-attentive sentence embedding" (2017).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

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
