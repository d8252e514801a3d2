"""`predict_factors`: what is known of the catalogue's unheard tracks -> predicted_track_factors."""

from __future__ import annotations

import functools

from musai.embedding import prediction
from musai.errors import MusaiError
from musai.session import one_task
from musai.steps import Night
from musai.tables import TABLES

JOB = "predict_factors"


def run(night: Night) -> None:
    if not night.has("tracks"):
        night.note("no catalogue (inputs.tracks): there is nothing to predict from")
        return
    sources = prediction.Sources(
        tracks=night.run.uri("tracks"),
        items=night.run.uri("items"),
        factors=night.run.uri("track_factors"),
        embeddings=_uri(night, "track_embeddings"),
        emotions=_uri(night, "track_emotions"),
    )
    work = functools.partial(prediction.batches, sources, night.config.seed)
    try:
        found = one_task(night.session, work, prediction.SCHEMA)
    except MusaiError as error:
        night.note(str(error))
        return
    written = night.write(found, "predicted_track_factors", JOB)
    night.note(f"factors of {written['rows']} tracks that nobody has heard")


def _uri(night: Night, table: str) -> str | None:
    return night.run.uri(table) if table in TABLES and night.has(table) else None
