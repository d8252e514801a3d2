"""`train_emotion`: labelled texts, pieces and tracks that the configuration names -> models, weights under _models/."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from musai.emotion import weights
from musai.emotion.weights import Stored
from musai.errors import InputError
from musai.steps import Night
from musai.steps.tag_emotions import trained_here

if TYPE_CHECKING:
    from musai.embedding.checkpoints import Checkpoint
    from musai.emotion.training.sentences import Plan

JOB = "train_emotion"
PREFIX = "emotion/"
CHECKPOINTS = f"_models/{PREFIX}.training"


def run(night: Night) -> None:
    rows = []
    for name, model in _trained(night):
        path = f"_models/{PREFIX}{name}/{model.digest}"
        night.warehouse.storage.replace(f"{path}/model.safetensors", model.tensors)
        night.warehouse.storage.replace(f"{path}/card.json", model.card.encode())
        rows.append((PREFIX + name, model.digest, path, model.card))
    if not rows:
        night.note("emotion.training names no files: the models of the package serve")
        return
    night.write_models(rows, JOB)
    night.run.storage.delete(CHECKPOINTS)  # not before: who was stopped at the last part need not learn the first again
    night.note(f"trained {', '.join(name for name, *_ in rows)}")


def _trained(night: Night) -> Iterator[tuple[str, Stored]]:
    files: dict[str, pathlib.Path] = {name: pathlib.Path(path) for name, path in night.config.emotion.training.items()}
    seed, say = night.config.seed, night.progress
    emotions = {**weights.shipped(), **trained_here(night)}.get("english_emotions")
    if "english_emotions" in files:
        if "english_affect" not in files:
            raise InputError("emotion.training: english_emotions needs english_affect, which is learnt on top of it")
        from musai.emotion.training import english

        emotions = english.train_emotions(files["english_emotions"], files.get("word_vectors"), seed, say)
        if "sentence_encoder" in files:
            emotions = _with_encoder(night, emotions, files)
        yield "english_emotions", emotions
    if "english_affect" in files and emotions:
        from musai.emotion.training import affect

        encoder = files.get("sentence_encoder")
        yield "english_affect", affect.train_affect(files["english_affect"], emotions, encoder, seed)
    if "chinese_encoder" in files and "chinese_reviews" not in files:
        raise InputError("emotion.training: chinese_encoder needs chinese_reviews, which it learns")
    if "chinese_reviews" in files:
        yield "chinese", _reviews(night, files)
    if "notes" in files or "sound" in files:
        yield from _heads(night, files, seed, say)


def _with_encoder(night: Night, emotions: Stored, files: dict[str, pathlib.Path]) -> Stored:
    from musai.emotion.training import english

    folder, encoder = files["english_emotions"], files["sentence_encoder"]
    plan, checkpoints = _learning(night, folder, encoder, night.config.emotion.encoder_epochs)
    return english.add_encoder(emotions, folder, encoder, plan, night.progress, checkpoints(0))


def _reviews(night: Night, files: dict[str, pathlib.Path]) -> Stored:
    from musai.emotion.training import chinese

    path, encoder = files["chinese_reviews"], files.get("chinese_encoder")
    if encoder is None:
        return chinese.train_reviews(path, night.config.seed, night.progress)
    plan, checkpoints = _learning(night, path, encoder, chinese.EPOCHS)
    return chinese.train_reviews(path, night.config.seed, night.progress, encoder, plan, checkpoints)


def _learning(
    night: Night, texts: pathlib.Path, encoder: pathlib.Path, epochs: int
) -> tuple[Plan, Callable[[int], Checkpoint]]:
    """(how long an encoder learns from the texts, where its trainings keep how far they are, by number)."""
    from musai.embedding.checkpoints import Checkpoint
    from musai.emotion.training.sentences import Plan, digest

    plan = Plan(epochs, night.config.emotion.encoder_minutes, night.config.seed)
    place = night.run.storage.uri(f"{CHECKPOINTS}/{digest(texts, encoder, plan)}")
    return plan, lambda number: Checkpoint(f"{place}-{number}.pt")


def _heads(
    night: Night, files: dict[str, pathlib.Path], seed: int, say: Callable[[str], None]
) -> Iterator[tuple[str, Stored]]:
    from musai.emotion.training import heads

    if "notes" in files:
        yield "notes", heads.train_notes(files["notes"], seed, say)
    if "sound" in files:
        if not night.has("track_embeddings"):
            raise InputError("emotion.training.sound: this run has no track_embeddings to learn from")
        found: dict[str, dict[str, np.ndarray]] = {}
        for row in night.read("track_embeddings").toArrow().to_pylist():
            found.setdefault(row["model"], {})[row["track_id"]] = np.array(row["embedding"])
        yield "sound", heads.train_sound(files["sound"], found, seed)
