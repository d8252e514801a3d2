"""The demo's tunes as scores to be heard: ABC by symusic's own reader, MusicXML by a small one here.

music21 reads both too, in a hundred times the time. Of MusicXML the notes, ties, tempo and loudness are read; repeats
are played once, grace notes left out.
"""

from __future__ import annotations

import contextlib
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import symusic

from musai.demo.catalogue import Tune, score_of
from musai.demo.corpus_text import file_text
from musai.errors import InputError

TICKS = 480  # a quarter note
MOST_VOICES = 16
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
PROGRAMS = {  # General MIDI, from 0, by genre; a voice takes the next one
    "chorale": (52, 19, 52, 19),
    "classical": (40, 40, 41, 42),
    "air": (73,),
    "jig": (40,),
    "slip jig": (75,),
    "reel": (21,),
    "hornpipe": (105,),
    "strathspey": (110,),
    "clog": (24,),
    "march": (109,),
}
DEFAULT_QPM = {"chorale": 72.0, "classical": 108.0}  # of scores that state no tempo


def score(tune: Tune, corpus: Path | None = None) -> Any:
    """The tune as a symusic score in ticks, with the instruments of its genre."""
    source = score_of(tune, corpus)
    made: Any
    if isinstance(source, str):
        with _silenced():
            made = symusic.Score.from_abc(source)
        made = made.resample(TICKS, 1)
    else:
        made = from_musicxml(file_text(source), DEFAULT_QPM.get(tune.genre, 100.0))
    programs = PROGRAMS.get(tune.genre, (0,))
    for number, track in enumerate(made.tracks):
        track.program = programs[number % len(programs)]
    return made


def midi_bytes(tune: Tune, corpus: Path | None = None) -> bytes:
    """A MIDI file of the tune, the same bytes each time."""
    return bytes(score(tune, corpus).dumps_midi())


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """abc2midi, within symusic, writes what it thinks of a file straight to the standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def from_musicxml(text: str, qpm: float) -> Any:
    """A partwise MusicXML score as a symusic score, a track for each part. Raises InputError where it is none."""
    try:
        root = ET.fromstring(text)  # noqa: S314  files of the installed music21, checked against their digests
    except ET.ParseError as error:
        raise InputError(f"no MusicXML: {error}") from error
    made: Any = symusic.Score(TICKS)
    stated = next((sound.get("tempo") for sound in root.iter("sound") if sound.get("tempo")), None)
    made.tempos.append(symusic.Tempo(0, float(stated or qpm)))
    for part in list(root.iter("part"))[:MOST_VOICES]:
        track: Any = symusic.Track(part.get("id", ""), 0, False)
        for start, duration, pitch, loudness in _notes(part):
            track.notes.append(symusic.Note(start, duration, pitch, loudness))
        made.tracks.append(track)
    if made.note_num() == 0:
        raise InputError("a MusicXML score without notes")
    return made


def _notes(part: ET.Element) -> list[tuple[int, int, int, int]]:
    """(start, duration, MIDI pitch, velocity) in ticks, by start; notes that are tied are one."""
    found: list[tuple[int, int, int, int]] = []
    tied: dict[int, int] = {}  # pitch -> its place in `found`
    divisions, now, last, loudness = 1, 0, 0, 80
    for element in (child for measure in part.iter("measure") for child in measure):
        if element.tag == "attributes":
            divisions = int(element.findtext("divisions", str(divisions)))
        for sound in element.iter("sound"):
            loudness = round(min(max(float(sound.get("dynamics", loudness * 90 / 100)) / 0.9, 20), 120))
        ticks = round(float(element.findtext("duration", "0")) * TICKS / divisions)
        if element.tag == "backup":
            now -= ticks
        elif element.tag == "forward":
            now += ticks
        elif element.tag == "note" and element.find("grace") is None:
            start = last if element.find("chord") is not None else now
            last, now = start, start + ticks
            pitch = _pitch(element)
            if pitch is None or not ticks:
                continue
            ties = {tie.get("type") for tie in element.iter("tie")}
            if "stop" in ties and pitch in tied:
                begun, _, _, velocity = found[tied[pitch]]
                found[tied[pitch]] = (begun, start + ticks - begun, pitch, velocity)
            else:
                found.append((start, ticks, pitch, loudness))
                tied[pitch] = len(found) - 1
            if "start" not in ties:
                tied.pop(pitch, None)
    return sorted(found)


def _pitch(note: ET.Element) -> int | None:
    step = note.findtext("pitch/step")
    if step is None:
        return None
    alter, octave = float(note.findtext("pitch/alter", "0")), int(note.findtext("pitch/octave", "4"))
    return 12 * (octave + 1) + STEPS[step] + round(alter)
