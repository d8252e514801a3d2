"""Trains `musai.emotion.network` on labelled texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from musai.emotion import linear
from musai.emotion.network import PAD, EmotionReader, padded
from musai.emotion.training import schedule
from musai.emotion.weights import text_tensor

HIDDEN, BATCH, EPOCHS, RATE = 96, 96, 4, 3e-3
VECTORS_RATE = 0.4  # of RATE: word vectors that come from a far larger text move slowly


def begun(vectors: np.ndarray, labels: np.ndarray) -> EmotionReader:
    """Not trained: with word vectors float32 [words, size], and each label at how often it is there."""
    network = EmotionReader(vectors.shape[0], vectors.shape[1], HIDDEN, labels.shape[1])
    rate = np.clip(labels.mean(0), 1e-4, 1 - 1e-4)
    network.vectors.weight.data = torch.from_numpy(vectors)
    network.emotions.bias.data = torch.from_numpy(np.log(rate / (1 - rate)).astype(np.float32))
    return network


def first_vectors(vocabulary: Sequence[str], known: Mapping[str, np.ndarray], size: int, seed: int) -> np.ndarray:
    """float32 [words, size]: as they are known, at random elsewhere."""
    start = np.random.default_rng(seed + 1).normal(0, 0.1, (len(vocabulary), size)).astype(np.float32)
    for row, word in enumerate(vocabulary):
        vector = known.get(word, known.get(word.replace("'", "")))
        if vector is not None:
            start[row] = vector
    start[PAD] = 0
    return start


def fit(
    network: EmotionReader, ids: Sequence[list[int]], labels: np.ndarray, seed: int,
    say: Callable[[str], None], epochs: int = EPOCHS,
) -> EmotionReader:  # fmt: skip
    """`network` itself, trained; ids: rows of the vocabulary of each text; labels bool [texts, labels]."""
    rest = [parameter for name, parameter in network.named_parameters() if not name.startswith("vectors")]
    of_vectors = torch.optim.SparseAdam([network.vectors.weight], lr=RATE * VECTORS_RATE)
    of_rest = torch.optim.AdamW(rest, lr=RATE, weight_decay=1e-3)
    order, steps, step = np.random.default_rng(seed), epochs * -(-len(ids) // BATCH), 0
    truth = torch.from_numpy(labels.astype(np.float32))
    network.train()
    for epoch in range(epochs):
        for chosen in schedule.batches([len(row) for row in ids], BATCH, order):
            rate = RATE * schedule.pace(step, steps)
            of_vectors.param_groups[0]["lr"], of_rest.param_groups[0]["lr"] = VECTORS_RATE * rate, rate
            logits = network(padded([ids[row] for row in chosen]))
            loss = F.binary_cross_entropy_with_logits(logits, truth[chosen], reduction="none").sum(1).mean()
            of_vectors.zero_grad()
            of_rest.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(rest, 1.0)
            of_vectors.step()
            of_rest.step()
            step += 1
        say(f"epoch {epoch + 1} of {epochs}, loss {loss.item():.3f}")
    return network.eval()


def packed(network: EmotionReader, vocabulary: Sequence[str], spare: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors that are stored: vectors as int8, those of `spare` words beside the learnt ones, the rest float16."""
    learnt = network.vectors.weight.detach().numpy()
    rows, scale = linear.quantised(np.concatenate([learnt, *(vector[None] for vector in spare.values())]).T)
    state = {f"network.{name}": t.numpy().astype(np.float16) for name, t in network.state_dict().items()}
    del state["network.vectors.weight"]
    return {
        **state,
        "vectors": rows.T,
        "vectors_scale": scale[:, None],
        "vocabulary": text_tensor([*vocabulary, *spare]),
    }
