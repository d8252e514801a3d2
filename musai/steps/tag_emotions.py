"""`tag_emotions`: words, notes and sound of the catalogue -> track_emotions."""

from __future__ import annotations

from musai.emotion import sound_tags, weights
from musai.emotion import spark as emotion
from musai.emotion.fusion import DISAGREEING
from musai.errors import InputError, MusaiError
from musai.inputs.media import roots_of
from musai.inputs.places import RAW_CHARACTERS
from musai.session import cores
from musai.steps import Night

JOB = "tag_emotions"


def run(night: Night) -> None:
    if not night.has("tracks"):
        night.note("no catalogue (inputs.tracks): there is nothing to tag")
        return
    embeddings = night.read("track_embeddings") if night.has("track_embeddings") else None
    tagged = emotion.tagged(
        night.read("tracks"),
        embeddings,
        _earlier(night),
        {**weights.shipped(), **_tagger(night), **trained_here(night)},
        roots_of(night.config.inputs),
        emotion.partitions_for(night.run.rows("tracks") or 0, cores(night.session)),
    )
    written = night.write(tagged.where("label IS NOT NULL"), "track_emotions", JOB)
    night.write(tagged, "emotion_inputs", JOB)
    raw = f"substring(track_id, 1, {RAW_CHARACTERS}) AS raw"
    rejects = tagged.where("reason IS NOT NULL").selectExpr("'tracks' AS source", "place", "reason", raw)
    night.rejected = night.write(rejects, "rejected_rows", JOB)["rows"]
    carried = tagged.where("carried").count()
    differ = tagged.where(f"disagreement >= {DISAGREEING}").count()
    tagged.unpersist()
    total = night.run.rows("tracks")
    night.note(f"{written['rows']} of {total} tracks, {carried} as the night before, {night.rejected} MIDI rejected")
    if differ:
        night.note(f"tracks whose sources contradict each other: {differ} (emotion_inputs.disagreement)")


def _earlier(night: Night) -> emotion.Earlier | None:
    parent = night.warehouse.parent(night.run.record.date)
    run = night.warehouse.run(parent["run_id"]) if parent else None
    if run is None or not (run.has("emotion_inputs") and run.has("track_emotions")):
        return None
    inputs = run.read(night.session, "emotion_inputs")
    if not {*emotion.SAID} <= {*inputs.columns}:  # of a version that did not keep them: every track is read anew
        return None
    return emotion.Earlier(run.read(night.session, "track_emotions"), inputs)


def _tagger(night: Night) -> dict[str, weights.Stored]:
    """The last layer of the tagger of moods and themes, where that is among the networks, with the weights it came
    with."""
    settings = night.config.embedding
    heard = [settings, *(settings.model_copy(update=dict(one)) for one in settings.also)]
    taggers = [one for one in heard if one.network == "moodtheme"]
    if not taggers:
        return {}
    from safetensors.numpy import load  # these take torch with them, which most nights of this job need not

    from musai.embedding.spark import TRAINED
    from musai.embedding.tracks import embedder_of

    if taggers[0] is settings and night.published_weights(TRAINED.format(settings.network)):
        return {}
    embedder = embedder_of(taggers[0], roots_of(night.config.inputs))
    if embedder.tags != len(sound_tags.meanings()):
        raise InputError(
            f"embedding.weights: {embedder.tags} tags, not the {len(sound_tags.meanings())} of MTG-Jamendo"
        )
    state = load(embedder.state)
    card = weights.Card(
        name=sound_tags.NAME,
        data=[{"name": "MTG-Jamendo moods and themes, by the weights of embedding.weights"}],
        licence="of those weights",
        figures={},
        command="none: nothing is trained",
        valence_error=sound_tags.VALENCE_ERROR,
        arousal_error=sound_tags.AROUSAL_ERROR,
        settings={"models": [embedder.model]},
    )
    return {sound_tags.NAME: weights.stored({"weights": state["dense.weight"], "bias": state["dense.bias"]}, card)}


def trained_here(night: Night) -> dict[str, weights.Stored]:
    """What `train_emotion` made, as it was published last."""
    rows = night.latest("models")
    if rows is None:
        return {}
    found = {}
    for row in rows.where("name LIKE 'emotion/%'").collect():
        tensors = night.warehouse.storage.read(f"{row['path']}/model.safetensors")
        if tensors is None:
            raise MusaiError(f"{row['path']}: the weights of {row['name']} are gone")
        found[row["name"].removeprefix("emotion/")] = weights.Stored(tensors, row["card"])
    return found
