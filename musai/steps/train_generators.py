"""`train_generators`: the catalogue's MIDI files of the allowed licences -> models."""

from __future__ import annotations

import json

from musai.errors import InputError
from musai.generation import composer
from musai.generation import spark as generation
from musai.inputs import media
from musai.steps import Night

JOB = "train_generators"


def run(night: Night) -> None:
    settings, name = night.config.generation, generation.model_name(composer.METHOD)
    if not night.has("tracks"):
        raise InputError("train_generators: the published night has no catalogue (inputs.tracks) to learn from")
    rows = generation.training_rows(night.read("tracks"), settings)
    night.progress(f"training on {len(rows)} tracks")
    roots = media.roots_of(night.config.inputs)
    trained = generation.train_in_one_task(night.session, rows, roots, settings, night.config.seed)
    folder = f"_models/{name}/{trained.file.digest}"
    night.run.storage.replace(f"{folder}/model.safetensors", trained.model)
    night.run.storage.replace(f"{folder}/judge.safetensors", trained.judge)
    night.write_models([(name, trained.file.digest, folder, json.dumps(trained.file.card, sort_keys=True))], JOB)
    night.rejected = sum(trained.rejected.values())
    night.note("; ".join([trained.summary, *(f"{count} files: {why}" for why, count in trained.rejected.items())]))
