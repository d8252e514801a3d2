"""`predict_factors`: what is known of the catalogue's unheard tracks -> predicted_track_factors."""

from __future__ import annotations

import functools

from musai.embedding import prediction
from musai.embedding.factors import LEAST_TRACKS
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
    written = night.write(one_task(night.session, work, prediction.SCHEMA), "predicted_track_factors", JOB)
    night.note(f"factors of {written['rows']} tracks that nobody has heard")
    if not written["rows"]:
        night.note(f"it takes such tracks, and {LEAST_TRACKS} heard ones of which something is known to learn from")


def _uri(night: Night, table: str) -> str | None:
    return night.run.uri(table) if table in TABLES and night.has(table) else None
