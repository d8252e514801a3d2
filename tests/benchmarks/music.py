"""Figures of the music that the shipped models make, with their reference rows.

python tests/benchmarks/music.py [N [PART ...]], PART: rnn, gan, originality, transfer, rate; all without.
Likeness and structure: overlapping areas of N 16-bar tracks (default 200) a style against held-out real pieces, beside
real-real, the other style, and what must fail: real notes shuffled, one real bar looped. Seams of the GAN's phrases.
Asked emotion heard, as performed and with tempo and loudness set equal, beside real pieces performed by their labels.
Ends on tonic or dominant. Originality: plants and held-out pieces. Sanity: share of raw output that is refused.
Transfer: see transfer.py. Rate: tracks a second with all that the night does to them.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch

from musai import config
from musai.demo.make_models import corpus_by_split
from musai.demo.training_tunes import TEST, TRAIN, VALID
from musai.emotion import weights
from musai.emotion.models import Models
from musai.evaluation import music_metrics
from musai.generation import composer, gan_composer, judge, makers, making, originality
from musai.generation.judge import Judge
from musai.generation.making import Maker
from musai.generation.quadrants import QUADRANTS, performed, quadrant, quadrants
from musai.generation.wishes import Wish
from musai.music.notes import Piece, joined, melody
from tests.benchmarks import seams, transfer
from tests.benchmarks.melody_model import MelodyModel
from tests.generation.plants import PLANTS

SHOWN_LAGS = (1, 2, 4, 6, 8, 12, 15)
PLANTED = 200
RATE_TRACKS = 512
PARTS = [composer.METHOD, gan_composer.METHOD, "originality", "transfer", "rate"]


def shuffled(piece: Piece, seed: int) -> Piece:
    """The same onsets and durations with the pitches in another order."""
    return dataclasses.replace(piece, pitch=np.random.default_rng(seed).permutation(piece.pitch))


def looped(piece: Piece) -> Piece:
    """The second bar again and again."""
    bar = piece.excerpt(1, 1)
    return joined([bar] * 16) if len(bar) > 1 else piece


def likeness(
    what: str, ours: Sequence[Piece], law: Judge, style: str, excerpts: dict[str, list[Piece]], model: MelodyModel
) -> None:
    halves = {name: (one.real, one.other_half) for name, one in law.rules.items()}
    own = music_metrics.profile(ours)
    rows = music_metrics.compared(own, halves, style)
    held = halves[style][0]
    unlike = {
        "shuffled": [shuffled(piece, number) for number, piece in enumerate(excerpts[style])],
        "looped": [looped(piece) for piece in excerpts[style]],
    }
    spoilt = {name: music_metrics.profile(pieces) for name, pieces in unlike.items()}
    bad = {name: music_metrics.likeness(those, held) for name, those in spoilt.items()}
    print(f"\n{what}, {style}: overlapping area, {len(ours)} tracks against {len(held)} real pieces")
    print(f"{'metric':22}{'ours':>8}{'real':>8}{'share':>8}{'other':>8}{'shuffled':>10}{'looped':>8}")
    for name, (area, same, other) in rows.items():
        more = f"{bad['shuffled'][name]:10.3f}{bad['looped'][name]:8.3f}"
        print(f"{name:22}{area:8.3f}{same:8.3f}{area / same:8.2f}{other:8.3f}{more}")
    read = excerpts[style][::2]
    others = [pieces for name, pieces in excerpts.items() if name != style]
    areas = [surprise(model, those, read) for those in (ours, excerpts[style][1::2], *unlike.values())]
    nearest = max((surprise(model, pieces, read) for pieces in others), default=float("nan"))
    more = f"{areas[2]:10.3f}{areas[3]:8.3f}"
    print(f"{'nats_a_note':22}{areas[0]:8.3f}{areas[1]:8.3f}{areas[0] / areas[1]:8.2f}{nearest:8.3f}{more}")
    print(f"bars alike by lag, mean: {' '.join(f'{lag:5}' for lag in SHOWN_LAGS)}")
    for name, profile in {"ours": own, "real": held, **spoilt}.items():
        means = [np.nanmean(profile.lags[:, lag - 1]) for lag in SHOWN_LAGS]
        print(f"  {name:22} {' '.join(f'{mean:5.2f}' for mean in means)}", flush=True)


def surprise(model: MelodyModel, pieces: Sequence[Piece], real: Sequence[Piece]) -> float:
    """Overlapping area of the nats a note of two sets of pieces."""
    ours, theirs = ([model.nats(piece) for piece in those] for those in (pieces, real))
    return music_metrics.overlapping_area(ours, theirs)


def drafts(maker: Maker, style: str, count: int, first: int) -> list[Piece]:
    """Raw output, emotions in turn."""
    made = maker.make([Wish(style, QUADRANTS[number % 4], first + number) for number in range(count)])
    return [draft.piece for draft in made if draft.piece is not None]


def refused(what: str, pieces: Sequence[Piece], law: Judge, style: str) -> None:
    reasons: collections.Counter[str] = collections.Counter()
    bad = 0
    for piece in pieces:
        found, _ = making.refusals(law, style, piece)
        bad += bool(found)
        reasons.update(found)
    print(f"{what}, {style}: refused {bad / len(pieces):.3f} of {len(pieces)} raw  {dict(reasons.most_common())}")


def emotions(what: str, pieces: Sequence[Piece], asked: Sequence[str]) -> None:
    """Quadrants by the catalogue's reader of notes (fitted on VGMIDI), which no track was made or labelled with."""
    plain = [dataclasses.replace(p, tempo_bpm=110.0, velocity=np.full(len(p), 80, np.int32)) for p in pieces]
    readers = Models(weights.shipped())
    for how, those in (("as performed", pieces), ("tempo and loudness equal", plain)):
        felt = [readers.notes(piece) for piece in those]
        pairs = zip(felt, asked, strict=True)
        same = [quadrant(one.valence > 0, one.arousal > 0) == due for one, due in pairs if one]
        print(f"{what}: asked emotion heard, {how}: {np.mean(same):.3f} of {len(same)} (chance .25)", flush=True)


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


