"""`embed_tracks`: the catalogue's sound and MIDI files -> track_embeddings, rejected_rows."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from musai.inputs import media
from musai.session import cores
from musai.steps import Night

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from musai.embedding.tracks import Embedder

JOB = "embed_tracks"


def run(night: Night) -> None:
    tracks = night.read("tracks") if night.has("tracks") else None
    if tracks is None or tracks.where("audio_path is not null or midi_path is not null").isEmpty():
        night.note("no track has an audio_path or a midi_path: there are no embeddings")
        return
    from musai.embedding import spark as embedding  # torch takes seconds to load
    from musai.embedding.tracks import embedders_of

    settings = night.config.embedding
    trained = night.published_weights(embedding.TRAINED.format(settings.network))
    embedders = embedders_of(settings, media.roots_of(night.config.inputs), trained)
    made = [embedding.embed(tracks, _earlier(night, one), one, cores(night.session)) for one in embedders]
    found = [
        rows.where("embedding is not null").selectExpr("*", f"'{one.model}' as model")
        for rows, one in zip(made, embedders, strict=True)
    ]
    night.write(functools.reduce(lambda a, b: a.unionAll(b), found), "track_embeddings", JOB)
    rejects = made[0].selectExpr("inline(rejects)")  # the files are the same to every network
    night.rejected = night.write(rejects, "rejected_rows", JOB)["rows"]
    for rows, one in zip(made, embedders, strict=True):
        written, carried = rows.where("embedding is not null").count(), rows.where("carried").count()
        night.note(f"{written} tracks by {one.model}, {carried} of them carried; {night.rejected} files rejected")
        rows.unpersist()
    reasons = [*night.reasons_of("audio")(), *night.reasons_of("midi")()] if night.rejected else []
    if reasons:
        night.note(", ".join(f"{count} x {reason}" for reason, count in reasons))


def _earlier(night: Night, embedder: Embedder) -> DataFrame | None:
    """What the parent run published, by the same model."""
    earlier = night.parents("track_embeddings")
    return None if earlier is None else earlier.where(f"model = '{embedder.model}'")
