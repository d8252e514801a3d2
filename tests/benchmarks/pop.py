"""The GAN on pop songs, by the measures of MuseGAN: python tests/benchmarks/pop.py [MINUTES [CHECKPOINT]]

$MUSAI_SHARED/data/music/pop909, its performances laid on their beats (beat_midi.txt), becomes a style `pop` as any
style of a catalogue does; every tenth song is held out. After MINUTES (10) of training, on one core, TRACKS tracks,
whose phrases its critic alone chooses, and as many made as in a night, all as long as the held-out songs, stand
beside these and beside random rolls of their density. All rows are measured on rolls of 24 steps a beat, track by
track: a note is a maximal run of a pitch.

    empty bars       share of bars in which nothing sounds
    pitch classes    that sound in a bar, mean over the other bars
    qualified        share of notes of 3 steps at least
    fragments        share of notes at most one step after a note of the same pitch

With a file CHECKPOINT the training can be killed and goes on.
"""

from __future__ import annotations

import collections
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from musai.config import load
from musai.embedding.checkpoints import Checkpoint
from musai.generation import gan_composer, models, originality
from musai.generation.gan_training import GanSchedule
from musai.generation.phrases import PHRASE_BARS
from musai.generation.quadrants import QUADRANTS
from musai.generation.wishes import Wish
from musai.music.midi import score_of
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, piece_of

FOLDER = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/music/pop909/POP909"
NAMES = ("MELODY", "BRIDGE", "PIANO")
STEPS = 24  # of a beat, on the rolls
BEATS = 4  # of a bar
SURE = 0.8  # share of a song's bar lines that are four beats apart, from which on it is taken
QUALIFIED = 3  # steps
TRACKS = 98  # two of each held-out song's length
METRICS = ("empty bars", "pitch classes", "qualified", "fragments")


def song(folder: pathlib.Path) -> list[np.ndarray] | None:
    """int [n, 3] of (pitch, onset, stop) of each of NAMES, in steps from a bar line on; None where its bars are not of
    BEATS beats, or a track is missing."""
    beats = np.loadtxt(folder / "beat_midi.txt")
    lines = np.flatnonzero(beats[:, 2] > 0) % BEATS
    first = int(np.bincount(lines, minlength=BEATS).argmax())
    tracks = {track.name: track.notes.numpy() for track in score_of(_midi(folder), "second").tracks}
    if (lines == first).mean() < SURE or set(tracks) != set(NAMES):
        return None
    time, place = beats[:, 0], np.arange(len(beats)) - first + BEATS  # what is before the first bar line has a bar
    found = []
    for name in NAMES:
        notes = tracks[name]
        onset, stop = (np.interp(at, time, place) for at in (notes["time"], notes["time"] + notes["duration"]))
        known = (notes["time"] >= time[0]) & (notes["time"] < time[-1])
        ends = np.round(STEPS * np.stack([onset, stop])).astype(int)
        rows = np.stack([notes["pitch"], ends[0], np.maximum(ends[1], ends[0] + 1)], axis=1)
        found.append(rows[known])
    return found


def _midi(folder: pathlib.Path) -> bytes:
    return (folder / f"{folder.name}.mid").read_bytes()


def piece_of_song(tracks: Sequence[np.ndarray]) -> Piece:
    """On the grid of a piece, from the first bar with a note on."""
    start = min(rows[:, 1].min() for rows in tracks if len(rows)) // (STEPS * BEATS) * STEPS * BEATS
    table = []
    for number, rows in enumerate(tracks):
        onset, stop = (np.round((rows[:, side] - start) * STEPS_PER_QUARTER / STEPS).astype(int) for side in (1, 2))
        table += [
            (int(pitch), int(a), max(int(b - a), 1), 80, number)
            for pitch, a, b in zip(rows[:, 0], onset, stop, strict=True)
        ]
    return piece_of(table, [Track(name, 0) for name in NAMES])


def rows_of_piece(piece: Piece) -> list[np.ndarray]:
    """As `song` has them."""
    scale = STEPS // STEPS_PER_QUARTER
    parts = [piece.of_track(track) for track in range(len(piece.tracks))]
    return [np.stack([p.pitch, scale * p.onset, scale * (p.onset + p.duration)], axis=1) for p in parts]


def roll_of(rows: np.ndarray, bars: int) -> np.ndarray:
    """bool [bars STEPS BEATS, 128]."""
    roll = np.zeros((bars * STEPS * BEATS, 128), bool)
    for pitch, onset, stop in rows:
        roll[onset:stop, pitch] = True
    return roll


