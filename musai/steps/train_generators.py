"""`train_generators`: the catalogue's MIDI files of the allowed licences -> models."""

from __future__ import annotations

import json

from musai.errors import InputError
from musai.generation import spark as generation
from musai.inputs import media
from musai.steps import Night

JOB = "train_generators"
CHECKPOINTS = "_models/generation/.training"


def run(night: Night) -> None:
    settings, storage = night.config.generation, night.run.storage
    if not night.has("tracks"):
        raise InputError("train_generators: the published night has no catalogue (inputs.tracks) to learn from")
    rows = generation.training_rows(night.read("tracks"), settings)
    night.progress(f"training on {len(rows)} tracks")
    roots = media.roots_of(night.config.inputs)
    checkpoints = storage.uri(CHECKPOINTS)
    trained = generation.train_in_one_task(night.session, rows, roots, settings, night.config.seed, checkpoints)
    storage.delete(CHECKPOINTS)
    written = []
    for method, (data, file) in trained.files.items():
        name = generation.model_name(method)
        folder = f"_models/{name}/{file.digest}"
        storage.replace(f"{folder}/model.safetensors", data)
        storage.replace(f"{folder}/judge.safetensors", trained.judge)
        written.append((name, file.digest, folder, json.dumps(file.card, sort_keys=True)))
    night.write_models(written, JOB)
    night.rejected = sum(trained.rejected.values())
    night.note("; ".join([trained.summary, *(f"{count} files: {why}" for why, count in trained.rejected.items())]))
