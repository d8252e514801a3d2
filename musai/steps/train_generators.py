"""`train_generators`: the catalogue's MIDI files of the allowed licences -> models, where generation.train says so."""

from __future__ import annotations

import json

from musai.generation import spark as generation
from musai.steps import Night

JOB = "train_generators"
MODEL = "generation/rnn"


def run(night: Night) -> None:
    settings = night.config.generation
    if not settings.train:
        night.note("generation.train is false: the models stay as they are")
        return
    if not night.has("tracks"):
        night.note("inputs.tracks names no catalogue: nothing to learn from")
        return
    rows = generation.training_rows(night.read("tracks"), settings)
    night.progress(f"training on {len(rows)} tracks")
    trained = generation.train_in_one_task(night.session, rows, night.config.inputs.tracks, settings, night.config.seed)
    folder = f"_models/{MODEL}/{trained.file.digest}"
    night.run.storage.replace(f"{folder}/model.safetensors", trained.model)
    night.run.storage.replace(f"{folder}/judge.safetensors", trained.judge)
    night.write_models([(MODEL, trained.file.digest, folder, json.dumps(trained.file.card, sort_keys=True))], JOB)
    night.rejected = sum(trained.rejected.values())
    night.note("; ".join([trained.summary, *(f"{count} files: {why}" for why, count in trained.rejected.items())]))
