"""`evaluate_recommendations`: the same models fitted on a training part, measured on what was held out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from musai import columns
from musai.evaluation import figures, ranking_metrics
from musai.evaluation import spark as evaluation
from musai.ranking import models
from musai.ranking import spark as ranking
from musai.steps import Night, recommend_tracks, step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "evaluate_recommendations"


def run(night: Night) -> None:
    settings, last = night.config.evaluation, night.last_metrics()
    digest = night.config.digest()  # with what was tuned; weights that a night learns for itself are no new settings
    if last:
        age = (night.run.record.date - dt.date.fromisoformat(last["run_date"])).days
        if last["settings_digest"] == digest and age < settings.every_n_nights:
            night.note(f"not due: measured on {last['run_date']}, every {settings.every_n_nights} nights")
            return
    found = measured(night)
    values = [
        (r.metric, r.k, name, r.listeners, r.value, r.low, r.high, r.baseline, r.users)
        for name, rows in found.items()
        for r in rows
    ]
    night.write_rows(values, "recommendation_metrics", JOB, {"settings_digest": digest})
    for row in found.get(columns.FOR_YOU, []):
        if (row.listeners, row.k) == (ranking_metrics.ALL, min(settings.ks)) and row.metric in ("recall", "ndcg"):
            interval = f"{row.low:.4f} to {row.high:.4f}"
            night.note(f"{row.metric}@{row.k} {row.value:.4f} ({interval}), popularity {row.baseline:.4f}")


def measured(night: Night) -> dict[str, list[ranking_metrics.MetricRow]]:
    """Split, fit by the nightly's own steps on the training part, recommend, measure: rows by list; {} where nothing is
    held out.

    Of `discover` only held-out tracks count of artists who are new to the listener, and listeners who have some.
    """
    night.use_learned_blend()
    config, seed = figures.of_the_fit(night.config), night.config.seed
    training = night.nested("evaluation", config)
    train, held_out = evaluation.split(night.read("interactions"), config.evaluation, seed)
    held_out, least = held_out.persist(), config.evaluation.min_tracks
    # Who has too few tracks of any weight has too few of plays > 0: a look at `users` may spare the whole split.
    if night.read("users").where(f"interactions >= {least}").isEmpty() or held_out.isEmpty():
        night.note(f"no listener has {least} tracks: nothing was measured")
        return {}
    training.write(train, "interactions", "ingest_interactions")
    for job in ("build_user_item", "compute_similarities", "train_als"):
        night.progress(f"{job} on the training part")
        step(job)(training)
    users = training.read("users")
    sample = evaluation.sample_users(held_out, users, config.evaluation.max_users, seed).persist()
    plain = config.recommend.plain().model_copy(update={"blend": {}})
    popularity = config.model_copy(update={"recommend": plain})
    only = np.sort(sample.select("user_index").toArrow()["user_index"].to_numpy())
    ours, theirs = (_recommended(one, only) for one in (training, dataclasses.replace(training, config=popularity)))
    kept = [held_out, sample, ours, theirs]
    found = {columns.FOR_YOU: _rows(training, columns.FOR_YOU, ours, theirs, sample, held_out)}
    if columns.DISCOVER in config.recommend.lists and training.has("tracks"):
        new = evaluation.of_new_artists(held_out, training.read("interactions"), training.read("tracks")).persist()
        those = evaluation.sample_users(new, sample.drop("held_out"), config.evaluation.max_users, seed).persist()
        if those.isEmpty():
            night.note("discover: no held-out track is of an artist who is new to the listener")
        else:
            found[columns.DISCOVER] = _rows(training, columns.DISCOVER, ours, theirs, those, new)
        kept += [new, those]
    for frame in kept:
        frame.unpersist()
    return found


def _recommended(training: Night, only: np.ndarray) -> DataFrame:
    """The lists of those listeners, int32 [users], kept."""
    wanted = recommend_tracks.lists_of(training, only)
    lists = ranking.recommend(training.session, *wanted).persist()
    lists.count()  # now, for then the models go
    models.dropped(wanted[1])
    return lists


def _rows(
    training: Night, name: str, ours: DataFrame, theirs: DataFrame, sample: DataFrame, held_out: DataFrame
) -> list[ranking_metrics.MetricRow]:
    """The figures of one list: ours and those by popularity."""
    settings, items = training.config.evaluation, training.read("items")
    factors = training.run.read(training.session, "als_factors").where("side = 'track'")

    def collected(lists: DataFrame) -> figures.Measured:
        named = lists.where(F.col(columns.LIST) == name)
        recommended, hits = evaluation.collected(named, sample, held_out, items, max(settings.ks))
        return figures.Measured(recommended.astype(np.int64), hits)

    known = sample.select("user_index", "interactions", "held_out").toArrow().sort_by("user_index")
    return figures.rows(
        collected(ours),
        collected(theirs),
        held_out=known["held_out"].to_numpy(),
        history=known["interactions"].to_numpy(),
        listeners=items.orderBy("item_index").select("interactions").toArrow()["interactions"].to_numpy(),
        audience=training.run.rows("users") or 0,
        vectors_of=lambda wanted: evaluation.vectors(factors, wanted),
        ks=settings.ks,
        seed=training.config.seed,
        resamples=settings.resamples,
        confidence=settings.confidence,
    )
