"""`generate_tracks`: a model, what it learnt from and earlier nights' tracks -> generated_tracks, refused_tracks."""

from __future__ import annotations

import collections
import json

from musai import columns
from musai.embedding.spark import TRAINED
from musai.embedding.tracks import embedder_of
from musai.emotion import weights
from musai.generation import composer, models, plan, sanity
from musai.generation import spark as generation
from musai.generation.making import SAMPLED
from musai.music.midi import read_midi
from musai.session import cores
from musai.steps import Night
from musai.steps.tag_emotions import trained_here

JOB = "generate_tracks"


def run(night: Night) -> None:
    settings = night.config.generation
    if not settings.tracks:
        night.note("generation.tracks is 0: none were asked for")
        return
    files = _files(night)
    known = composer.load(models.read_model(files.model) if files.model else models.shipped(composer.METHOD)).names
    wishes = plan.wishes(settings, known, night.config.seed, night.run.record.date)
    if unknown := sorted(set(settings.styles) - set(known)):
        night.note(f"no style {', '.join(unknown)} in the model, which knows {', '.join(known)}")
    made = generation.make(night.session, wishes, files, settings)
    tracks = made.where("generated_id is not null").select("generated_id", "style", "midi").orderBy("generated_id")
    found = tracks.collect()
    refused = _refused(made.where("generated_id is null").select("refused").collect())
    twins = {found[place]["generated_id"] for place in sanity.twins([read_midi(bytes(row["midi"])) for row in found])}
    for row in found:
        refused[row["style"], "like another track of the night"] += row["generated_id"] in twins
    new = made.where("generated_id is not null").drop("refused")
    if twins:
        new = new.where(~new["generated_id"].isin(sorted(twins)))
    listening = night.config.embedding
    embedder = embedder_of(listening, (), night.published_weights(TRAINED.format(listening.network)))
    said = generation.heard(new, embedder, {**weights.shipped(), **trained_here(night)}, cores(night.session))
    new = new.selectExpr("*", f"'{night.run.run_id}' as created_run_id").join(said, "generated_id", "left")
    earlier = _earlier(night)
    night.write(new if earlier is None else new.unionByName(earlier.select(*new.columns)), "generated_tracks", JOB)
    rows = [(composer.METHOD, style, reason, count) for (style, reason), count in sorted(refused.items()) if count]
    schema = "method string, style string, reason string, pieces bigint"
    night.write(night.session.createDataFrame(rows, schema).coalesce(1), "refused_tracks", JOB)
    made.unpersist()
    night.rejected = sum(count for (_, reason), count in refused.items() if reason != SAMPLED)
    carried = (night.run.rows("generated_tracks") or 0) - len(found) + len(twins)
    night.note(f"{len(found) - len(twins)} of {len(wishes)} asked for, {carried} of earlier nights")


def _files(night: Night) -> generation.Files:
    """Tonight's or the last published model; else those that ship."""
    return generation.published(night.run.storage, night.published_model(generation.model_name(composer.METHOD)))


def _refused(rows) -> collections.Counter[tuple[str, str]]:  # type: ignore[no-untyped-def]
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for row in rows:
        for style, reasons in json.loads(row["refused"]).items():
            found.update({(style, reason): count for reason, count in reasons.items()})
    return found


def _earlier(night: Night):  # type: ignore[no-untyped-def]
    """What the parent run published, up to generation.keep_tracks."""
    earlier, lists = night.parents("generated_tracks"), night.parents("recommendations")
    if earlier is None:
        return None
    lately = None if lists is None else lists.where(f"list = '{columns.MADE_FOR_YOU}'")
    return generation.kept(earlier, lately, night.config.generation.keep_tracks)
