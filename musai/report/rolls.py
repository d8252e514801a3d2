"""The notes of a MIDI file, for its picture."""

from __future__ import annotations

from musai.music.midi import MidiFault, score_of

MOST_NOTES = 3_000  # that are drawn of one piece


def notes_of(midi: bytes) -> list[tuple[float, float, int, int]] | None:
    """(start, length) in quarters, pitch, number of the track, in the order of the starts; None where there is nothing
    to draw: no MIDI, or no notes."""
    try:
        score = score_of(midi)
    except MidiFault:
        return None
    if score.tpq <= 0:
        return None
    found = sorted(
        (note.start / score.tpq, max(note.duration, 0) / score.tpq, note.pitch, number)
        for number, track in enumerate(score.tracks)
        for note in track.notes
        if note.start >= 0
    )
    return found[:MOST_NOTES] or None
