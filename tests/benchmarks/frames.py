"""Nats a frame of next-frame piano rolls, with the published rows: python tests/benchmarks/frames.py [MINUTES [SET...]]

JSB and Nottingham on 88 keys in their canonical splits ($MUSAI_SHARED/data/music/poly_music_mat): natural log, summed
over the keys, frame t from frames < t, the first frame of a piece not scored, mean over all test frames together, the
best epoch by the valid pieces. MINUTES (10) of one core's time for each of the two forms. With a folder in the
environment variable CHECKPOINTS a training can be killed and goes on.
"""

from __future__ import annotations

import os
import pathlib
import sys

import numpy as np
import scipy.io
import torch

from musai.embedding.checkpoints import Checkpoint
from musai.generation import frames
from musai.generation.frames import FrameSchedule

FOLDER = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/music/poly_music_mat"
SETS = {
    "jsb": (
        "JSB_Chorales.mat",
        "LSTM 8.45, GRU 8.43, TCN 8.10 (goal 8.0)",
        "RNN-RBM 6.27, RNN-NADE 5.56 (goal 5.5)",
    ),
    "nottingham": ("Nottingham.mat", "LSTM 3.29, TCN 3.07 (goal 3.0)", "RNN-NADE 2.31 (goal 1.9)"),
}


def rolls(name: str) -> list[list[np.ndarray]]:
    """Those of train, valid and test."""
    found = scipy.io.loadmat(FOLDER / name)
    return [list(found[part][0]) for part in ("traindata", "validdata", "testdata")]


def main() -> None:
    torch.set_num_threads(1)
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    for key in sys.argv[2:] or SETS:
        name, *published = SETS[key]
        train, valid, test = rolls(name)
        for joint, rows in zip((False, True), published, strict=True):
            say = (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() else (lambda text: None)
            form = "jointly" if joint else "independently"
            place = f"{os.environ['CHECKPOINTS']}/{key}-{form}.pt" if "CHECKPOINTS" in os.environ else None
            model = frames.train(joint, train, valid, FrameSchedule(minutes=minutes), say, Checkpoint(place))
            ours = f"{frames.nats_a_frame(model, test):.3f} (valid {frames.nats_a_frame(model, valid):.3f})"
            print(f"{key}, {form}: {ours}; {rows}", flush=True)


if __name__ == "__main__":
    main()
