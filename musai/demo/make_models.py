"""Makes the music models that the package ships: python -m musai.demo.make_models NAME [MINUTES]

NAME: rnn, gan; judge, what new tracks are held against; choosers and phrase-choosers, anew those of the RNN and of the
GAN that ship. From the files of conf/models/training_files.csv, on one core. Writes into conf/models.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import torch

from musai.config import conf_path, load
from musai.demo import training_tunes
from musai.demo.training_tunes import (
    TEST,
    TRAIN,
    VALID,
    manifest_digest,
    read_training_files,
    split_of,
    training_pieces,
)
from musai.errors import InputError
from musai.generation import composer, gan_composer, judge, makers, models
from musai.generation.gan_training import GanSchedule
from musai.generation.training import Schedule
from musai.music.notes import Piece

log = logging.getLogger(__name__)

JUDGE, CHOOSERS, PHRASES = "judge", "choosers", "phrase-choosers"
FILES = {
    **models.SHIPPED,
    CHOOSERS: models.SHIPPED[composer.METHOD],
    PHRASES: models.SHIPPED[gan_composer.METHOD],
    JUDGE: judge.SHIPPED,
}
NAMES = ", ".join(FILES)
FIGURES = {composer.METHOD: "200 rnn", gan_composer.METHOD: "200 gan", JUDGE: "200 originality"}

Corpus = dict[str, dict[str, Piece]]


def corpus_by_split() -> dict[str, Corpus]:
    """Split -> style -> name -> piece."""
    found = training_pieces(read_training_files())
    return {
        split: {style: {n: p for n, p in pieces.items() if split_of(n) == split} for style, pieces in found.items()}
        for split in (TRAIN, VALID, TEST)
    }


def sources() -> dict[str, Any]:
    """What a card says of the training files."""
    files = read_training_files()
    return {
        "manifest": training_tunes.MANIFEST,
        "manifest_digest": manifest_digest(),
        "files": len(files),
        "licences": sorted({file.rights_class for file in files}),
    }


def made(name: str, minutes: float) -> bytes | None:
    """The model file. Raises InputError for a name that is none of ours."""
    corpus, sampler = corpus_by_split(), makers.sampler_of(load().generation)
    for style, pieces in corpus[TRAIN].items():
        log.info("%s: %d pieces, %d held out", style, len(pieces), len(corpus[VALID][style]))
    if name == composer.METHOD:
        schedule = Schedule(minutes=minutes)
        data = composer.train(corpus[TRAIN], corpus[VALID], schedule, sources(), say=log.info)
        return composer.with_choosers(data, corpus[TRAIN], sampler)
    if name == CHOOSERS:
        return composer.with_choosers(conf_path(models.SHIPPED[composer.METHOD]).read_bytes(), corpus[TRAIN], sampler)
    if name == gan_composer.METHOD:
        gan_schedule = GanSchedule(minutes=minutes)
        gan = gan_composer.train(corpus[TRAIN], corpus[VALID], gan_schedule, sources(), say=log.info)
        return gan and gan_composer.with_choosers(gan, corpus[TRAIN])
    if name == PHRASES:
        return gan_composer.with_choosers(conf_path(models.SHIPPED[gan_composer.METHOD]).read_bytes(), corpus[TRAIN])
    if name == JUDGE:
        unseen = {style: {**corpus[VALID][style], **corpus[TEST][style]} for style in corpus[TRAIN]}
        return judge.to_bytes(judge.judge(corpus[TRAIN], unseen, sources()))
    raise InputError(f"{name}: one of {NAMES} is due")


def described(data: bytes, name: str, minutes: float) -> bytes:
    """With the licence, the command and what measures it in its card; choosers leave those of their model."""
    command = f"python -m musai.demo.make_models {name}"
    if name in (CHOOSERS, PHRASES):
        return models.with_card(data, {"choosers_command": command})
    if name in models.SHIPPED:
        command += f" {minutes:g}"
    figures = f"python tests/benchmarks/music.py {FIGURES[name]}"
    return models.with_card(data, {"licence": "Apache-2.0", "command": command, "figures": figures})


def main(arguments: list[str]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    torch.set_num_threads(1)
    if not arguments:
        raise InputError(f"the name of a model is due: one of {NAMES}")
    name, minutes = arguments[0], float(arguments[1]) if len(arguments) > 1 else 15.0
    data = made(name, minutes)
    if data is None:
        raise InputError(f"{name}: no piece of the corpus can be learnt from")
    path = conf_path(FILES[name])
    path.write_bytes(described(data, name, minutes))
    log.info("%s: %d bytes", path, path.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1:])
