"""`generate_tracks`: models, the catalogue and earlier nights' tracks -> generated_tracks, refused_tracks."""

from __future__ import annotations

import collections
import json
from typing import TYPE_CHECKING

from musai import columns
from musai.emotion import weights
from musai.generation import sanity
from musai.generation.making import SAMPLED
from musai.inputs import media
from musai.music.midi import read_midi
from musai.session import cores
from musai.steps import Night
from musai.steps.tag_emotions import trained_here

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from musai.generation import makers
    from musai.generation.plan import Cell, Order, SourceTrack

JOB = "generate_tracks"

Refused = collections.Counter[tuple[str, str, str]]  # pieces by method, style and reason


def run(night: Night) -> None:
    settings = night.config.generation
    if not settings.tracks:
        night.note("generation.tracks is 0: none were asked for")
        return
    from musai.embedding.spark import TRAINED  # torch takes seconds to load
    from musai.embedding.tracks import embedder_of
    from musai.generation import spark as generation

    files = models_of(night)
    orders, refused = _orders(night, files)
    made = generation.make(night.session, orders, files, settings, media.roots_of(night.config.inputs))
    refused.update(_refused(made))
    tracks = made.where("generated_id is not null").drop("refused")
    found = tracks.select("generated_id", "method", "style", "midi").orderBy("generated_id").collect()
    twins = {found[place]["generated_id"] for place in sanity.twins([read_midi(bytes(row["midi"])) for row in found])}
    for row in found:
        refused[row["method"], row["style"], "like another track of the night"] += row["generated_id"] in twins
    new = tracks.where(~tracks["generated_id"].isin(sorted(twins))) if twins else tracks
    listening = night.config.embedding
    embedder = embedder_of(listening, (), night.published_weights(TRAINED.format(listening.network)))
    said = generation.heard(new, embedder, {**weights.shipped(), **trained_here(night)}, cores(night.session))
    new = new.selectExpr("*", f"'{night.run.run_id}' as created_run_id").join(said, "generated_id", "left")
    earlier = _earlier(night)
    night.write(new if earlier is None else new.unionByName(earlier.select(*new.columns)), "generated_tracks", JOB)
    rows = [(*key, count) for key, count in sorted(refused.items()) if count]
    night.write_rows(rows, "refused_tracks", JOB)
    made.unpersist()
    night.rejected = sum(count for (*_, reason), count in refused.items() if reason != SAMPLED)
    carried = (night.run.rows("generated_tracks") or 0) - len(found) + len(twins)
    night.note(f"{len(found) - len(twins)} of {settings.tracks} asked for, {carried} of earlier nights")


def models_of(night: Night) -> makers.Files:
    """The models that the last weekly run published; else those that ship."""
    from musai.generation import spark as generation

    rows = {method: night.published_model(generation.model_name(method)) for method in generation.TRAINING}
    return generation.published(night.run.storage, rows)


def _orders(night: Night, files: makers.Files) -> tuple[list[Order], Refused]:
    """(what is to be made tonight, sources that may not be transferred)."""
    from musai.generation import plan, style_transfer
    from musai.generation import spark as generation

    config, date = night.config, night.run.record.date
    settings, known = config.generation, files.styles()
    if unknown := sorted(set(settings.styles) - {style for styles in known.values() for style in styles}):
        night.note(f"no style {', '.join(unknown)} in the models")
    if missing := [method for method, share in settings.methods.items() if share and not known[method]]:
        night.note(f"no model for {', '.join(missing)}: the other methods make its share")
    plays: dict[Cell, float] = {}
    tracks: dict[Cell, int] = {}
    if night.has("tracks") and night.has("track_emotions"):
        felt = night.read("track_emotions")
        plays, tracks = generation.demand(night.read("interactions"), night.read("tracks"), felt, settings)
    sources: list[SourceTrack] = []
    refused = Refused()
    if night.has("tracks") and settings.methods.get("style_transfer"):
        sources, why = generation.sources(night.read("tracks"), settings, config.seed, date)
        refused.update({(style_transfer.METHOD, "all", reason): count for reason, count in why.items()})
    wanted = plan.wanted(settings, plays, tracks)
    return plan.orders(settings, known, wanted, sources, config.seed, date), refused


def _refused(made: DataFrame) -> Refused:
    found = Refused()
    for row in made.where("generated_id is null").select("refused").collect():
        found.update({(method, style, why): count for method, style, why, count in json.loads(row["refused"])})
    return found


def _earlier(night: Night) -> DataFrame | None:
    """What the parent run published, up to generation.keep_tracks."""
    from musai.generation import spark as generation

    earlier, lists = night.parents("generated_tracks"), night.parents("recommendations")
    if earlier is None:
        return None
    lately = None if lists is None else lists.where(f"list = '{columns.MADE_FOR_YOU}'")
    return generation.kept(earlier, lately, night.config.generation.keep_tracks)
