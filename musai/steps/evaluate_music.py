"""`evaluate_music`: tonight's generated_tracks against held-out real music -> generation_metrics."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musai.evaluation import music_metrics
from musai.evaluation.music_metrics import frechet_distance
from musai.generation.making import SAMPLED
from musai.generation.quadrants import quadrant
from musai.listening import answers
from musai.music.midi import read_midi
from musai.music.notes import Piece
from musai.steps import Night
from musai.steps.generate_tracks import models_of

JOB = "evaluate_music"
FEWEST = 2  # tracks that have a distribution

Row = tuple[str, str, str, float, float | None, float | None]  # of generation_metrics


def run(night: Night) -> None:
    if not night.has("generated_tracks"):
        night.note("no tracks were generated: nothing to measure")
        return
    from musai.generation.spark import sounds_by_style  # torch takes seconds to load

    rules = models_of(night).law().rules
    new = night.read("generated_tracks").where(f"created_run_id = '{night.run.run_id}'")
    found = (
        new.select("method", "style", "midi", "emotion", "embedding", "valence", "arousal")
        .orderBy("generated_id")
        .collect()
    )
    groups: dict[tuple[str, str], list[Any]] = collections.defaultdict(list)
    for row in found:
        groups[row["method"], row["style"]].append(read_midi(bytes(row["midi"])))
    profiles = {style: (one.real, one.other_half) for style, one in rules.items()}
    rows: list[Row] = []
    for (method, style), pieces in sorted(groups.items()):
        if style not in rules or len(pieces) < FEWEST:
            night.note(f"{len(pieces)} tracks of {method}, {style}: too few to compare")
            continue
        compared = music_metrics.compared(music_metrics.profile(pieces), profiles, style)
        rows += [(method, style, metric, *values) for metric, values in compared.items()]
        near = sum(ours > other for ours, _, other in compared.values())
        night.note(f"{method}, {style}: nearer to its own style than to another on {near} of {len(compared)} features")
    if night.has("tracks") and night.has("track_embeddings"):
        sounds = sounds_by_style(night.read("tracks"), night.read("track_embeddings"), night.config.generation)
        rows += _distances(found, sounds)
    rows += _ends_home(groups)
    rows += _shares_heard(found)
    rows += _shares_refused(night)
    if judged := answers.latest(night.run.storage):
        rows += answers.as_metrics(judged)
        night.note(f"{judged['raters']} listeners compared them with real music in test {judged['test']}")
    night.write_rows(rows, "generation_metrics", JOB)


def _distances(tracks: Sequence[Any], sounds: Mapping[str, np.ndarray]) -> list[Row]:
    """Of each method and style: the Frechet distance of how its tracks sound from one half of the catalogue's tracks of
    the style, beside that of the other half and of the nearest other style."""
    heard: dict[tuple[str, str], list[np.ndarray]] = collections.defaultdict(list)
    for row in tracks:
        if row["embedding"] is not None and row["style"] in sounds:
            heard[row["method"], row["style"]].append(np.array(row["embedding"], np.float32))
    rows: list[Row] = []
    for (method, style), vectors in sorted(heard.items()):
        half, rest = sounds[style][::2], sounds[style][1::2]
        others = [those for name, those in sounds.items() if name != style and len(those) >= FEWEST]
        if min(len(vectors), len(half), len(rest)) >= FEWEST:
            ours, same, *far = (frechet_distance(those, half) for those in (np.stack(vectors), rest, *others))
            rows.append((method, style, "frechet_distance", ours, same, min(far, default=None)))
    return rows


def _ends_home(groups: Mapping[tuple[str, str], Sequence[Piece]]) -> list[Row]:
    """Of each method and style: tracks that end on the tonic or the dominant."""
    means = {
        key: float(np.mean([music_metrics.ends_home(piece) for piece in pieces])) for key, pieces in groups.items()
    }
    return [(*key, "ends_home", mean, None, None) for key, mean in sorted(means.items())]


def _shares_heard(tracks: Sequence[Any]) -> list[Row]:
    """Of each method and style: tracks that the catalogue's own readers put into the quadrant that was asked for."""
    heard: dict[tuple[str, str], list[bool]] = collections.defaultdict(list)
    for row in tracks:
        if row["valence"] is not None:
            same = quadrant(row["valence"] > 0, row["arousal"] > 0) == row["emotion"]
            for style in (row["style"], "all"):
                heard[row["method"], style].append(same)
    return [(*key, "emotion_heard", sum(same) / len(same), None, None) for key, same in sorted(heard.items())]


def _shares_refused(night: Night) -> list[Row]:
    """Of each method and style, and of each method in all: refused pieces over all that were looked at."""
    looked: dict[tuple[str, str], int] = collections.Counter()
    made: dict[tuple[str, str], int] = collections.Counter()
    for row in night.read("refused_tracks").where(f"reason = '{SAMPLED}'").collect():
        for style in (row["style"], "all"):
            looked[row["method"], style] += row["pieces"]
    tracks = night.read("generated_tracks").where(f"created_run_id = '{night.run.run_id}'")
    for row in tracks.groupBy("method", "style").count().collect():
        for style in (row["style"], "all"):
            made[row["method"], style] += row["count"]
    return [
        (method, style, "share_refused", 1 - made[method, style] / count, None, None)
        for (method, style), count in sorted(looked.items())
    ]
