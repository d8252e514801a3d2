"""`recommend_tracks`: neighbours and factors -> recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musai import columns
from musai.ranking import blocks, models, new_releases, predicted
from musai.ranking import run as of_run
from musai.ranking import spark as ranking
from musai.ranking.made_for_you import made_for_you
from musai.session import cores
from musai.steps import Night

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "recommend_tracks"


def run(night: Night) -> None:
    frame, sources = lists_of(night, night.read("users").select("user_index", "user_id"))
    for further in (_new_releases, _made_for_you):
        if (rows := further(night)) is not None:
            frame = frame.unionByName(rows)
    written = night.write(frame, "recommendations", JOB)
    models.dropped(sources)
    night.note(f"{written['rows']} rows for {night.run.rows('users')} listeners")


def lists_of(night: Night, users: DataFrame) -> tuple[DataFrame, models.Sources]:
    """The lists of some users (user_index, user_id) by the run's models, and the arrays behind them."""
    lists = of_run.lists_of(night.run, night.config)
    for note in of_run.notes_of(night.run, night.config):
        night.note(note)
    light = night.config.matrix.min_tracks_per_user > 1  # listeners of fewer tracks were not in the training
    sources = of_run.sources_of(night.run, night.config, night.blocked(), fold_in=light)
    factors = night.read("als_factors").where("side = 'user'") if blocks.ALS in lists.blend else None
    tracks = (night.run.rows("items") or 0) + (night.run.rows("tracks") or 0)
    memory_mb, parts = night.config.recommend.block_memory_mb, tuple(lists.blend)
    size = blocks.block_size(tracks, len(parts), memory_mb, len(predicted.asked(parts)))
    count = night.run.rows("users") or 0
    frame = ranking.recommend(
        users,
        night.read("user_item"),
        night.read("unweighted"),
        factors,
        sources,
        lists,
        size,
        max(count - 1, 0),
        ranking.partitions_for(count, size, cores(night.session)),
    )
    return frame, sources


def _made_for_you(night: Night) -> DataFrame | None:
    if columns.MADE_FOR_YOU not in night.config.recommend.lists or not night.run.rows("generated_tracks"):
        return None
    settings = night.config.generation
    return made_for_you(
        night.read("users"),
        night.read("interactions"),
        night.read("tracks") if night.has("tracks") else None,
        night.read("generated_tracks"),
        settings.styles,
        settings.list_length,
        night.config.seed,
    )


def _new_releases(night: Night) -> DataFrame | None:
    settings = night.config.recommend
    if columns.NEW_RELEASES not in settings.lists:
        return None
    if not night.run.rows("predicted_track_factors"):
        night.note("new_releases was left out: there is no unheard track whose factors were predicted")
        return None
    sources = new_releases.Sources(
        predicted=night.run.uri("predicted_track_factors"),
        tracks=night.run.uri("tracks"),
        blocked=frozenset(night.blocked()),
        exclude_explicit=settings.explicit == "exclude",
        top_n=settings.top_n,
        max_tracks_per_artist=settings.max_tracks_per_artist or 0,
    )
    return ranking.new_releases(night.read("user_factors"), sources)
