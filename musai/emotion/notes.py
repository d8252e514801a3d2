"""Emotion from notes: features of a piece that listeners are known to go by.

Mode, tempo, loudness, register and articulation carry most of what is heard as valence and arousal (Gabrielsson and
Lindström, "The role of structure in the musical expression of emotions", 2010); the rest here describes rhythm,
melody and consonance.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from musai.emotion.chords import chord_features, mode_features
from musai.music.keys import Key, chroma, key_of
from musai.music.notes import STEPS_PER_QUARTER, Piece, melody, piece_of

SHORTEST_PIECE = 8  # notes; of fewer nothing can be said
STACCATO = 0.6  # share of the time to the next onset that a note sounds
FAST_S = 0.15  # onsets nearer than this are a fast passage
DISSONANT, THIRDS = (1, 2, 6, 10, 11), {"major_third": 4, "minor_third": 3}  # vertical intervals modulo the octave
NEAR = 24  # notes before one that may sound with it
SIMULTANEOUS = 4_000  # notes among which vertical intervals are counted; a longer piece is heard by its beginning


def features(piece: Piece) -> dict[str, float] | None:
    """Name -> value, always the same names; None for a piece of fewer than SHORTEST_PIECE pitched notes.

    Half of it is told by the whole piece, half by its parts (first and second half, and the middle), so that one odd
    passage says less. Times are in seconds, pitches in semitones (MIDI numbers), loudness in MIDI velocities; shares
    are 0..1.
    """
    pitched = piece.pitched()
    if len(pitched) < SHORTEST_PIECE:
        return None
    whole, end = of_part(pitched), pitched.end
    cuts = ((0, end // 2), (end // 2, end), (end // 4, 3 * end // 4))
    parts = [part for part in (_between(pitched, *cut) for cut in cuts) if len(part) >= SHORTEST_PIECE]
    heard = [of_part(part) for part in parts] or [whole]
    return {name: (value + sum(part[name] for part in heard) / len(heard)) / 2 for name, value in whole.items()}


def of_part(pitched: Piece) -> dict[str, float]:
    """`features` of pitched notes, at least SHORTEST_PIECE, as one passage."""
    return {name: value for group in _groups(pitched).values() for name, value in group.items()}


def _groups(pitched: Piece) -> dict[str, dict[str, float]]:
    seconds, key, tune = 60 / (pitched.tempo_bpm * STEPS_PER_QUARTER), key_of(pitched), melody(pitched)
    return {
        "mode": {**_mode(pitched, key), **mode_features(pitched)},
        "chords": {**chord_features(pitched, key.tonic), **_consonance(pitched)},
        "time": {**_time(pitched, seconds), "log_melody_duration": float(np.log(tune.duration.mean() * seconds))},
        "beat": _beat(pitched),
        "register": {**_register(pitched), **_dynamics(pitched)},
        "melody": _melody(tune),
    }


@functools.cache
def group_names() -> dict[str, tuple[str, ...]]:
    """The names of `features` by what they describe."""
    return {group: tuple(found) for group, found in _groups(piece_of([(60, 0, 1, 1, 0)] * SHORTEST_PIECE)).items()}


def _between(piece: Piece, start: int, stop: int) -> Piece:
    """The notes that begin from step `start` on and before `stop`, from step 0."""
    part = piece.where((piece.onset >= start) & (piece.onset < stop))
    return dataclasses.replace(part, onset=part.onset - start)


def _mode(piece: Piece, key: Key) -> dict[str, float]:
    sounding = chroma(piece)
    share = np.roll(sounding / sounding.sum(), -key.tonic)
    entropy = float(-(share[share > 0] * np.log2(share[share > 0])).sum())
    degrees = {f"degree_{number}": float(share[number]) for number in range(12)}
    return {
        "minor": float(key.minor),
        "key_clarity": key.correlation,
        "pitch_class_entropy": entropy,
        **degrees,
    }


def _time(piece: Piece, seconds: float) -> dict[str, float]:
    onsets = np.unique(piece.onset)
    gaps = np.diff(onsets) * seconds if len(onsets) > 1 else np.array([piece.end * seconds])
    length = max(piece.end * seconds, 1e-3)
    durations = piece.duration * seconds
    next_onset = np.searchsorted(onsets, piece.onset, side="right")
    until = np.append(onsets, piece.end)[next_onset] - piece.onset
    held = np.minimum(piece.duration / np.maximum(until, 1), 4)
    shares = np.bincount(np.minimum(np.diff(onsets), 4 * STEPS_PER_QUARTER)) / max(len(onsets) - 1, 1)
    return {
        "log_tempo": float(np.log(piece.tempo_bpm)),
        "log_notes_a_second": float(np.log(len(piece) / length)),
        "log_onsets_a_second": float(np.log(len(onsets) / length)),
        "log_gap_mean": float(np.log(gaps.mean())),
        "log_gap_median": float(np.log(np.median(gaps) + 1e-3)),
        "gap_variation": float(gaps.std() / gaps.mean()),
        "fast_share": float((gaps < FAST_S).mean()),
        "log_duration_mean": float(np.log(durations.mean())),
        "log_duration_median": float(np.log(np.median(durations))),
        "duration_variation": float(durations.std() / durations.mean()),
        "articulation": float(held.mean()),
        "staccato_share": float((held < STACCATO).mean()),
        "held_share": float((held > 1.5).mean()),
        "silence_share": 1 - _covered(piece) / max(piece.end, 1),
        "notes_an_onset": len(piece) / len(onsets),
        "sounding_mean": float(piece.duration.sum() / max(piece.end, 1)),
        "rhythm_entropy": float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum()),
    }


def _covered(piece: Piece) -> int:
    """Steps in which at least one note sounds."""
    order = np.argsort(piece.onset, kind="stable")
    start, stop = piece.onset[order], (piece.onset + piece.duration)[order]
    reach = np.maximum.accumulate(stop)
    return int((stop[:1]).sum() - start[:1].sum() + np.maximum(reach[1:] - np.maximum(start[1:], reach[:-1]), 0).sum())


def _beat(piece: Piece) -> dict[str, float]:
    place = np.unique(piece.onset) % STEPS_PER_QUARTER
    return {
        "on_beat_share": float((place == 0).mean()),
        "off_eighth_share": float((place % (STEPS_PER_QUARTER // 2) != 0).mean()),
        "triplet_share": float(((place % 4 == 0) & (place > 0)).mean()),
        "triple_meter": float(piece.meter[0] % 3 == 0),
    }


def _register(piece: Piece) -> dict[str, float]:
    low, middle, high = np.percentile(piece.pitch, [10, 50, 90])
    return {
        "pitch_mean": float(piece.pitch.mean()),
        "pitch_spread": float(piece.pitch.std()),
        "pitch_low": float(low),
        "pitch_median": float(middle),
        "pitch_high": float(high),
        "pitch_range": float(np.ptp(piece.pitch)),
        "bass_share": float((piece.pitch < 48).mean()),
        "treble_share": float((piece.pitch >= 72).mean()),
    }


def _dynamics(piece: Piece) -> dict[str, float]:
    loud = piece.velocity.astype(float)
    return {
        "velocity_mean": float(loud.mean()),
        "velocity_spread": float(loud.std()),
        "velocity_high": float(np.percentile(loud, 90)),
        "velocity_low": float(np.percentile(loud, 10)),
    }


def _melody(top: Piece) -> dict[str, float]:
    moves = np.diff(top.pitch).astype(float)
    size = np.abs(moves)
    if not len(moves):
        moves = size = np.zeros(1)
    return {
        "melody_mean": float(top.pitch.mean()),
        "melody_spread": float(top.pitch.std()),
        "melody_move_mean": float(size.mean()),
        "melody_step_share": float(((size > 0) & (size <= 2)).mean()),
        "melody_repeat_share": float((size == 0).mean()),
        "melody_leap_share": float((size > 7).mean()),
        "melody_rise_share": float((moves > 0).mean()),
        "melody_semitone_share": float((size == 1).mean()),
    }


def _consonance(piece: Piece) -> dict[str, float]:
    first = piece.where(np.arange(min(len(piece), SIMULTANEOUS)))
    stop = first.onset + first.duration
    counts = np.zeros(12)
    for back in range(1, min(NEAR, len(first) - 1) + 1):  # notes that still sound when the `back`th after them begins
        sounding = stop[:-back] > first.onset[back:]
        interval = np.abs(first.pitch[:-back] - first.pitch[back:])[sounding] % 12
        counts += np.bincount(interval, minlength=12)
    share = counts / max(counts.sum(), 1)
    return {
        "dissonance": float(share[list(DISSONANT)].sum()),
        "tritone_share": float(share[6]),
        "fifth_share": float(share[7] + share[5]),
        "octave_share": float(share[0]),
        **{name: float(share[interval]) for name, interval in THIRDS.items()},
    }