def rolls_of(tracks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of every track, over the bars from the first to the last in which any of them sounds."""
    bar = STEPS * BEATS
    first = min(rows[:, 1].min() for rows in tracks if len(rows)) // bar
    bars = -(-max(rows[:, 2].max() for rows in tracks if len(rows)) // bar) - first
    return [roll_of(rows - [0, first * bar, first * bar], bars) for rows in tracks]


def measured(rolls: Iterable[np.ndarray]) -> dict[str, float]:
    """METRICS of a track over many pieces' rolls."""
    found: collections.Counter[str] = collections.Counter()
    for roll in rolls:
        bars = np.asarray(roll.reshape(-1, STEPS * BEATS, 128).any(axis=1))
        classes = np.stack([bars[:, pitch::12].any(axis=1) for pitch in range(12)], axis=1).sum(axis=1)
        change = np.diff(roll.T.astype(np.int8), axis=1, prepend=0, append=0)  # [128, steps + 1]
        (pitch, onset), (_, stop) = np.nonzero(change == 1), np.nonzero(change == -1)
        after = np.concatenate([[False], (pitch[1:] == pitch[:-1]) & (onset[1:] - stop[:-1] <= 1)])[: len(pitch)]
        found.update(
            bars=len(bars), empty=int((classes == 0).sum()), classes=int(classes.sum()), notes=len(pitch),
            qualified=int((stop - onset >= QUALIFIED).sum()), fragments=int(after.sum()),
        )  # fmt: skip
    full, notes = max(found["bars"] - found["empty"], 1), max(found["notes"], 1)
    values = (found["empty"] / found["bars"], found["classes"] / full, found["qualified"] / notes,
              found["fragments"] / notes)  # fmt: skip
    return dict(zip(METRICS, values, strict=True))


def random_rolls(rolls: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Of the same density, each cell by itself."""
    draw = np.random.default_rng(seed)
    return [draw.random(roll.shape) < roll.mean() for roll in rolls]


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    minutes = float(arguments[0]) if arguments else 10.0
    checkpoint = Checkpoint(arguments[1] if len(arguments) > 1 else None)
    folders = sorted(path for path in FOLDER.iterdir() if path.is_dir())
    read = {folder.name: song(folder) for folder in folders}
    songs = {name: tracks for name, tracks in read.items() if tracks is not None}
    held = {name: tracks for name, tracks in songs.items() if int(name) % 10 == 0}
    print(f"{len(songs)} of {len(folders)} songs have bars of {BEATS} beats; {len(held)} are held out", flush=True)
    pieces = {name: piece_of_song(tracks) for name, tracks in songs.items() if name not in held}
    unseen = {name: piece_of_song(tracks) for name, tracks in held.items()}
    schedule = GanSchedule(minutes=minutes)
    data = gan_composer.train(
        {"pop": pieces}, {"pop": unseen}, schedule, {}, say=lambda text: print(text, file=sys.stderr),
        checkpoint=checkpoint,
    )  # fmt: skip
    assert data is not None
    composer = gan_composer.load(models.read_model(gan_composer.with_choosers(data, {"pop": pieces})))
    index = originality.index(pieces)
    print(f"{composer.card['steps']} steps in {minutes:g} minutes on {composer.card['phrases']['pop']} phrases")
    # As long as the held-out songs: in shorter ones intros and endings, where nobody sings, would weigh more.
    bars = [max(PHRASE_BARS * round(piece.bars / PHRASE_BARS), PHRASE_BARS) for piece in unseen.values()]
    wishes = [Wish("pop", QUADRANTS[n % len(QUADRANTS)], n, bars=bars[n % len(bars)]) for n in range(TRACKS)]
    by_critic, ours = (
        [rolls_of(rows_of_piece(draft.piece)) for draft in composer.compose(wishes, *known) if draft.piece is not None]
        for known in ((), (index, load().generation.phrase_candidates))
    )
    real = [rolls_of(tracks) for tracks in held.values()]
    taught = [rolls_of(rows_of_piece(piece)) for piece in unseen.values()]
    print(f"{'':32}" + "".join(f"{name:>15}" for name in METRICS))
    for track, name in enumerate(NAMES):
        rows = {
            "held-out songs": [rolls[track] for rolls in real],
            "the same on the GAN's grid": [rolls[track] for rolls in taught],
            "GAN, by its critic": [rolls[track] for rolls in by_critic],
            "GAN": [rolls[track] for rolls in ours],
            "random rolls": random_rolls([rolls[track] for rolls in real], track),
        }
        for what, rolls in rows.items():
            values = measured(rolls)
            print(f"{name:8}{what:24}" + "".join(f"{values[metric]:15.3f}" for metric in METRICS), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
