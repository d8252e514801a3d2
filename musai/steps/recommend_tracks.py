"""`recommend_tracks`: neighbours and factors -> recommendations."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from musai import columns
from musai.ranking import blocks, learning, models, new_releases, predicted
from musai.ranking import run as of_run
from musai.ranking import spark as ranking
from musai.ranking.listeners import Listeners
from musai.ranking.made_for_you import made_for_you
from musai.session import cores, is_local, one_task
from musai.steps import Night

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "recommend_tracks"


def run(night: Night) -> None:
    if learning.due(night.config, night.run.rows("user_item") or 0) and not night.has_settings():
        _learn_blend(night)
        night.use_learned_blend()
    every = lists_of(night)
    place = night.run.staging(ranking.TABLE)[ranking.TABLE]
    further = [rows for rows in (_new_releases(night), _made_for_you(night)) if rows is not None]
    parts = ranking.stored(night.session, *every, place).collect()
    models.dropped(every[1])
    more = functools.reduce(lambda left, right: left.unionByName(right), further) if further else None
    written = night.adopt(parts, ranking.TABLE, JOB, more)
    night.note(f"{written['rows']} rows for {night.run.rows('users')} listeners")


def _learn_blend(night: Night) -> None:
    night.progress("weighing the parts of the blend")
    shape = night.run.rows("users") or 0, night.run.rows("items") or 0
    work = functools.partial(learning.batches, night.run.uri("user_item"), shape, night.config)
    found = one_task(night.session, work, learning.SCHEMA)
    weights = {row["part"]: row["weight"] for row in found.collect()}
    if not weights:
        night.note("the blend is that of the configuration: no other was better on held-out plays beyond chance")
        return
    night.write(found, "blend_weights", JOB)
    night.note("the blend, learned: " + ", ".join(f"{part} {weight:g}" for part, weight in weights.items()))


def lists_of(night: Night, only: np.ndarray | None = None) -> tuple[Listeners, models.Sources, blocks.Lists, int]:
    """What `ranking.recommend` is handed for the listeners of the run's models, or those whose indexes (int32,
    ascending) are in `only`."""
    run, lists = night.run, of_run.lists_of(night.run, night.config)
    if is_local(night.session):  # the tasks run on this machine: what is wrong with its GPU can be said at once
        predicted.check(tuple(lists.blend), night.config.similarity)
        blocks.check_device(lists)
    for note in of_run.notes_of(run, night.config):
        night.note(note)
    light = night.config.matrix.min_tracks_per_user > 1  # listeners of fewer tracks were not in the training
    sources = of_run.sources_of(run, night.config, night.blocked(), fold_in=light)
    tracks = (run.rows("items") or 0) + (run.rows("tracks") or 0)
    memory_mb, parts = night.config.recommend.block_memory_mb, tuple(lists.blend)
    at_once = len(predicted.asked(parts)) if lists.device == "cpu" else len(parts)
    size = blocks.block_size(tracks, len(parts), memory_mb, at_once)
    read = ("users", "user_item", "unweighted", *(("als_factors",) if blocks.ALS in lists.blend else ()))
    night.rows_read += sum(run.rows(table) or 0 for table in read)
    listeners = Listeners(
        users=run.uri("users"),
        user_item=run.uri("user_item"),
        unweighted=run.uri("unweighted"),
        factors=run.uri("als_factors") if blocks.ALS in lists.blend else None,
        count=run.rows("users") or 0,
        size=size,
        only=only,
    )
    return listeners, sources, lists, ranking.partitions_for(listeners.count, size, cores(night.session))


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
