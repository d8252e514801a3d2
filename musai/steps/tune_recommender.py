"""`tune_recommender`, weekly: interactions -> model_settings, tuning_trials."""

from __future__ import annotations

import functools
import hashlib
import json

from musai import provenance
from musai.config import Config, Evaluation
from musai.errors import InputError
from musai.evaluation import spark as evaluation
from musai.ranking import parts, tuning
from musai.ranking.heldout import held, parted
from musai.ranking.learning import LEAST_TRACKS
from musai.session import one_task
from musai.steps import Night, step

JOB = "tune_recommender"


def run(night: Night) -> None:
    """Hold out of what the evaluation trains on, in the same way; try settings on the rest; publish what is better.

    So nothing that the evaluation measures on was looked at. Where it holds nothing out (`evaluation.min_tracks` is
    beyond everybody), it trains on all plays.
    """
    config = _at_hand(night)
    if parts.BLEND in config.by_hand and not any(parts.tunable(config).values()):
        night.note("recommend.blend, given by hand, has no part with anything to search: no settings were tried")
        return
    training = night.nested("tuning", config)
    of_evaluation, _ = evaluation.split(night.read("interactions"), config.evaluation, config.seed)
    train, held_out = evaluation.split(of_evaluation, _validation(config.evaluation), config.seed)
    training.write(train, "interactions", "ingest_interactions")
    step("build_user_item")(training)
    users, items = training.read("users"), training.read("items")
    sample = evaluation.sample_users(held_out, users, 2 * config.tuning.users, config.seed)
    pairs = (
        held_out.join(sample.select("user_id", "user_index"), "user_id", "inner")
        .join(items.select("track_id", "item_index"), "track_id", "inner")
        .select("user_index", "item_index")
        .toArrow()
    )
    known = held(pairs["user_index"].to_numpy(), pairs["item_index"].to_numpy())
    searching, judges = parted(known, config.tuning.users, config.seed)
    if len(judges.users) < tuning.LEAST:
        few = f"{len(known.users)} listeners of whom something could be held out"
        night.note(f"{few} are too few to tell what is better from chance: no settings were tried")
        return
    shape = training.run.rows("users") or 0, training.run.rows("items") or 0
    journal = _journal(night, config)
    work = functools.partial(tuning.batches, training.run.uri("user_item"), shape, searching, judges, config, journal)
    trials = one_task(night.session, work, tuning.SCHEMA)
    night.write(trials, "tuning_trials", JOB)
    winner, other = trials.orderBy("trial", ascending=False).take(2)
    settings, tried = json.loads(winner["settings"]), f"after {winner['trial'] - 2} trials"
    if settings == parts.in_use(config):
        night.note(
            f"{tried} nothing better than the settings at hand beyond chance, which stay: {winner['metric']} "
            f"{winner['value']:.4f}, {other['value']:.4f} with the best that was found"
        )
        return
    rows = [(key, json.dumps(value)) for key, value in sorted(settings.items()) if key not in config.by_hand]
    night.write_rows(rows, "model_settings", JOB)
    night.note(
        f"{tried} {winner['metric']} {winner['value']:.4f}, {other['value']:.4f} with the settings at hand: "
        f"{winner['settings']}"
    )


def _at_hand(night: Night) -> Config:
    """What the nights are made with: what was found before, else the blend that the night has learned (on plays of the
    judges too, so that it is hard to beat rather than easy)."""
    if not night.has_settings():
        night.use_learned_blend()
        return night.config
    try:
        return night.tuned().config
    except InputError as error:  # the nights say so too; what is found now will fit
        night.note(str(error))
        return night.config


def _validation(settings: Evaluation) -> Evaluation:
    """Of whom something is held out here: also of who has just enough tracks for the evaluation, which takes one."""
    return settings.model_copy(update={"min_tracks": max(2, min(settings.min_tracks, LEAST_TRACKS) - 1)})


def _journal(night: Night, config: Config) -> str:
    """Beside the night that is learnt from, by all that decides a trial: the same command goes on where it stopped."""
    base = night.base or night.run
    decides = [config.digest(), sorted(config.by_hand), provenance.code_version(), base.manifest("interactions")]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    return night.run.storage.uri(f"_nights/{base.run_id}/trials/{key}")
