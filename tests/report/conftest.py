"""Facts of a made-up night whose ids and titles are as hostile as anybody's text may be."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import symusic

from musai.report.facts import Clip, Embedded, Facts

HOSTILE = [
    "</script><script>document.title='stolen'</script>",
    '"><img src=x onerror="document.title=1">',
    "' onfocus='document.title=1' autofocus='",
    "<!-- <script>",
    "&lt;b&gt; &amp; ]]>",
    "夜空中最亮的星",
    "مستمع-133",
    "line\u2028end\u2029",
    "nul\x00bell\x07",
    "right\u202eto left",
]

GROUPS = ("heavy", "medium", "light")


def midi(seed: int) -> bytes:
    """64 notes of a random walk."""
    steps = np.random.default_rng(seed).choice([-2, -1, 1, 2], 64)
    score, part, pitch = symusic.Score(480), symusic.Track("melody", 0, False), 64
    for place, step in enumerate(steps.tolist()):
        pitch = min(max(pitch + step, 50), 80)
        part.notes.append(symusic.Note(240 * place, 240, pitch, 80))
    score.tracks.append(part)
    return bytes(score.dumps_midi())


def created(number: int, **others: object) -> dict[str, object]:
    """A row of generated_tracks without what the page does not read."""
    row: dict[str, object] = {
        "generated_id": f"made {number} {HOSTILE[0]}", "created_run_id": "r", "method": "style_transfer",
        "style": "reel",
        "target_style": HOSTILE[1], "source_track_id": "t0", "emotion": "happy", "seed": number, "model": HOSTILE[3],
        "midi": midi(number), "duration_s": 32.0, "notes": 64, "metrics": {}, "valence": 0.5, "arousal": -0.5,
        "originality": {"longest_run": 5, "copied_share": 0.1, "nearest_track_id": "t1", "verdict": "original"},
        "licence": "CC0-1.0", "provenance": '{"model": "</pre><script>"}',
    }  # fmt: skip
    return {**row, **others}


def figures(run_id: str, value: float) -> list[dict[str, object]]:
    """Rows of recommendation_metrics; nothing is known of the heavy listeners."""
    return [
        {
            "run_id": run_id, "metric": metric, "k": k, "list": "for_you", "listeners": listeners,
            "value": float("nan") if listeners == "heavy" else value,
            "low": None if metric == "coverage" else value - 0.02,
            "high": None if metric == "coverage" else value + 0.02, "baseline": 0.1, "users": 7,
        }
        for metric in ("recall", "coverage") for k in (5, 10) for listeners in ("all", "light", "heavy")
    ]  # fmt: skip


@pytest.fixture
def facts() -> Facts:
    count = len(HOSTILE)
    users = [text.replace("\x00", "").replace("\x07", "") for text in HOSTILE]
    random_numbers = np.random.default_rng(1)
    tracks = {f"t{n}": {"title": text, "artist": text, "genre": HOSTILE[n % 3]} for n, text in enumerate(HOSTILE)}
    tracks["t5"]["language"] = "zh"
    tracks["t6"]["language"] = '"><script>'
    spots = [(0.5, 0.5, "happy"), (-0.5, 0.5, "tense"), (-0.5, -0.5, "sad"), (0.5, -0.5, "calm"), (0.0, 0.1, "neutral")]
    began = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    job = {
        "job": "train_als", "attempt": 1, "started_at": began, "seconds": 61.0, "rows_read": 5, "rows_written": 6,
        "rejected": 0, "status": "done", "message": HOSTILE[1],
    }  # fmt: skip
    return Facts(
        run_id="now",
        run_date="2026-01-02",
        started_at="2026-01-03T01:00:00",
        code="0.1.0+<b>",
        sizes={"users": 1000, "items": 50, "recommendations": 2000},
        dates={"now": "2026-01-02", "before": "2026-01-01"},
        findings=[{"check": HOSTILE[0], "passed": True, "message": HOSTILE[1]}],
        counts=[{"source": "interactions", "read": 10, "used": 7, "rejected": 1, "outside": 2, "erased": 0}],
        reasons=[{"source": "interactions", "reason": HOSTILE[0], "rows": 1}],
        jobs=[{**job, "run_id": "now"}, {**job, "run_id": "before", "seconds": 30.0}],
        metrics=[*figures("now", 0.3), *figures("before", 0.2)],
        listeners=[
            {"user_id": user, "interactions": count - n, "plays": 9.5, "group": GROUPS[n * 3 // count]}
            for n, user in enumerate(users)
        ],
        heard=[{"user_id": user, "track_id": f"t{n}", "plays": 2.0} for n, user in enumerate(users)],
        lists=[
            {
                "user_id": user, "list": name, "rank": 1, "track_id": f"t{(n + 1) % count}", "source": "als",
                "because_track_id": f"t{n}" if n % 2 else None,
            }
            for n, user in enumerate(users) for name in ("mood:calm", "for_you")
        ],
        tracks=tracks,
        emotions=[
            {"track_id": f"t{n}", "valence": v, "arousal": a, "label": label, "confidence": 0.9}
            for n, (v, a, label) in enumerate(spots)
        ],
        labels=[{"label": label, "tracks": 20} for _, _, label in spots],
        embedded=Embedded("net", list(tracks), random_numbers.normal(size=(count, 6)).astype(np.float32)),
        created=[created(1), created(2, midi=b"no midi", originality=None, target_style=None, emotion=None)],
        sounds={f"made 1 {HOSTILE[0]}": Clip("sound/01.ogg", 20.0, b"")},
        verdicts=[{"method": "style_transfer", "verdict": "original", "tracks": 2}],
        likeness=[
            {"method": "rnn", "style": "reel", "metric": "pitches", "generated": 0.9, "real": 0.95, "other_style": None}
        ],
    )  # fmt: skip
