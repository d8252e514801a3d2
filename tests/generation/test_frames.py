"""Next-frame models: probabilities that add up to one, and a training that learns more than the shares of the keys."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from musai.generation import frames
from musai.generation.frames import KEYS, FrameRNN, FrameSchedule


def piece(length: int, seed: int) -> np.ndarray:
    """A broken chord that goes round, in a key of its own: each frame follows from the one before."""
    lowest = 30 + int(np.random.default_rng(seed).integers(12))
    roll = np.zeros((length, KEYS), np.uint8)
    for place in range(length):
        roll[place, [lowest + place % 4 * 3, lowest + 14]] = 1
    return roll


@torch.no_grad()
@pytest.mark.parametrize("matched", [False, True], ids=["new", "matched"])
@pytest.mark.parametrize("joint", [False, True], ids=["independently", "jointly"])
def test_the_probabilities_of_all_frames_add_up_to_one(joint: bool, matched: bool) -> None:
    """Over all sets of four keys, where the others are made impossible."""
    torch.manual_seed(0)
    model = FrameRNN(joint, hidden=8).eval()
    model.keys.bias.data[4:KEYS] = -40.0
    model.keys.bias.data[:4] = 0.0
    if joint:
        model.steps.weight.data *= 0.01
        model.steps.bias.data[:] = 0.0
    begun = np.zeros((3, KEYS))
    begun[0, [1, 3]] = begun[1, [0, 2]] = begun[2, [1, 3]] = 1  # the fourth is foretold to be as the second
    if not matched:
        begun[2] = begun[2, ::-1]
    total = 0.0
    for size in range(5):
        for keys in itertools.combinations(range(4), size):
            last = np.zeros(KEYS)
            last[list(keys)] = 1
            told = frames.told(np.vstack([begun, last]))
            assert (told.match[3] > 0) == matched
            total += float((-model.nats(*frames.padded([told]))[0, -1].double()).exp())
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("joint", [False, True], ids=["independently", "jointly"])
def test_a_short_training_beats_the_shares_of_the_keys_and_padding_changes_nothing(joint: bool) -> None:
    train, valid = ([piece(24 + seed % 5, seed) for seed in seeds] for seeds in (range(40), range(100, 110)))
    model = frames.train(joint, train, valid, FrameSchedule(epochs=4 if joint else 15, longest=20))
    shares = np.clip(np.concatenate(train).mean(axis=0), 1e-3, 1 - 1e-3)
    known = np.concatenate([one[1:] for one in valid])
    by_shares = -(known * np.log(shares) + (1 - known) * np.log(1 - shares)).sum(axis=1).mean()
    found = frames.nats_a_frame(model, valid)
    assert found < by_shares / 2
    with torch.no_grad():
        nats = model.nats(*frames.padded([frames.told(one) for one in valid]))
        together = float(nats.sum()) / sum(len(one) - 1 for one in valid)
    assert together == pytest.approx(found, rel=1e-4)


def test_a_frame_says_nothing_of_itself() -> None:
    """What comes later changes no earlier figure."""
    model = FrameRNN(joint=True, hidden=8).eval()
    roll = piece(12, 3)
    changed = roll.copy()
    changed[8:] = np.roll(changed[8:], 5, axis=1)
    with torch.no_grad():
        one, other = (model.nats(*frames.padded([frames.told(some)]))[0] for some in (roll, changed))
    torch.testing.assert_close(one[:7], other[:7])
    assert not torch.allclose(one[7:], other[7:])
