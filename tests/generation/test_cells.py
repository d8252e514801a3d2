"""Next-cell models: probabilities that add up to one, nothing of the future, and a training that beats repetition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from musai.embedding.checkpoints import Checkpoint
from musai.generation import cells
from musai.generation.cells import CLASSES, LOWEST, REST, CellRNN, CellSchedule

SMALL = CellSchedule(epochs=12, minutes=60, batch=4, rate=1e-2, hidden=32, dropout=0.0)


def piece(seed: int, frames: int = 32) -> np.ndarray:
    """Chords of four frames that fall by a step; the voices keep their distance."""
    start = 45 + int(np.random.default_rng(seed).integers(6))
    pitches = start - np.arange(frames) // 4 % 6
    return cells.classes_of(np.stack([pitches + 24, pitches + 16, pitches + 12, pitches], axis=1))


def test_the_probabilities_of_a_cell_add_up_to_one_and_nothing_later_is_known():
    torch.manual_seed(0)
    model = CellRNN(hidden=16).eval()
    one, other = piece(1), piece(1)
    other[20, 2] += 3  # the tenor of frame 20, and all after it
    other[21:] += 1
    with torch.no_grad():
        first, second = (model.logits(*cells.padded([cells.told(some)])) for some in (one, other))
    assert torch.allclose(first.softmax(-1).sum(-1), torch.ones(first.shape[:3]))
    assert torch.equal(first[:, :20], second[:, :20])
    assert torch.equal(first[:, 20, :3], second[:, 20, :3])
    assert not torch.allclose(first[:, 20, 3], second[:, 20, 3])
    assert not torch.allclose(first[:, 21], second[:, 21])


def test_a_short_training_beats_repetition_and_goes_on_where_it_was_killed(tmp_path):
    train, valid = ([piece(seed) for seed in seeds] for seeds in (range(16), range(100, 104)))
    whole = cells.train(train, valid, SMALL)
    assert cells.nats_a_cell(whole, valid) < 0.6 * cells.repeated(train, valid)
    place = str(tmp_path / "cells.pt")

    def killed(text: str) -> None:
        if text.startswith("epoch 6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cells.train(train, valid, SMALL, killed, Checkpoint(place, 0.0))
    resumed = cells.train(train, valid, SMALL, checkpoint=Checkpoint(place))
    assert cells.nats_a_cell(resumed, valid) == pytest.approx(cells.nats_a_cell(whole, valid), rel=0.05)


def test_repetition_by_hand():
    """Of 4 x 3 cells after the first frame 9 stay; classes 5 and 9 follow a change, twice and once."""
    train = np.full((4, 4), 7)
    train[1, 0], train[2:, 1] = 9, 5
    train[2, 0] = train[3, 0] = 5
    stays, changes = 9 / 12, {5: (2 + 1) / (3 + CLASSES), 9: (1 + 1) / (3 + CLASSES), 7: 1 / (3 + CLASSES)}
    test = np.array([[7, 7, 7, 7], [5, 7, 7, 7]])
    due = -4 * np.log(changes[7]) - 3 * np.log(stays) - np.log((1 - stays) * changes[5] / (1 - changes[7]))
    assert cells.repeated([train], [test]) == pytest.approx(due / 8)


def test_classes_and_how_long_they_are_held():
    assert cells.classes_of([[LOWEST, np.nan, 60, -1]]).tolist() == [[1, REST, 60 - LOWEST + 1, REST]]
    with pytest.raises(ValueError, match="pitches of 33 to 84"):
        cells.classes_of([[90, 60, 60, 60]])
    held = cells.held_frames(torch.tensor([[[1], [1], [2], [2], [2], [1]]]))
    assert held.flatten().tolist() == [1, 2, 1, 2, 3, 1]
