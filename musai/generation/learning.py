"""From MIDI files with styles and licences to the models of a composer and their judge."""

from __future__ import annotations

import collections
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from musai.embedding.checkpoints import Checkpoint
from musai.errors import InputError
from musai.generation import accelerator, composer, gan_composer, judge, models
from musai.generation.gan_training import GanSchedule
from musai.generation.sampling import Sampler
from musai.generation.training import Schedule
from musai.music.midi import read_all, reasons
from musai.music.ngrams import distinct
from musai.music.notes import Piece

HELD_OUT = 0.1  # of a style's pieces, by a digest of their ids
FEWEST = 8  # pieces from which a style can be learnt

Corpus = Mapping[str, Mapping[str, Piece]]  # style -> name -> piece


def training_of(
    files: Sequence[tuple[str, str, str, str]],
    schedule: Schedule,
    gan_schedule: GanSchedule,
    sampler: Sampler,
    checkpoints: str | None = None,
) -> tuple[bytes, bytes | None, bytes, dict[str, int]]:
    """(RNN, GAN, judge, files left out by reason) from (id, style, path, licence); the GAN is None where no style has
    phrases for one.

    Checkpoints lie in the folder (URI) `checkpoints`, by the digest of all that a training depends on: begun again
    after a kill, it goes on. Raises InputError where no style has FEWEST pieces, or the device is not there.
    """
    accelerator.device(schedule.device)
    read, rejected = read_all([pathlib.Path(path) for _, _, path, _ in files])
    styles: dict[str, dict[str, Piece]] = collections.defaultdict(dict)
    for name, style, path, _ in files:
        if pathlib.Path(path) in read:
            styles[style][name] = read[pathlib.Path(path)]
    usable = {style: distinct(pieces) for style, pieces in sorted(styles.items()) if len(pieces) >= FEWEST}
    if not usable:
        raise InputError(f"no style has {FEWEST} tracks with MIDI files of an allowed licence")
    held_out = {style: {name: pieces[name] for name in _held_out(pieces)} for style, pieces in usable.items()}
    training = {style: {n: p for n, p in ps.items() if n not in held_out[style]} for style, ps in usable.items()}
    manifest = [[name, style, licence] for name, style, path, licence in files if pathlib.Path(path) in read]
    sources = {
        "manifest": "the catalogue's tracks by id, style and licence",
        "manifest_digest": hashlib.sha256(json.dumps(manifest).encode()).hexdigest(),
        "files": len(manifest),
        "licences": sorted({licence for *_, licence in manifest}),
    }
    places = [Checkpoint(checkpoints and f"{checkpoints}/{_digest(training, held_out, plan)}.pt")
              for plan in (schedule, gan_schedule)]  # fmt: skip
    rnn = composer.train(training, held_out, schedule, sources, checkpoint=places[0])
    rnn = composer.with_choosers(rnn, training, sampler)
    gan = gan_composer.train(training, held_out, gan_schedule, sources, checkpoint=places[1])
    gan = gan and gan_composer.with_choosers(gan, training)
    law = judge.to_bytes(judge.judge(training, held_out, sources))
    return rnn, gan, law, reasons(rejected.values())


def _digest(training: Corpus, held_out: Corpus, schedule: Schedule | GanSchedule) -> str:
    """Of the schedule, the versions and every note."""
    found = hashlib.sha256(f"{schedule} {models.versions()}".encode())
    for corpus in (training, held_out):
        for style, pieces in corpus.items():
            for name, piece in pieces.items():
                found.update(f"{style} {name} {piece.meter} {piece.tracks}".encode())
                for values in (piece.pitch, piece.onset, piece.duration, piece.track):
                    found.update(values.tobytes())
    return found.hexdigest()


def _held_out(names: Iterable[str]) -> list[str]:
    """A share HELD_OUT of the names, drawn by their digests; at least one."""
    drawn = sorted(names, key=_lot)
    return [name for number, name in enumerate(drawn) if not number or _lot(name) < HELD_OUT]


def _lot(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
