"""What the created tracks sound like: a clip each beside the page, all of them together within a few megabytes."""

from __future__ import annotations

from musai.music import clips
from musai.report.facts import Rows

FOLDER = "sound"  # beside the page
MOST_BYTES = 3_500_000  # of all clips
MOST_S = 60.0  # of one


def files(created: Rows) -> dict[str, bytes | None]:
    """A clip for each row of generated_tracks, by generated_id; None where its MIDI cannot be heard."""
    seconds = min(MOST_S, MOST_BYTES / clips.BYTES_PER_S / max(len(created), 1))
    return {row["generated_id"]: _clip(row["midi"], seconds) for row in created}


def _clip(midi: bytes | None, seconds: float) -> bytes | None:
    try:
        return clips.ogg(clips.levelled(clips.sound(midi or b"", seconds)))
    except ValueError:  # the page says so
        return None


def name(place: int) -> str:
    """Of the file of the track that stands at a place of the page; ids are no names of files."""
    return f"{FOLDER}/{place + 1:02d}.ogg"
