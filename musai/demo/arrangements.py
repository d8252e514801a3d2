"""Random arrangements of the demo's tunes, with what is known of them: what the shipped embedder learns from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import symusic

from musai.demo.scores import TICKS

STYLES = ("solo", "ensemble", "sustained", "band", "electronic")
FAMILIES = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
    "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects", "drums",
)  # fmt: skip
TAGS = (*STYLES, *FAMILIES)
FACTS = ("log2 notes a second", "mean pitch", "notes at once", "velocity", "minor third over the lowest note")
PITCHED = tuple(range(96)) + tuple(range(104, 112))  # programs that play notes, without effects
SUSTAINED = (16, 18, 19, 20, 40, 41, 42, 48, 49, 50, 52, 53, 68, 71, 73, 88, 89, 91, 94)
ELECTRONIC = (80, 81, 82, 84, 87)
KICK, SNARE, HAT, CLAP = 36, 38, 42, 39


@dataclasses.dataclass
class Arrangement:
    """score in seconds; tags float32 [len(TAGS)], 0 or 1."""

    score: Any
    tags: np.ndarray

    def facts(self, start_s: float, seconds: float) -> np.ndarray:
        """float32 [len(FACTS)] of what sounds in an excerpt, each about -2..2."""
        tracks = [track for track in self.score.tracks if not track.is_drum]
        rows = [(n.start, n.end, n.pitch, n.velocity) for track in tracks for n in track.notes]
        notes = np.array([row for row in rows if row[0] < start_s + seconds and row[1] > start_s])
        if not len(notes):
            return np.zeros(len(FACTS), np.float32)
        inside = np.minimum(notes[:, 1], start_s + seconds) - np.maximum(notes[:, 0], start_s)
        thirds = (notes[:, 2] - notes[:, 2].min()) % 12
        minor = (thirds == 3).sum() - (thirds == 4).sum()
        facts = (
            np.log2(len(notes) / seconds) - 2.5,
            (np.average(notes[:, 2], weights=inside) - 62) / 10,
            inside.sum() / seconds / 2 - 1.5,
            (notes[:, 3].mean() - 80) / 20,
            minor / len(notes) * 4,
        )
        return np.array(facts, np.float32)


def arranged(tune: Any, rng: np.random.Generator) -> Arrangement:
    """`tune` in ticks with other instruments, key, tempo and loudness, and in some styles with accompaniment."""
    style = STYLES[rng.integers(len(STYLES))]
    score = tune.shift_pitch(int(rng.integers(-7, 8)))
    tempo = float(score.tempos[0].qpm if score.tempos else 120.0) * 2 ** rng.uniform(-0.8, 0.6)
    score.tempos = [symusic.Tempo(0, float(np.clip(tempo, 40, 240)))]
    palette = {"sustained": SUSTAINED, "electronic": ELECTRONIC}.get(style, PITCHED)
    lead = int(rng.choice(palette))
    for track in score.tracks:
        track.program = lead if style in ("solo", "electronic") or rng.random() < 0.3 else int(rng.choice(palette))
    if style != "solo" and (style in ("band", "electronic") or rng.random() < 0.5):
        _accompany(score, style, rng)
    loudness = int(rng.integers(35, 115))
    for track in score.tracks:
        level = loudness + int(rng.integers(-15, 16))
        for note in track.notes:
            note.velocity = int(np.clip(note.velocity + level - 80, 15, 127))
    tags = np.zeros(len(TAGS), np.float32)
    tags[STYLES.index(style)] = 1
    for track in score.tracks:
        tags[len(STYLES) + (16 if track.is_drum else track.program // 8)] = 1
    return Arrangement(score.to("second"), tags)


def _accompany(score: Any, style: str, rng: np.random.Generator) -> None:
    """Chords and a bass from the lowest note of each half bar; drums where the style has them."""
    half, end = 2 * TICKS, score.end()
    roots = _roots(score, half)
    chords_by = {"band": (24, 25, 27, 29, 30, 4, 16), "electronic": (88, 90, 91, 95, 81)}.get(style, SUSTAINED)
    bass_by = (38, 39) if style == "electronic" else (32, 33, 34, 43)
    chords: Any = symusic.Track("chords", int(rng.choice(chords_by)), False)
    bass: Any = symusic.Track("bass", int(rng.choice(bass_by)), False)
    step = half // int(rng.choice((1, 2, 4)))
    for place, (root, third) in enumerate(roots):
        for start in range(place * half, min((place + 1) * half, end), step):
            bass.notes.append(symusic.Note(start, step, 36 + root, 85))
            for interval in (0, third, 7):
                chords.notes.append(symusic.Note(start, step, 52 + (root + interval - 4) % 12, 65))
    score.tracks.append(chords)
    score.tracks.append(bass)
    if style in ("band", "electronic"):
        score.tracks.append(_drums(end, four_on_the_floor=style == "electronic", busy=rng.random() < 0.5))


def _roots(score: Any, length: int) -> list[tuple[int, int]]:
    """(pitch class of the lowest note, 3 or 4 for the third that is heard over it) of each stretch of ticks."""
    count = -(-score.end() // length)
    heard: list[list[int]] = [[] for _ in range(count)]
    for track in score.tracks:
        for note in track.notes:
            heard[min(note.start // length, count - 1)].append(note.pitch)
    found = [(0, 4)]
    for pitches in heard:
        if pitches:
            lowest = min(pitches)
            found.append((lowest % 12, 3 if any((pitch - lowest) % 12 == 3 for pitch in pitches) else 4))
        else:
            found.append(found[-1])
    return found[1:]


def _drums(end: int, four_on_the_floor: bool, busy: bool) -> Any:
    eighth = TICKS // 2
    track: Any = symusic.Track("drums", 0, True)
    for place, start in enumerate(range(0, end, eighth)):
        beat, off = divmod(place, 2)
        if not off and (four_on_the_floor or beat % 2 == 0):
            track.notes.append(symusic.Note(start, eighth, KICK, 100))
        if not off and beat % 2:
            track.notes.append(symusic.Note(start, eighth, CLAP if four_on_the_floor else SNARE, 95))
        if off or busy:
            track.notes.append(symusic.Note(start, eighth, HAT, 70))
    return track
