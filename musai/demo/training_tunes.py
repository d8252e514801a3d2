"""What the shipped music models learn from: files of music21's corpus that say nothing on rights, by a manifest.

The manifest names files, with digest and the statement that was found; never Palestrina, Essen, the CCARH files or
one with a rights text. Tunes that are one another transposed are taken once; the split is drawn by each tune's name.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

from musai.config import conf_path
from musai.demo.corpus_text import abc_tunes, corpus_folder, file_digest, file_text
from musai.demo.parsed_scores import piece_of_score
from musai.errors import InputError
from musai.music.abc import read_abc
from musai.music.ngrams import distinct
from musai.music.notes import Piece

log = logging.getLogger(__name__)

MANIFEST = "models/training_files.csv"
TRAIN, VALID, TEST = "train", "valid", "test"
VALID_SHARE, TEST_SHARE = 0.05, 0.10
SHORTEST, LONGEST = 8, 64  # bars


@dataclasses.dataclass(frozen=True)
class TrainingFile:
    """One line of the manifest."""

    corpus_path: str  # from music21/corpus, with "/"
    style: str
    sha256: str
    rights_statement: str
    rights_class: str


def read_training_files(path: Path | None = None) -> list[TrainingFile]:
    with (path or conf_path(MANIFEST)).open(encoding="utf-8", newline="") as lines:
        return [TrainingFile(**row) for row in csv.DictReader(lines)]


def manifest_digest(path: Path | None = None) -> str:
    """sha256 of the manifest's bytes: what a model's card names."""
    return hashlib.sha256((path or conf_path(MANIFEST)).read_bytes()).hexdigest()


def training_pieces(files: Iterable[TrainingFile], corpus: Path | None = None) -> dict[str, dict[str, Piece]]:
    """Style -> name -> piece, of every file that is installed as the manifest has it; the others are warned of.

    A name is `path#number of the tune`. Pieces outside SHORTEST..LONGEST bars are left out.
    """
    folder = corpus or corpus_folder()
    if folder is None:
        raise InputError("the training tunes: music21 with its corpus is not installed (pip install music21)")
    found: dict[str, dict[str, Piece]] = {}
    for file in files:
        path = folder / file.corpus_path
        if not path.is_file() or file_digest(path) != file.sha256:
            log.warning("%s is missing or differs from the manifest: left out", file.corpus_path)
            continue
        found.setdefault(file.style, {}).update(_pieces(path, file.corpus_path))
    return {style: distinct(pieces) for style, pieces in found.items()}


def _pieces(path: Path, name: str) -> dict[str, Piece]:
    pieces: dict[str, Piece] = {}
    tunes = abc_tunes(file_text(path)) if path.suffix == ".abc" else {1: path}
    for number, score in tunes.items():
        try:
            piece = read_abc(score) if isinstance(score, str) else piece_of_score(score)
        except InputError as error:
            log.info("%s#%d: left out: %s", name, number, error)
            continue
        if SHORTEST <= piece.bars <= LONGEST:
            pieces[f"{name}#{number}"] = piece
    return pieces


def split_of(name: str) -> str:
    """train, valid or test, by a digest of the name."""
    lot = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return TEST if lot < TEST_SHARE else VALID if lot < TEST_SHARE + VALID_SHARE else TRAIN
