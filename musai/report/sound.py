"""What the created tracks sound like: a clip each beside the page, all of them together within a few megabytes."""

from __future__ import annotations

from collections.abc import Sequence

from musai.music import clips
from musai.music.midi import MidiFault
from musai.report.facts import Clip, Rows

MOST_BYTES = 4_200_000  # of all clips
MOST_S = 60.0  # of one


def clips_of(created: Rows) -> dict[str, Clip]:
    """A clip for each row of generated_tracks that can be heard, by generated_id."""
    seconds = cut([row["duration_s"] for row in created], MOST_BYTES / clips.BYTES_PER_S)
    found = {}
    for place, row in enumerate(created):
        try:
            played = clips.levelled(clips.sound(row["midi"] or b"", seconds))
        except MidiFault:  # no MIDI or no notes: the page says that it cannot be heard
            continue
        name = f"sound/{place + 1:02d}.ogg"  # by the place on the page: ids are no names of files
        found[row["generated_id"]] = Clip(name, len(played) / clips.RATE, clips.ogg(played))
    return found


def cut(durations_s: Sequence[float], together_s: float) -> float:
    """The longest that a clip may be, so that all are within `together_s`; short tracks leave their share to others."""
    left, most = together_s, MOST_S
    for number, duration in enumerate(sorted(durations_s)):
        most = min(MOST_S, left / (len(durations_s) - number))
        if duration >= most:
            return most
        left -= duration
    return most
