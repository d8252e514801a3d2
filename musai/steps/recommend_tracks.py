"""`recommend_tracks`: neighbours and factors -> recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musai import columns
from musai.ranking import blocks, models, moods, new_releases, predicted
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
    settings = night.config.recommend
    blend: dict[str, float] = {name: weight for name, weight in settings.blend.items() if weight}
    has_tracks, has_emotions = night.has("tracks"), night.has("track_emotions")
    names = _names(night, has_tracks, has_emotions)
    used = ["items", "track_neighbours", "als_factors", *(["tracks"] if has_tracks else [])]
    used += ["track_emotions"] if has_emotions else []
    sources = models.Sources(
        items=night.run.uri("items"),
        neighbours=night.run.uri("track_neighbours"),
        factors=night.run.uri("als_factors") if "als" in blend else None,
        tracks=night.run.uri("tracks") if has_tracks else None,
        blocked=tuple(night.blocked()),
        exclude_explicit=settings.explicit == "exclude",
        methods=tuple(name for name in blend if name != "als"),
        matrix=night.run.uri("user_item") if predicted.asked(tuple(blend)) else None,
        users=night.run.rows("users") or 0,
        similarity=night.config.similarity if predicted.asked(tuple(blend)) else None,
        seed=night.config.seed,
        emotions=night.run.uri("track_emotions") if has_emotions else None,
        min_confidence=night.config.emotion.min_confidence,
        digest=" ".join((night.run.manifest(table) or {}).get("digest", "-") for table in used),
    )
    factors = night.read("als_factors").where("side = 'user'") if "als" in blend else None
    tracks = (night.run.rows("items") or 0) + (night.run.rows("tracks") or 0 if has_tracks else 0)
    size = blocks.block_size(tracks, len(blend), settings.block_memory_mb, len(predicted.asked(tuple(blend))))
    count = night.run.rows("users") or 0
    frame = ranking.recommend(
        users,
        night.read("user_item"),
        night.read("unweighted"),
        factors,
        sources,
        blocks.Lists(settings.top_n, names, blend, settings.max_tracks_per_artist or 0),
        size,
        max(count - 1, 0),
        ranking.partitions_for(count, size, cores(night.session)),
    )
    return frame, sources


def _names(night: Night, has_tracks: bool, has_emotions: bool) -> tuple[str, ...]:
    """The lists that the blend's scores make; the others are made by themselves (see `run`)."""
    by_blend = [n for n in night.config.recommend.lists if n not in (columns.NEW_RELEASES, columns.MADE_FOR_YOU)]
    needs = {name: "the catalogue's artists (inputs.tracks)" for name in (columns.DISCOVER,) if not has_tracks}
    if not has_emotions:
        needs |= {name: "track_emotions" for name in by_blend if name.startswith(moods.PREFIX)}
    for name in by_blend:
        if name in needs:
            night.note(f"{name} was left out: it needs {needs[name]}")
    return tuple(name for name in by_blend if name not in needs)


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
