"""`tune_recommender`, weekly: interactions -> model_settings, tuning_trials."""

from __future__ import annotations

import functools
import hashlib
import json

from musai import provenance
from musai.evaluation import spark as evaluation
from musai.ranking import tuning
from musai.ranking.heldout import held
from musai.session import one_task
from musai.steps import Night, step

JOB = "tune_recommender"


def run(night: Night) -> None:
    """Split as the evaluation does, try settings on the training part, publish the best."""
    config = night.config
    training = night.nested("tuning")
    train, held_out = evaluation.split(night.read("interactions"), config.evaluation, config.seed)
    training.write(train, "interactions", "ingest_interactions")
    step("build_user_item")(training)
    users, items = training.read("users"), training.read("items")
    sample = evaluation.sample_users(held_out, users, config.tuning.users, config.seed)
    pairs = (
        held_out.join(sample.select("user_id", "user_index"), "user_id", "inner")
        .join(items.select("track_id", "item_index"), "track_id", "inner")
        .select("user_index", "item_index")
        .toArrow()
    )
    if not pairs.num_rows:
        night.note("nothing could be held out: no settings were tried")
        return
    known = held(pairs["user_index"].to_numpy(), pairs["item_index"].to_numpy())
    shape = training.run.rows("users") or 0, training.run.rows("items") or 0
    work = functools.partial(tuning.batches, training.run.uri("user_item"), shape, known, config, _journal(night))
    trials = one_task(night.session, work, tuning.SCHEMA)
    night.write(trials, "tuning_trials", JOB)
    winner = trials.orderBy("trial", ascending=False).first()
    assert winner is not None
    rows = [(name, json.dumps(value)) for name, value in sorted(json.loads(winner["settings"]).items())]
    night.write_rows(rows, "name string, value string", "model_settings", JOB)
    night.note(f"{winner['metric']} {winner['value']:.4f} after {winner['trial']} trials: {winner['settings']}")


def _journal(night: Night) -> str:
    """Beside the night that is learnt from, by all that decides a trial: the same command goes on where it stopped."""
    config, base = night.config, night.base or night.run
    decides = [config.digest(), sorted(config.by_hand), provenance.code_version(), base.manifest("interactions")]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    return night.run.storage.uri(f"_nights/{base.run_id}/trials/{key}")
