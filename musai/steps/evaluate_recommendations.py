"""`evaluate_recommendations`: the same models fitted on a training part, measured on what was held out."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pyarrow as pa

from musai import columns
from musai.config import Config
from musai.evaluation import figures, ranking_metrics
from musai.evaluation import spark as evaluation
from musai.ranking import models
from musai.ranking import spark as ranking
from musai.steps import Night, recommend_tracks, step

JOB = "evaluate_recommendations"
SCHEMA = (
    "metric string, k int, list string, listeners string, value double, low double, high double, baseline double, "
    "users bigint"
)


def run(night: Night) -> None:
    settings, last = night.config.evaluation, night.last_metrics()
    digest = night.config.digest()  # with what was tuned; weights that a night learns for itself are no new settings
    if last:
        age = (night.run.record.date - dt.date.fromisoformat(last["run_date"])).days
        if last["settings_digest"] == digest and age < settings.every_n_nights:
            night.note(f"not due: measured on {last['run_date']}, every {settings.every_n_nights} nights")
            return
    rows = measured(night)
    values = [(r.metric, r.k, columns.FOR_YOU, r.listeners, r.value, r.low, r.high, r.baseline, r.users) for r in rows]
    night.write_rows(values, SCHEMA, "recommendation_metrics", JOB, {"settings_digest": digest})
    for row in rows:
        if (row.listeners, row.k) == (ranking_metrics.ALL, min(settings.ks)) and row.metric in ("recall", "ndcg"):
            interval = f"{row.low:.4f} to {row.high:.4f}"
            night.note(f"{row.metric}@{row.k} {row.value:.4f} ({interval}), popularity {row.baseline:.4f}")


def measured(night: Night) -> list[ranking_metrics.MetricRow]:
    """Split, fit by the nightly's own steps on the training part, recommend, measure; [] where nothing is held out."""
    night.use_learned_blend()
    config, seed = _of_the_fit(night.config), night.config.seed
    training = night.nested("evaluation", config)
    train, held_out = evaluation.split(night.read("interactions"), config.evaluation, seed)
    held_out, least = held_out.persist(), config.evaluation.min_tracks
    # Who has too few tracks of any weight has too few of plays > 0: a look at `users` may spare the whole split.
    if night.read("users").where(f"interactions >= {least}").isEmpty() or held_out.isEmpty():
        night.note(f"no listener has {least} tracks: nothing was measured")
        return []
    training.write(train, "interactions", "ingest_interactions")
    for job in ("build_user_item", "compute_similarities", "train_als"):
        night.progress(f"{job} on the training part")
        step(job)(training)
    users, items = training.read("users"), training.read("items")
    sample = evaluation.sample_users(held_out, users, config.evaluation.max_users, seed).persist()
    plain = config.recommend.plain().model_copy(update={"blend": {}})
    popularity = config.model_copy(update={"recommend": plain})
    ours, theirs = (
        _measured(one, sample, held_out, items) for one in (training, dataclasses.replace(training, config=popularity))
    )
    known = sample.select("user_index", "interactions", "held_out").toArrow().sort_by("user_index")
    rows = figures.rows(
        ours,
        theirs,
        held_out=known["held_out"].to_numpy(),
        history=known["interactions"].to_numpy(),
        listeners=items.orderBy("item_index").select("interactions").toArrow()["interactions"].to_numpy(),
        audience=training.run.rows("users") or 0,
        vectors_of=lambda wanted: _vectors(training, wanted),
        ks=config.evaluation.ks,
        seed=seed,
        resamples=config.evaluation.resamples,
        confidence=config.evaluation.confidence,
    )
    for frame in (held_out, sample):
        frame.unpersist()
    return rows


def _of_the_fit(config: Config) -> Config:
    """What the fit on the training part needs: one list as long as the largest cut, no similar users."""
    recommend = config.recommend.model_copy(update={"lists": [columns.FOR_YOU], "top_n": max(config.evaluation.ks)})
    similarity = config.similarity.model_copy(update={"user_methods": []})
    return config.model_copy(update={"recommend": recommend, "similarity": similarity})


def _measured(training: Night, sample, held_out, items) -> figures.Measured:  # type: ignore[no-untyped-def]
    only = np.sort(sample.select("user_index").toArrow()["user_index"].to_numpy())
    wanted = recommend_tracks.lists_of(training, only)
    lists = ranking.recommend(training.session, *wanted)
    recommended, hits = evaluation.collected(lists, sample, held_out, items, max(training.config.evaluation.ks))
    models.dropped(wanted[1])
    return figures.Measured(recommended.astype(np.int64), hits)


def _vectors(training: Night, wanted: np.ndarray) -> np.ndarray:
    """ALS factors float32 [n, f] of the wanted item indexes (ascending)."""
    rows = training.session.createDataFrame(pa.table({"row_index": pa.array(wanted, pa.int32())}))
    factors = training.run.read(training.session, "als_factors").where("side = 'track'")
    table = factors.join(rows, "row_index", "left_semi").orderBy("row_index").select("factors").toArrow()
    return table["factors"].combine_chunks().flatten().to_numpy().reshape(len(wanted), -1)
