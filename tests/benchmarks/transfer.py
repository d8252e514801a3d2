"""Style transfer, folk tunes to chorales and back, beside its reference rows: python tests/benchmarks/transfer.py [N]

N sources a direction (default 24): folk tunes of our test split and chorales of the JSB test split (MUSAI_SHARED);
neither the model nor the judge has seen them. The judge is a boosted tree over texture and melody of pieces on the grid
of sixteenths, trained on other real pieces with voices moved by octaves or dropped, thinned out, and at half and double
tempo. Strength = mean over both directions of P(target | output) - P(target | source). Content = cosine of chroma beat
by beat with the source, less the same of random target pieces in its key. Melody recall = source melody onsets found
within a sixteenth, in the same pitch class.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from musai.config import load
from musai.demo.make_models import corpus_by_split
from musai.demo.training_tunes import TEST, TRAIN
from musai.generation import makers, style_transfer
from musai.generation.wishes import Source, Wish
from musai.music import keys
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, piece_of, skyline

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data"
CELL = STEPS_PER_QUARTER // 4
STYLES = ("folk", "chorale")
CHOIR = tuple(Track(name, 52) for name in ("soprano", "alto", "tenor", "bass"))
FOLK_TAUGHT, COPIES = 400, 6  # folk tunes and changed copies a piece that the judge learns from
TRIADS = [(root, (root + third) % 12, (root + 7) % 12) for root, third in
          ((0, 4), (2, 3), (4, 3), (5, 4), (7, 4), (9, 3))]  # fmt: skip


def jsb(split: str) -> list[Piece]:
    """The chorales of a split of the benchmark; a pitch that goes on is one note."""
    frames = json.loads((SHARED / "music/jsb_chorales/jsb-chorales-16th.json").read_text())[split]
    return [_of_grid(np.array([row if len(row) == 4 else [-1] * 4 for row in one]).T, CHOIR) for one in frames]


def grid_of(piece: Piece) -> np.ndarray:
    """int [tracks, cells]: the top pitch of each track, -1 where it is silent."""
    cells = np.full((len(piece.tracks), -(-piece.end // CELL)), -1)
    for note in range(len(piece)):
        first = round(piece.onset[note] / CELL)
        span = cells[
            piece.track[note], first : max(round((piece.onset[note] + piece.duration[note]) / CELL), first + 1)
        ]
        np.maximum(span, piece.pitch[note], out=span)
    return cells


def _of_grid(grid: np.ndarray, tracks: Sequence[Track], meter: tuple[int, int] = (4, 4)) -> Piece:
    rows = []
    for track, line in enumerate(grid):
        starts = np.flatnonzero(np.diff(line, prepend=-2) != 0)
        stops = np.append(starts[1:], len(line))
        rows += [
            (line[a], a * CELL, (b - a) * CELL, 80, track) for a, b in zip(starts, stops, strict=True) if line[a] >= 0
        ]
    return piece_of(np.array(rows), tracks, meter)


def changed(grid: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A copy with voices an octave off or dropped, every other note left out, at half or double tempo."""
    made = grid.copy()
    for line in made:
        line[line >= 0] += 12 * random.integers(-1, 2)
    if random.random() < 0.5:
        made = made[np.sort(random.choice(len(made), random.integers(1, len(made) + 1), replace=False))]
    if random.random() < 0.3:
        for line in made:
            starts = np.flatnonzero(np.diff(line, prepend=-2) != 0)
            for start, stop in zip(starts[1::2], [*starts[2::2], len(line)], strict=False):
                line[start:stop] = line[start - 1]
    tempo = random.integers(3)
    return made if tempo == 0 else np.repeat(made, 2, axis=1) if tempo == 1 else made[:, ::2]


