"""Nats a cell of Bach's chorales on a grid of sixteenths: python tests/benchmarks/cells.py [MINUTES [CHECKPOINT]]

All four voices of all frames, rests as a class, no chord told, original keys; trained on the train split of
$MUSAI_SHARED/data/music/jsb_chorales, the best epoch by valid, the mean over all cells of test. MINUTES (20) of one
core's time in all; with a file CHECKPOINT it can be killed and goes on.
"""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import sys

import numpy as np
import torch

from musai.embedding.checkpoints import Checkpoint
from musai.generation import cells
from musai.generation.cells import CellSchedule

FILE = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/music/jsb_chorales/Jsb16thSeparated.npz"
SHA256 = "2adcdf0d57880c3763f104555072285fe7f9e3d6049fcc4b9830557b8d4a7820"


def chorales() -> list[list[np.ndarray]]:
    """The train, valid and test pieces, int64 [T, 4]."""
    content = FILE.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"{FILE} is another file: its arrays are pickled, and no pickle is loaded unseen")
    splits = np.load(io.BytesIO(content), allow_pickle=True, encoding="latin1")
    return [[cells.classes_of(piece) for piece in splits[name]] for name in ("train", "valid", "test")]


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    minutes = float(arguments[0]) if arguments else 20.0
    checkpoint = Checkpoint(arguments[1] if len(arguments) > 1 else None)
    train, valid, test = chorales()
    print(f"repeat the last cell: {cells.repeated(train, test):.4f}", flush=True)
    model = cells.train(
        train, valid, CellSchedule(minutes=minutes), lambda text: print(text, file=sys.stderr), checkpoint
    )
    ours = f"{cells.nats_a_cell(model, test):.4f} (valid {cells.nats_a_cell(model, valid):.4f})"
    print(f"the pieces as they are, without the mean over transpositions: {cells.nats_a_cell(model, test, False):.4f}")
    print(f"GRU, {minutes:g} minutes: {ours}; TonicNet ~.396, Music Transformer ~.335 on valid (goal .385)")


if __name__ == "__main__":
    main(sys.argv[1:])
