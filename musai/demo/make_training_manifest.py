"""Makes the manifest of training files: python -m musai.demo.make_training_manifest JSB.json [FILE]

JSB.json holds the chorales of the benchmark (`train`, `valid`, `test`: a list of frames of four pitches each). A Bach
file is left out that shares soprano and bass with one of its valid or test pieces.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musai.config import conf_path
from musai.demo.catalogue import ENCODING_UNSTATED
from musai.demo.corpus_text import NO_STATEMENT, corpus_folder, file_digest, rights_statement
from musai.demo.folk_tunes import FOLDERS
from musai.demo.parsed_scores import piece_of_score
from musai.demo.training_tunes import MANIFEST, TrainingFile
from musai.errors import InputError
from musai.music.notes import Piece

log = logging.getLogger(__name__)

INTERVALS = 8  # of an n-gram by which two lines are compared
SHARED = 0.5  # of a line's n-grams, from which on it is the other one's line


def shares_lines(piece: Piece, benchmark: list[tuple[set[bytes], ...]]) -> bool:
    """Whether soprano and bass of a chorale both are those of one piece of the benchmark."""
    outer = [interval_grams(piece.of_track(track).pitch) for track in (0, len(piece.tracks) - 1)]
    return any(all(_share(ours, theirs) >= SHARED for ours, theirs in zip(outer, other, strict=True))
               for other in benchmark)  # fmt: skip


def _share(ours: set[bytes], theirs: set[bytes]) -> float:
    return len(ours & theirs) / len(ours) if ours else 0.0


def interval_grams(pitches: Sequence[int] | np.ndarray) -> set[bytes]:
    """Every run of INTERVALS intervals of a line, repeated notes left out."""
    moves = np.diff(np.asarray(pitches, np.int16))
    moves = moves[moves != 0]
    return {moves[start : start + INTERVALS].tobytes() for start in range(len(moves) - INTERVALS + 1)}


def benchmark_lines(path: Path) -> list[tuple[set[bytes], ...]]:
    """(soprano, bass) as n-grams, of each valid and test piece."""
    splits = json.loads(path.read_text())
    pieces = [[frame for frame in frames if len(frame) == 4] for split in ("valid", "test") for frames in splits[split]]
    return [tuple(interval_grams([frame[voice] for frame in frames]) for voice in (0, 3)) for frames in pieces]


def training_files(corpus: Path, benchmark: list[tuple[set[bytes], ...]]) -> list[TrainingFile]:
    folk = [path for folder in FOLDERS.values() for path in sorted((corpus / folder).glob("*.abc"))]
    bach = [path for path in sorted((corpus / "bach").glob("bwv*")) if path.suffix in (".mxl", ".xml")]
    chosen = [("folk", path) for path in folk] + [("chorale", path) for path in bach]
    found = []
    for style, path in chosen:
        statement = rights_statement(path)
        if statement != NO_STATEMENT or (style == "chorale" and not _usable(path, benchmark)):
            continue
        name = path.relative_to(corpus).as_posix()
        found.append(TrainingFile(name, style, file_digest(path), statement, ENCODING_UNSTATED))
    return found


def _usable(path: Path, benchmark: list[tuple[set[bytes], ...]]) -> bool:
    try:
        piece = piece_of_score(path)
    except InputError as error:
        log.info("%s: %s", path.name, error)
        return False
    if len(piece.tracks) != 4:
        log.info("%s: %d parts", path.name, len(piece.tracks))
        return False
    shared = shares_lines(piece, benchmark)
    if shared:
        log.info("%s: soprano and bass of a piece of the benchmark", path.name)
    return not shared


def main(arguments: list[str]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    corpus = corpus_folder()
    if corpus is None or not arguments:
        raise InputError("music21 with its corpus, and the benchmark's JSON file, are due")
    target = Path(arguments[1]) if len(arguments) > 1 else conf_path(MANIFEST)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, [field.name for field in dataclasses.fields(TrainingFile)], lineterminator="\n")
        writer.writeheader()
        files = training_files(corpus, benchmark_lines(Path(arguments[0])))
        writer.writerows(dataclasses.asdict(file) for file in files)
    log.info("%s: %d files", target, len(files))


if __name__ == "__main__":
    main(sys.argv[1:])