def texture(grid: np.ndarray) -> np.ndarray:
    """What the judge sees of a piece: float [18]."""
    sounding = (grid >= 0).sum(axis=0)
    top = np.where((grid >= 0).any(axis=0), grid.max(axis=0), -1)
    low = np.where(grid >= 0, grid, 999).min(axis=0)
    heard = sounding > 0
    line = top[np.flatnonzero(np.diff(top, prepend=-2) != 0)]
    steps = np.abs(np.diff(line[line >= 0]))
    lengths = np.diff(np.append(np.flatnonzero(np.diff(top, prepend=-2) != 0), len(top)))
    moves = (np.diff(grid, axis=1) != 0).sum(axis=0)
    bass = low[heard]
    leaps = np.abs(np.diff(bass[np.flatnonzero(np.diff(bass, prepend=-2) != 0)]))
    shares = [(sounding >= count).mean() for count in (1, 2, 3, 4)]
    shares += [((steps >= a) & (steps < b)).mean() if len(steps) else 0.0 for a, b in ((1, 3), (3, 5), (5, 8), (8, 99))]
    shares += [((lengths >= a) & (lengths < b)).mean() for a, b in ((1, 2), (2, 3), (3, 5), (5, 9), (9, 999))]
    shares += [(moves >= count).mean() for count in (1, 2, 3)]
    shares += [(leaps >= 5).mean() if len(leaps) else 0.0, float((top - low)[heard].mean()) if heard.any() else 0.0]
    return np.array(shares, float)


def judge(taught: Mapping[str, Sequence[Piece]]) -> HistGradientBoostingClassifier:
    random = np.random.default_rng(0)
    rows, labels = [], []
    for label, style in enumerate(STYLES):
        copies = round(COPIES * FOLK_TAUGHT / len(taught[style]))
        for grid in map(grid_of, taught[style]):
            rows += [texture(grid), *(texture(changed(grid, random)) for _ in range(copies))]
            labels += [label] * (1 + copies)
    return HistGradientBoostingClassifier(max_iter=150, random_state=0).fit(np.array(rows), labels)


def probability(law: HistGradientBoostingClassifier, pieces: Sequence[Piece], style: str) -> float:
    found = law.predict_proba(np.array([texture(grid_of(piece)) for piece in pieces]))
    return float(found[:, STYLES.index(style)].mean())


