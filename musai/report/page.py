"""The page: five questions and their answers, with styles, script and data in one file that opens from disk."""

from __future__ import annotations

import importlib.resources
from typing import Any

from musai.report import created, listeners, night, quality, tracks
from musai.report.facts import Facts
from musai.report.markup import digest, escape, script_json

ANSWERS = {
    "night": night.TITLE,
    "quality": quality.TITLE,
    "listeners": listeners.TITLE,
    "tracks": tracks.TITLE,
    "created": created.TITLE,
}


def path_of(run_id: str) -> str:
    """The page of a run, relative to the warehouse; it goes with the run's own folder."""
    return f"_nights/{run_id}/report/index.html"


def rendered(facts: Facts) -> str:
    """HTML whose content policy lets nothing be loaded and no other script run than its own."""
    numbers = {track_id: number for number, track_id in enumerate(sorted(facts.tracks))}
    css, js = (_asset(name) for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; style-src '{digest(css)}'; script-src '{digest(js)}'; media-src 'self'"
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title in ANSWERS.items())
    data = {
        "tracks": [_track(track_id, facts.tracks[track_id]) for track_id in numbers],
        "listeners": listeners.data(facts, numbers),
    }
    verdict = "refused by the audit" if night.refused(facts) else "passed the audit"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>MusAI, night of {escape(facts.run_date)}</title><style>{css}</style></head><body>"
        '<a class="skip" href="#main">Skip to the answers</a>'
        f"<header><h1>The night of {escape(facts.run_date)}</h1>"
        f"<p>Run <code>{escape(facts.run_id)}</code>, {verdict}</p></header>"
        f'<nav aria-label="Questions"><ul>{links}</ul></nav><main id="main" tabindex="-1">'
        f"{night.render(facts)}{quality.render(facts)}{listeners.render(facts)}"
        f"{tracks.render(facts, numbers)}{created.render(facts)}</main>"
        f"<footer><p>Made by MusAI, code {escape(facts.code)}; the run began {escape(facts.started_at)}. Samples are "
        "drawn by seed; sums are of everything.</p></footer>"
        f'<script type="application/json" id="data">{script_json(data)}</script><script>{js}</script></body></html>\n'
    )


def _asset(name: str) -> str:
    return importlib.resources.files("musai.report").joinpath(name).read_text(encoding="utf-8")


def _track(track_id: str, known: dict[str, Any]) -> list[Any]:
    """[id, title, artist, genre, language, valence, arousal], None for what is not known."""
    feelings = [None if known.get(name) is None else round(known[name], 3) for name in ("valence", "arousal")]
    return [track_id, *(known.get(name) for name in ("title", "artist", "genre", "language")), *feelings]