def rate(what: str, maker: Maker, law: Judge) -> None:
    seconds, spent = [], []
    for run in range(3):
        wishes = [Wish("folk", QUADRANTS[n % 4], 1_000_000 * run + n) for n in range(RATE_TRACKS)]
        begun, used = time.monotonic(), time.process_time()
        making.tracks(maker, law, wishes, attempts=1)
        seconds.append(time.monotonic() - begun)
        spent.append(time.process_time() - used)
    rates = [RATE_TRACKS / float(np.median(times)) for times in (seconds, spent)]
    print(f"\nrate, {what}: {rates[0]:.1f} tracks a second, {rates[1]:.1f} a core-second (medians of 3), one process")


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    count, parts = int(arguments[0]) if arguments else 200, arguments[1:] or PARTS
    files, corpus, settings = makers.Files(), corpus_by_split(), config.load().generation
    law = files.law()
    unseen = {style: {**corpus[VALID][style], **corpus[TEST][style]} for style in corpus[TRAIN]}
    few = {style: pieces if len(pieces) >= judge.FEWEST else corpus[TRAIN][style] for style, pieces in unseen.items()}
    excerpts = {style: music_metrics.excerpts(pieces) for style, pieces in few.items()}
    language = {}  # from real pieces other than those that it will read
    for style, pieces in few.items():
        every = {name: piece for split in corpus.values() for name, piece in split[style].items()}
        language[style] = MelodyModel(piece for name, piece in every.items() if name not in pieces)
    for style, pieces in few.items():
        labels = quadrants(pieces)
        shown = [performed(pieces[name], labels[name], number) for number, name in enumerate(sorted(pieces))]
        emotions(f"real, {style}", shown, [labels[name] for name in sorted(pieces)])
    for method in (composer.METHOD, gan_composer.METHOD):
        if not files.styles()[method]:
            print(f"\n{method}: no model ships, nothing to measure")
            continue
        maker = makers.maker(method, files, settings)
        for style in files.styles()[method] if method in parts else ():
            made = drafts(maker, style, count, 10_000)
            heard = [piece for piece in made if len(np.unique(melody(piece).onset)) > 1]
            likeness(method, heard, law, style, excerpts, language[style])
            refused(method, made, law, style)
            emotions(f"{method}, {style}", made, [QUADRANTS[number % 4] for number in range(len(made))])
            at_home = [
                np.mean([music_metrics.ends_home(piece) for piece in those]) for those in (made, few[style].values())
            ]
            print(f"{method}, {style}: end on tonic or dominant {at_home[0]:.3f} (real pieces {at_home[1]:.3f})")
            if method == gan_composer.METHOD:
                real = seams.auc(excerpts[style])
                print(f"gan, {style}: seams of phrases told, AUC {seams.auc(made):.3f} (real pieces {real:.3f})")
    for style, pieces in unseen.items() if "originality" in parts else ():
        plants(law, corpus[TRAIN][style], pieces, style)
    if "transfer" in parts:
        transfer.main([])
    for method in (composer.METHOD, gan_composer.METHOD) if "rate" in parts else ():
        if files.styles()[method]:
            rate(method, makers.maker(method, files, settings), law)


if __name__ == "__main__":
    main(sys.argv[1:])
