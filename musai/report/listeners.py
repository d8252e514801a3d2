"""What do listeners get: a picker, and the lists of the one that is picked. The script draws them from `data`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musai.columns import FOR_YOU
from musai.report.facts import Facts
from musai.report.markup import absent, escape, section

TITLE = "What do listeners get?"
NAMES = {
    "for_you": "For you",
    "discover": "Discover: artists new to them",
    "new_releases": "New releases",
    "made_for_you": "Made for you: created by MusAI",
    "mood:calm": "In a calm mood",
    "mood:happy": "In a happy mood",
    "mood:sad": "In a sad mood",
    "mood:energetic": "In an energetic mood",
}
GROUPS = {"heavy": "Many tracks", "medium": "Some tracks", "light": "Few tracks"}


def render(facts: Facts) -> str:
    if not facts.listeners:
        return section("listeners", TITLE, absent("Nobody has listened to anything in this run."))
    options: dict[str, list[str]] = {group: [] for group in GROUPS}
    for place, row in enumerate(facts.listeners):
        words = f"{escape(row['user_id'])} ({row['interactions']:,} tracks)"
        options[row["group"]].append(f'<option value="{place}">{words}</option>')
    groups = "".join(
        f'<optgroup label="{GROUPS[g]}">{"".join(found)}</optgroup>' for g, found in options.items() if found
    )
    missing = [name for name in NAMES if name not in {row["list"] for row in facts.lists}]
    note = f"This run has no lists {', '.join(f'<code>{name}</code>' for name in missing)}." if missing else ""
    return section(
        "listeners",
        TITLE,
        f"<p>{len(facts.listeners)} of {facts.sizes.get('users', 0):,} listeners, drawn by chance. {note}</p>"
        '<noscript><p class="absent">The picker needs JavaScript.</p></noscript>'
        '<div class="picker"><label for="listener">Listener</label>'
        f'<select id="listener" aria-controls="lists">{groups}</select>'
        '<button type="button" id="previous">Previous</button><button type="button" id="next">Next</button></div>'
        '<p id="said" role="status"></p><div id="lists"></div>',
    )


def data(facts: Facts, numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """A listener each: what was heard, and the lists in the order of NAMES; tracks by their `numbers`."""
    found: dict[str, dict[str, Any]] = {
        row["user_id"]: {
            "id": row["user_id"],
            "tracks": row["interactions"],
            "plays": round(row["plays"], 1),
            "heard": [],
            "lists": {},
        }
        for row in facts.listeners
    }
    for row in facts.heard:
        found[row["user_id"]]["heard"].append([numbers[row["track_id"]], round(row["plays"], 1)])
    for row in facts.lists:
        because = row["because_track_id"]
        place = [numbers[row["track_id"]], row["source"], None if because is None else numbers[because]]
        found[row["user_id"]]["lists"].setdefault(row["list"], []).append(place)
    order = {name: place for place, name in enumerate([FOR_YOU, *NAMES])}
    for listener in found.values():
        named = sorted(listener["lists"].items(), key=lambda item: (order.get(item[0], 99), item[0]))
        listener["lists"] = [[NAMES.get(name, name), places] for name, places in named]
    return list(found.values())
