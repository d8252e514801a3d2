"""Figures of the music that the shipped models make, with their reference rows: python tests/benchmarks/music.py [N]

Likeness: overlapping areas of N 16-bar tracks (default 200) a style against held-out real pieces, beside real-real,
the other style, real notes shuffled and one real bar looped. Originality: plants and held-out pieces. Sanity: share of
raw output that is refused. Rate: tracks a second with everything that the night does to them.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import time

import numpy as np
import torch

from musai.demo.make_models import corpus_by_split
from musai.demo.training_tunes import TEST, TRAIN, VALID
from musai.evaluation import music_metrics
from musai.generation import composer, judge, making, models, originality
from musai.generation.composer import Composer, Wish
from musai.generation.judge import Judge
from musai.generation.making import Maker
from musai.generation.quadrants import QUADRANTS
from musai.generation.sampling import Sampler
from musai.music.notes import Piece, joined
from tests.generation.plants import PLANTS

PLANTED = 200
RATE_TRACKS = 512


def shuffled(piece: Piece, seed: int) -> Piece:
    """The same onsets and durations with the pitches in another order."""
    return dataclasses.replace(piece, pitch=np.random.default_rng(seed).permutation(piece.pitch))


def looped(piece: Piece) -> Piece:
    """The second bar again and again."""
    bar = piece.excerpt(1, 1)
    return joined([bar] * 16) if len(bar) > 1 else piece


def likeness(made: Composer, law: Judge, real: dict[str, list[Piece]], count: int) -> None:
    real_halves = {style: (one.real, one.other_half) for style, one in law.rules.items()}
    for style in made.names:
        wishes = [Wish(style, QUADRANTS[number % 4], 10_000 + number) for number in range(count)]
        ours = [piece for piece in made.compose(wishes) if len(np.unique(piece.onset)) > 1]
        rows = music_metrics.compared(music_metrics.profile(ours), real_halves, style)
        excerpts = real[style]
        spoilt = {
            "shuffled": [shuffled(piece, number) for number, piece in enumerate(excerpts)],
            "looped": [looped(piece) for piece in excerpts],
        }
        held = real_halves[style][0]
        bad = {name: music_metrics.likeness(music_metrics.profile(those), held) for name, those in spoilt.items()}
        print(f"\n{style}: overlapping area, {len(ours)} tracks against {len(held)} real pieces")
        print(f"{'metric':22}{'ours':>8}{'real':>8}{'share':>8}{'other':>8}{'shuffled':>10}{'looped':>8}")
        for name, (own, same, other) in rows.items():
            more = f"{bad['shuffled'][name]:10.3f}{bad['looped'][name]:8.3f}"
            print(f"{name:22}{own:8.3f}{same:8.3f}{own / same:8.2f}{other:8.3f}{more}")


def refused(made: Composer, law: Judge, count: int) -> None:
    print("\nshare of raw output refused by sanity and originality")
    for style in made.names:
        wishes = [Wish(style, QUADRANTS[number % 4], 50_000 + number) for number in range(count)]
        reasons: collections.Counter[str] = collections.Counter()
        bad = 0
        for piece in made.compose(wishes):
            found, _ = making.refusals(law, style, piece)
            bad += bool(found)
            reasons.update(found)
        print(f"{style:10} {bad / count:.3f}  {dict(reasons.most_common())}")


def plants(law: Judge, training: dict[str, Piece], unseen: dict[str, Piece], style: str) -> None:
    limits = law.rules[style].limits
    found = {name: originality.look_up(piece, law.index) for name, piece in unseen.items()}
    strict = {name: originality.verdict(one, len(unseen[name]), originality.STRICTEST) for name, one in found.items()}
    fresh = {name: one for name, one in found.items() if strict[name] == originality.ORIGINAL}
    flagged = [originality.verdict(one, len(unseen[name]), limits) for name, one in fresh.items()]
    print(f"\n{style}: thresholds {limits}")
    print(f"held-out real pieces flagged {flagged.count('copy') / max(len(flagged), 1):.3f} of {len(flagged)}")
    print(f"left out of these as variants of a training piece: {len(found) - len(fresh)}")
    names = np.random.default_rng(0).choice(sorted(training), min(PLANTED, len(training)), replace=False)
    for plant, change in PLANTS.items():
        if plant == "voices reordered" and len(training[names[0]].tracks) == 1:
            continue
        copies = [change(training[name]) for name in names]
        caught = [originality.verdict(originality.look_up(one, law.index), len(one), limits) for one in copies]
        print(f"planted, {plant:18} caught {caught.count('copy') / len(caught):.3f} of {len(caught)}")


def rate(made: Composer, law: Judge) -> None:
    sampler = Sampler()
    maker = Maker("rnn", made.digest, made.card["sources"], dataclasses.asdict(sampler), made.compose)
    seconds = []
    for run in range(3):
        wishes = [Wish("folk", QUADRANTS[n % 4], 1_000_000 * run + n) for n in range(RATE_TRACKS)]
        begun = time.monotonic()
        making.tracks(maker, law, wishes, attempts=1)
        seconds.append(time.monotonic() - begun)
    print(f"\nrate: {RATE_TRACKS / float(np.median(seconds)):.1f} tracks a second (median of 3), one process")


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    count = int(arguments[0]) if arguments else 200
    made, law, corpus = composer.load(models.shipped("rnn")), judge.shipped(), corpus_by_split()
    unseen = {style: {**corpus[VALID][style], **corpus[TEST][style]} for style in made.names}
    few = {style: pieces if len(pieces) >= judge.FEWEST else corpus[TRAIN][style] for style, pieces in unseen.items()}
    likeness(made, law, {style: music_metrics.excerpts(pieces) for style, pieces in few.items()}, count)
    refused(made, law, count)
    for style in made.names:
        plants(law, corpus[TRAIN][style], unseen[style], style)
    rate(made, law)


if __name__ == "__main__":
    main(sys.argv[1:])
