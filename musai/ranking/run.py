"""What ranking is handed of a run: where the tables of its models lie, and which lists are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from musai import columns
from musai.config import Config
from musai.ranking import blocks, extras, mood_taste, moods, predicted
from musai.ranking.blocks import Lists
from musai.ranking.models import Sources
from musai.ranking.reranking import Reranking
from musai.warehouse import Run

CATALOGUE = "the catalogue (inputs.tracks)"
EMOTIONS = "track_emotions"
BY_THEMSELVES = (columns.NEW_RELEASES, columns.MADE_FOR_YOU)  # lists that the blend's scores do not make


def blend_of(run: Run, config: Config) -> dict[str, float]:
    """The parts that have a weight, and what they need."""
    missing = {mood_taste.METHOD} if not run.has("track_emotions") else set()
    return {name: weight for name, weight in config.recommend.blend.items() if weight and name not in missing}


def sources_of(run: Run, config: Config, blocked: Sequence[str], fold_in: bool) -> Sources:
    """`blocked`: tracks that are never listed; `fold_in`: whether listeners may come whom the training did not have."""
    settings, blend = config.recommend, blend_of(run, config)
    has_tracks, has_emotions = run.has("tracks"), run.has("track_emotions")
    calibrate_by = settings.calibrate_by if settings.calibration and not _lacks(run, settings.calibrate_by) else None
    popularity_by = settings.popularity_by if has_tracks else None
    fold_in = fold_in and blocks.ALS in blend
    needs_matrix = predicted.asked(tuple(blend))
    used = ["items", "track_neighbours", "als_factors", *(["tracks"] if has_tracks else [])]
    used += ["track_emotions"] if has_emotions else []
    return Sources(
        items=run.uri("items"),
        neighbours=run.uri("track_neighbours"),
        factors=run.uri("als_factors") if blocks.ALS in blend or settings.diversity else None,
        tracks=run.uri("tracks") if has_tracks else None,
        blocked=tuple(blocked),
        exclude_explicit=settings.explicit == "exclude",
        methods=tuple(name for name in blend if name != blocks.ALS),
        matrix=run.uri("user_item") if needs_matrix or popularity_by or fold_in else None,
        users=run.rows("users") or 0,
        similarity=config.similarity if needs_matrix else None,
        seed=config.seed,
        emotions=run.uri("track_emotions") if has_emotions else None,
        min_confidence=config.emotion.min_confidence,
        digest=" ".join((run.manifest(table) or {}).get("digest", "-") for table in used),
        calibrate_by=calibrate_by,
        popularity_by=popularity_by,
        folding=config.factorization if fold_in else None,
    )


def lists_of(run: Run, config: Config) -> Lists:
    """The lists that the blend's scores make; the others are made by themselves."""
    settings, missing = config.recommend, {name for name, _ in _left_out(run, config)}
    calibration = 0.0 if _lacks(run, settings.calibrate_by) else settings.calibration
    chosen = Reranking(settings.diversity, calibration, settings.popularity_exponent, settings.candidates)
    return Lists(
        settings.top_n,
        tuple(name for name in settings.lists if name not in (*BY_THEMSELVES, *missing)),
        blend_of(run, config),
        settings.max_tracks_per_artist or 0,
        chosen if settings.reranked else None,
        settings.device,
        settings.gpu_precision,
    )


def notes_of(run: Run, config: Config) -> list[str]:
    """What was left out for want of a table."""
    return [f"{name} was left out: it needs {table}" for name, table in _left_out(run, config)]


def _left_out(run: Run, config: Config) -> Iterator[tuple[str, str]]:
    settings = config.recommend
    for name in settings.lists:
        if name == columns.DISCOVER and not run.has("tracks"):
            yield name, "the catalogue's artists (inputs.tracks)"
        elif name.startswith(moods.PREFIX) and not run.has("track_emotions"):
            yield name, EMOTIONS
    if settings.blend.get("mood") and not run.has("track_emotions"):
        yield "recommend.blend: mood", EMOTIONS
    if settings.calibration and (lacking := _lacks(run, settings.calibrate_by)):
        yield "recommend.calibration", lacking
    if settings.popularity_by and not run.has("tracks"):
        yield "recommend.popularity_by", CATALOGUE


def _lacks(run: Run, calibrate_by: str) -> str | None:
    """The table that calibration would need."""
    table, name = ("track_emotions", EMOTIONS) if calibrate_by == extras.MOOD else ("tracks", CATALOGUE)
    return None if run.has(table) else name
