"""`train_embedder`: the sound of heard tracks and their factors -> models."""

from __future__ import annotations

import dataclasses
import json

from musai.embedding import spark as embedding
from musai.embedding.tracks import embedder_of
from musai.embedding.training import Schedule
from musai.errors import InputError
from musai.inputs import media
from musai.steps import Night

JOB = "train_embedder"
CHECKPOINTS = "_models/embedding/.training"


def run(night: Night) -> None:
    settings = night.config.embedding
    if not (night.has("tracks") and night.has("track_factors")):
        raise InputError("train_embedder: the published night has no catalogue (inputs.tracks) or no factors")
    rows = embedding.lesson_rows(night.read("tracks"), night.read("items"), night.read("track_factors"))
    night.progress(f"training on {rows.num_rows} tracks")
    embedder = embedder_of(settings, media.roots_of(night.config.inputs))
    schedule = Schedule(settings.train_epochs, settings.train_minutes, settings.contrastive, night.config.seed)
    checkpoints = night.run.storage.uri(CHECKPOINTS)
    trained = embedding.train_on_executors(
        night.session, rows, embedder, schedule, checkpoints, settings.train_processes
    )
    found, night.rejected = trained.figures, sum(trained.rejected.values())
    gain = f"{found.after:.1%} follow from the sound, {found.before:.1%} before"
    night.note(f"{found.epochs} epochs; of the factors of held-out artists {gain}")
    for reason, count in trained.rejected.items():
        night.note(f"{count} files: {reason}")
    night.run.storage.delete(CHECKPOINTS)
    if found.after <= found.before:
        night.note("that is no gain: the weights at hand stay")
        return
    name = embedding.TRAINED.format(settings.network)
    folder = f"_models/{name}/{trained.digest}"
    card = {
        "network": settings.network, "start": embedder.model, "data": f"{rows.num_rows} tracks of the catalogue",
        "figures": dataclasses.asdict(found), "schedule": dataclasses.asdict(schedule),
        "command": "musai run train_embedder",
    }  # fmt: skip
    night.run.storage.replace(f"{folder}/model.safetensors", trained.model)
    night.write_models([(name, trained.digest, folder, json.dumps(card, sort_keys=True))], JOB)
