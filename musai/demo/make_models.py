"""Trains the music model that the package ships: python -m musai.demo.make_models [MINUTES]

From the files of conf/models/training_files.csv, on one core; writes the model and what new tracks are held against
to conf/models/*.safetensors.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import torch

from musai.config import conf_path
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
from musai.generation import composer, judge, models
from musai.generation.training import Schedule
from musai.music.notes import Piece

log = logging.getLogger(__name__)

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


def main(arguments: list[str]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    torch.set_num_threads(1)
    minutes = float(arguments[0]) if arguments else 15.0
    corpus = corpus_by_split()
    for style, pieces in corpus[TRAIN].items():
        log.info("%s: %d pieces, %d held out", style, len(pieces), len(corpus[VALID][style]))
    data = composer.train(corpus[TRAIN], corpus[VALID], Schedule(minutes=minutes), sources(), say=log.info)
    unseen = {style: {**corpus[VALID][style], **corpus[TEST][style]} for style in corpus[TRAIN]}
    law = judge.to_bytes(judge.judge(corpus[TRAIN], unseen))
    for name, content in ((models.SHIPPED[composer.METHOD], data), (judge.SHIPPED, law)):
        conf_path(name).write_bytes(content)
        log.info("%s: %d bytes", conf_path(name), len(content))


if __name__ == "__main__":
    main(sys.argv[1:])