def chroma(piece: Piece) -> np.ndarray:
    """float [beats, 12], each beat of length 1 where it is not silent."""
    found = np.zeros((-(-piece.end // STEPS_PER_QUARTER), 12))
    for line in grid_of(piece):
        for cell in np.flatnonzero(line >= 0):
            found[min(cell // 4, len(found) - 1), line[cell] % 12] += 1
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def alike(a: Piece, b: Piece) -> float:
    left, right = chroma(a), chroma(b)
    beats = min(len(left), len(right))
    return float((left[:beats] * right[:beats]).sum(axis=1).mean())


def recall(source: Piece, made: Piece) -> float:
    tune = skyline(source)
    near = (np.abs(made.onset[None] - tune.onset[:, None]) <= CELL) & (
        made.pitch[None] % 12 == tune.pitch[:, None] % 12
    )
    return float(near.any(axis=1).mean())


def in_key(piece: Piece, source: Piece) -> Piece:
    move = (keys.key_of(source).tonic - keys.key_of(piece).tonic + 6) % 12 - 6
    return piece.transposed(move)


def chords(source: Piece, struck: int) -> Piece:
    """The tune over the triad of its key that fits each bar best, struck anew every `struck` cells (0: held)."""
    line = grid_of(source).max(axis=0)
    tonic = keys.key_of(source).tonic
    bar, grid = source.bar_steps // CELL, np.full((4, len(line)), -1)
    grid[0] = line
    for start in range(0, len(line), bar):
        heard = line[start : start + bar]
        classes = (heard[heard >= 0] - tonic) % 12
        triad = max(TRIADS, key=lambda one: int(np.isin(classes, one).sum()))
        for voice, (pitch, base) in enumerate(zip((triad[1], triad[2], triad[0]), (60, 52, 43), strict=True), 1):
            grid[voice, start : start + bar] = base + (pitch + tonic - base) % 12
    piece = _of_grid(grid, CHOIR, source.meter)
    if not struck:
        return piece
    rows = []
    for p, o, d, v, t in zip(piece.pitch, piece.onset, piece.duration, piece.velocity, piece.track, strict=True):
        step = struck * CELL if t else int(d)
        rows += [(p, at, min(step, o + d - at), v, t) for at in range(int(o), int(o + d), step)]
    return piece_of(np.array(rows), CHOIR, source.meter)


def octave_down(piece: Piece) -> Piece:
    lower = piece.track > 0 if len(piece.tracks) > 1 else np.ones(len(piece), bool)
    piece = piece.where(np.ones(len(piece), bool))
    piece.pitch[lower] -= 12
    return piece


def rows_of(target: str, real: Sequence[Piece]) -> dict[str, Callable[[Piece, int], Piece]]:
    """Reference rows: source and its number -> output."""
    single = {"chords held": lambda piece, _: chords(piece, 0), "rule-made accompaniment": lambda p, _: chords(p, 4)}
    alone = {"the tune alone (rule)": lambda piece, _: skyline(piece)}
    return {
        "identity": lambda piece, _: piece,
        "lower voices an octave down": lambda piece, _: octave_down(piece),
        "random target piece in the key": lambda piece, number: in_key(real[number % len(real)], piece),
        **(single if target == "chorale" else alone),
    }


def transferred(sources: Sequence[Piece], target: str) -> list[tuple[Piece, Piece]]:
    """(source, output) of every source that can be moved."""
    settings = load().generation
    maker = makers.maker(style_transfer.METHOD, makers.Files(), settings)
    wishes = [
        Wish(target, style_transfer.emotion_of(piece), 70_000 + number, piece.bars, source=Source("", "", piece))
        for number, piece in enumerate(sources)
    ]
    drafts = maker.make(wishes)
    return [(source, draft.piece) for source, draft in zip(sources, drafts, strict=True) if draft.piece is not None]


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    count = int(arguments[0]) if arguments else 24
    if not (SHARED / "music/jsb_chorales").is_dir():
        print("style transfer: not measured, for there are no chorales in MUSAI_SHARED")
        return
    corpus = corpus_by_split()
    random = np.random.default_rng(0)
    folk = [corpus[TRAIN]["folk"][name] for name in random.choice(sorted(corpus[TRAIN]["folk"]), FOLK_TAUGHT, False)]
    law = judge({"folk": folk, "chorale": jsb("train")})
    unseen = {"folk": [corpus[TEST]["folk"][name] for name in sorted(corpus[TEST]["folk"])], "chorale": jsb("test")}
    exam(law, {style: pieces[-60:] for style, pieces in unseen.items()})
    table: dict[str, list[tuple[float, float, float]]] = {}
    for source_style, target in (STYLES, STYLES[::-1]):
        pairs = transferred(unseen[source_style][:count], target)
        sources, real = [source for source, _ in pairs], unseen[target][count:]
        made = {name: [row(s, n) for n, s in enumerate(sources)] for name, row in rows_of(target, real).items()}
        made["ours"] = [output for _, output in pairs]
        before = probability(law, sources, target)
        chance = float(np.mean([alike(in_key(real[n % len(real)], s), s) for n, s in enumerate(sources)]))
        print(
            f"\n{source_style} -> {target}, {len(pairs)} of {count} sources{'strength':>18}{'content':>10}{'recall':>9}"
        )
        for name, outputs in made.items():
            strength = probability(law, outputs, target) - before
            content = float(np.mean([alike(o, s) for o, s in zip(outputs, sources, strict=True)])) - chance
            kept = float(np.mean([recall(s, o) for o, s in zip(outputs, sources, strict=True)]))
            table.setdefault(name, []).append((strength, content, kept))
            print(f"{name:40}{strength:10.3f}{content:10.3f}{kept:9.3f}")
    print(f"\nboth directions, mean{'strength':>27}{'content':>10}{'recall':>9}")
    for name, both in table.items():
        print(f"{name:40}" + "".join(f"{value:10.3f}" for value in np.mean(both, axis=0)))


def exam(law: HistGradientBoostingClassifier, unseen: Mapping[str, Sequence[Piece]]) -> None:
    """The judge's accuracy on real pieces, as they are and changed."""
    random = np.random.default_rng(1)
    for what, change in (("as they are", lambda grid: grid), ("changed as above", lambda grid: changed(grid, random))):
        right = []
        for label, style in enumerate(STYLES):
            rows = np.array([texture(change(grid_of(piece))) for piece in unseen[style]])
            right.append(float((law.predict(rows) == label).mean()))
        print(
            f"judge on unseen real pieces {what}: "
            + ", ".join(f"{s} {r:.3f}" for s, r in zip(STYLES, right, strict=True))
        )


if __name__ == "__main__":
    main(sys.argv[1:])
