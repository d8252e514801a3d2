"""What the page is made from: bounded samples and sums of a run, as plain rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Embedded:
    """A sample of the tracks' embeddings by one model: track_ids [n], vectors float32 [n, d]."""

    model: str
    track_ids: list[str]
    vectors: np.ndarray


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a track sounds like: a file beside the page, its length, its bytes."""

    file: str
    seconds: float
    content: bytes


@dataclasses.dataclass(frozen=True)
class Facts:
    """A run, its tables where it has them (None or no rows where not), and what earlier nights left to compare with.

    Rows hold the columns of the table of that name unless said; every one is a sample or a sum of bounded size.
    """

    run_id: str
    run_date: str
    started_at: str
    code: str
    sizes: dict[str, int]  # rows by table
    dates: dict[str, str]  # run_id -> run_date of this run and the earlier ones
    findings: Rows  # audit_results
    counts: Rows  # a source: read, used, rejected, outside, erased
    reasons: Rows  # rejected_rows by source and reason: rows
    jobs: Rows  # job_log of this run and the earlier ones: run_id besides
    metrics: Rows  # recommendation_metrics of this run and the earlier ones: run_id besides
    listeners: Rows  # users, drawn, most tracks first; with group light, medium or heavy
    heard: Rows  # their most played tracks: user_id, track_id, plays
    lists: Rows  # the first places of their lists
    tracks: dict[str, dict[str, Any]]  # track_id -> title, artist, genre, language, valence, arousal where known
    emotions: Rows | None  # track_emotions, drawn
    labels: Rows  # track_emotions by label: tracks
    embedded: Embedded | None
    created: Rows | None  # generated_tracks, the newest
    sounds: dict[str, Clip]  # of created tracks, by generated_id; those that can be heard
    verdicts: Rows  # generated_tracks by method and verdict: tracks
    likeness: Rows  # generation_metrics
