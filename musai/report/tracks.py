"""What are the tracks like: the plane of valence and arousal, and a map of the embeddings coloured by genre."""

from __future__ import annotations

import collections
from collections.abc import Mapping

import numpy as np

from musai.report import drawing
from musai.report.facts import Embedded, Facts
from musai.report.markup import absent, details, escape, section, table

TITLE = "What are the tracks like?"
LABELS = ("happy", "calm", "sad", "tense", "neutral")
CORNERS = (
    (0.98, 0.94, "end", "happy"),
    (0.98, -0.98, "end", "calm"),
    (-0.98, -0.98, "start", "sad"),
    (-0.98, 0.94, "start", "tense"),
    (0, 1.05, "middle", "more energy"),
    (0, -1.09, "middle", "less energy"),
)
KINDS = 8  # genres with a colour of their own; the rest share one


def render(facts: Facts, numbers: Mapping[str, int]) -> str:
    pictures = _plane(facts, numbers) + _map(facts, numbers)
    return section("tracks", TITLE, f'<div class="pictures">{pictures}</div>')


def _plane(facts: Facts, numbers: Mapping[str, int]) -> str:
    if not facts.emotions:
        return absent("Emotions of the tracks are not there: this run has no rows in <code>track_emotions</code>.")
    spots = [
        (row["valence"], row["arousal"], LABELS.index(row["label"]), numbers[row["track_id"]]) for row in facts.emotions
    ]
    every = sum(row["tracks"] for row in facts.labels)
    words = ", ".join(f"{row['tracks']:,} {row['label']}" for row in facts.labels)
    drawn = drawing.points(spots, CORNERS, f"Tracks by valence (left to right) and arousal (upwards): {words}")
    lines = [(escape(row["label"]), f"{row['tracks']:,}", f"{row['tracks'] / every:.1%}") for row in facts.labels]
    counted = table("All tracks by emotion", ("emotion", "tracks", "share"), lines, "emotions", (1, 2))
    shown = [label for label in LABELS if any(row["label"] == label for row in facts.labels)]
    legend = _legend([(LABELS.index(label), label) for label in shown])
    text = f"{len(spots):,} of {every:,} tracks, from unpleasant (left) to pleasant (right)"
    return _explored("plane", "How they feel", drawn, text, legend, counted)


def _map(facts: Facts, numbers: Mapping[str, int]) -> str:
    embedded = facts.embedded
    if embedded is None or len(embedded.track_ids) < 3:
        return absent("How the tracks sound is not there: this run has no rows in <code>track_embeddings</code>.")
    genres = [str(facts.tracks[track_id].get("genre") or "no genre") for track_id in embedded.track_ids]
    common = [genre for genre, _ in collections.Counter(genres).most_common(KINDS)]
    kinds = {genre: place for place, genre in enumerate(common)}
    places, explained = flattened(embedded)
    spots = [
        (float(x), float(y), kinds.get(genre, KINDS), numbers[track_id])
        for (x, y), genre, track_id in zip(places, genres, embedded.track_ids, strict=True)
    ]
    words = ", ".join(f"{genres.count(genre)} {genre}" for genre in common)
    drawn = drawing.points(spots, (), f"Tracks by how they sound, those alike near each other: {words}")
    legend = _legend(
        [(place, genre) for genre, place in kinds.items()] + ([(KINDS, "other")] if len(set(genres)) > KINDS else [])
    )
    lines = [(escape(genre), str(genres.count(genre)), *_where(places, genres, genre)) for genre in common]
    head = ("genre", "tracks", "across", "up", "spread")
    where = table("Where each genre lies on the map", head, lines, "genres", (1, 2, 3, 4))
    text = f"{len(spots):,} tracks, those that sound alike near each other; {explained:.0%} of the variance shows"
    return _explored("map", "How they sound", drawn, text, legend, where)


def flattened(embedded: Embedded) -> tuple[np.ndarray, float]:
    """Principal components: float64 [n, 2] within -1 to 1, and the share of the variance that they hold.

    Each axis ends where all but a hundredth of the tracks lie; the rest stand at its end. The signs are such that the
    first track with a clear place lies to the right and up, so that a night's map is not the mirror of the last.
    """
    centred = embedded.vectors - embedded.vectors.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    places = centred @ directions[:2].T
    if places.shape[1] < 2:
        places = np.column_stack([places, np.zeros(len(places))])
    reach = np.quantile(np.abs(places), 0.99, axis=0)
    places = np.clip(places / np.where(reach > 0, reach, 1), -1, 1)
    clear = places[np.argmax(np.abs(places) > 0.3, axis=0), [0, 1]]
    total = float((lengths**2).sum()) or 1.0
    return places * np.where(clear < 0, -1, 1), float((lengths[:2] ** 2).sum()) / total


def _where(places: np.ndarray, genres: list[str], genre: str) -> tuple[str, str, str]:
    own = places[[name == genre for name in genres]]
    middle = own.mean(axis=0)
    return f"{middle[0]:+.2f}", f"{middle[1]:+.2f}", f"{np.linalg.norm(own - middle, axis=1).mean():.2f}"


def _legend(kinds: list[tuple[int, str]]) -> str:
    items = "".join(f'<li><span class="key k{kind}"></span>{escape(text)}</li>' for kind, text in kinds)
    return f'<ul class="legend">{items}</ul>'


def _explored(key: str, title: str, drawn: str, text: str, legend: str, numbers: str) -> str:
    """A picture whose points the pointer and the arrow keys name."""
    return (
        f'<div class="picture"><h3 id="{key}-title">{title}</h3>'
        f'<div class="explored" tabindex="0" role="group" aria-labelledby="{key}-title" aria-describedby="{key}-how">'
        f'{drawn}</div><output class="named" for="">&nbsp;</output>{legend}'
        f'<p class="more" id="{key}-how">{text}. Point at one, or press the arrow keys, to see its name.</p>'
        f"{details('In numbers', numbers)}</div>"
    )
