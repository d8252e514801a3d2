"""What was created: each new track's piano roll, what was asked for, how original it is, where it comes from."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from musai.report import drawing
from musai.report.facts import Facts
from musai.report.markup import absent, details, escape, name, section, table
from musai.report.rolls import notes_of

TITLE = "What was created?"
METHODS = {"rnn": "recurrent network", "gan": "adversarial network", "style_transfer": "style transfer"}
MOST_PROVENANCE = 4_000  # characters


def render(facts: Facts) -> str:
    if not facts.created:
        return section(
            "created", TITLE, absent("No music was created: this run has no rows in <code>generated_tracks</code>.")
        )
    verdicts = [
        (METHODS.get(row["method"], escape(row["method"])), escape(row["verdict"] or "-"), f"{row['tracks']:,}")
        for row in facts.verdicts
    ]
    counted = table("All created tracks by verdict", ("made by", "originality", "tracks"), verdicts, "verdicts", (2,))
    every = sum(row["tracks"] for row in facts.verdicts)
    cards = "".join(_card(facts, place, row) for place, row in enumerate(facts.created))
    shown = f"All {every:,}" if len(facts.created) == every else f"The newest {len(facts.created)} of {every:,}"
    return section(
        "created",
        TITLE,
        f'<p>{shown} tracks.</p><div class="made">{cards}</div>' + details("In numbers", counted + _likeness(facts)),
    )


def _card(facts: Facts, place: int, row: dict[str, Any]) -> str:
    notes = notes_of(row["midi"]) if row["midi"] else None
    style = row["target_style"] or row["style"]
    title = " ".join(filter(None, (style, f"({row['emotion']})" if row["emotion"] else ""))) or "untitled"
    if notes:
        pitches = [note[2] for note in notes]
        label = f"Piano roll: {len(notes)} notes from MIDI pitch {min(pitches)} to {max(pitches)}"
        drawn = drawing.roll(notes, label)
    else:
        drawn = absent("Its MIDI cannot be drawn.")
    facts_of = [
        ("made by", METHODS.get(row["method"], escape(row["method"]))),
        ("from", _track(facts, row["source_track_id"]) if row["source_track_id"] else ""),
        ("length", f"{row['duration_s']:.0f} s, {row['notes']:,} notes"),
        ("feels", _felt(row)),
        ("originality", _original(facts, row["originality"] or {})),
        ("licence", escape(row["licence"] or "")),
    ]
    lines = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts_of if value)
    return (
        f'<article class="track"><h3 id="made-{place}">{escape(title)}</h3>{drawn}'
        f"{_player(facts, place, row, notes or [])}<dl>{lines}</dl>"
        + details(f"Provenance of {name(row['generated_id'])}", f"<pre>{_provenance(row)}</pre>")
        + "</article>"
    )


def _player(facts: Facts, place: int, row: dict[str, Any], notes: list[tuple[float, float, int, int]]) -> str:
    """The browser's own; the script moves a line over the piano roll, which is `data-s` seconds wide. The clip begins
    with the first note, `data-from` seconds into it."""
    clip = facts.sounds.get(row["generated_id"])
    if clip is None:
        return absent("It cannot be heard.")
    quarters = max((start + length for start, length, _, _ in notes), default=0.0)
    begins = row["duration_s"] * notes[0][0] / quarters if quarters else 0.0
    cut = f'<p class="more">The first {clip.seconds:.0f} s.</p>' if clip.seconds < row["duration_s"] - 1 else ""
    return (
        f'<audio controls preload="none" src="{escape(clip.file)}" aria-labelledby="made-{place}" '
        f'data-s="{row["duration_s"]:.2f}" data-from="{begins:.2f}"></audio>{cut}'
    )


def _felt(row: dict[str, Any]) -> str:
    if row["valence"] is None or row["arousal"] is None:
        return ""
    return f"valence {row['valence']:+.2f}, arousal {row['arousal']:+.2f}"


def _original(facts: Facts, found: dict[str, Any]) -> str:
    if not found:
        return "not judged"
    parts = [f"<b>{escape(found.get('verdict') or 'not judged')}</b>"]
    if found.get("longest_run") is not None:
        parts.append(f"longest borrowed run {found['longest_run']} notes")
    if found.get("copied_share") is not None:
        parts.append(f"{found['copied_share']:.0%} borrowed")
    if found.get("nearest_track_id") is not None:
        parts.append(f"nearest {_track(facts, found['nearest_track_id'])}")
    return ", ".join(parts)


def _track(facts: Facts, track_id: str) -> str:
    known = facts.tracks.get(track_id, {})
    return name(known.get("title") or track_id, known.get("language"))


def _provenance(row: dict[str, Any]) -> str:
    """As it was written down, indented where it is JSON."""
    about = {name: row[name] for name in ("created_run_id", "model", "seed") if row[name] is not None}
    text = row["provenance"] or ""
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    lines = [f"{label}: {value}" for label, value in about.items()]
    return escape("\n".join([*lines, text])[:MOST_PROVENANCE])


def _likeness(facts: Facts) -> str:
    lines = [
        (
            METHODS.get(row["method"], escape(row["method"])),
            escape(row["style"]),
            escape(row["metric"]),
            *("-" if row[column] is None else f"{row[column]:.3f}" for column in ("generated", "real", "other_style")),
        )
        for row in facts.likeness
    ]
    head = ("made by", "style", "metric", "created", "real pieces", "another style")
    return table("Created music beside real music", head, lines, "likeness", (3, 4, 5)) if lines else ""
