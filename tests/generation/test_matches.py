"""Longest matches: by hand, beside a plain search, and as a network learns to trust them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as some

from musai.generation import cells, frames, matches
from musai.generation.cells import CellSchedule
from musai.generation.frames import FrameSchedule


def test_by_hand():
    places, classes = matches.longest(np.array([7, 8, 9, 7, 8, 1, 7, 8]))
    assert places.tolist() == [-1, -1, -1, -1, 1, 2, -1, 4]  # the 8 before the 1 is the later of two
    assert classes.tolist() == [0, 0, 0, 0, 1, 2, 0, 1]
    assert [found.tolist() for found in matches.longest(np.zeros((0, 4)))] == [[], []]
    assert matches.longest(np.zeros(200))[1].max() == matches.LENGTHS - 1


@given(some.lists(some.integers(0, 2), max_size=30), some.integers(1, 3))
def test_as_a_plain_search_finds_them(names: list[int], width: int):
    piece = np.repeat(np.array(names, int)[:, None], width, axis=1)
    places, classes = matches.longest(piece)
    for t in range(len(names)):
        common = {
            s: next((back for back in range(s) if names[s - 1 - back] != names[t - 1 - back]), s) for s in range(t)
        }
        most = max(common.values(), default=0)
        assert places[t] == max((s for s, long in common.items() if long == most), default=-1) if most else -1
        assert classes[t] == min(most.bit_length(), matches.LENGTHS - 1)
        early = matches.longest(piece[:t])
        assert places[:t].tolist() == early[0].tolist()
        assert classes[:t].tolist() == early[1].tolist()


def chance(seed: int) -> np.ndarray:
    """Sixteen frames of chance, played three times: classes int64 [48, 4]."""
    return np.tile(np.random.default_rng(seed).integers(20, 32, (16, cells.VOICES)), (3, 1))


@torch.no_grad()
def test_a_short_training_learns_to_trust_a_long_match():
    """What is played again costs less than a tenth of what is new."""
    train, valid = ([chance(seed) for seed in seeds] for seeds in (range(48), range(100, 108)))
    with torch.enable_grad():
        model = cells.train(train, valid, CellSchedule(epochs=6, minutes=60, batch=4, rate=1e-2, hidden=32))
    nats = model.nats(*cells.padded([cells.told(one) for one in valid])).mean(dim=(0, 2))
    assert nats[20:].mean() < 0.1 * nats[:16].mean()
    rolls = [[np.stack([np.isin(np.arange(88), frame) for frame in one]) for one in part] for part in (train, valid)]
    with torch.enable_grad():
        network = frames.train(True, *rolls, FrameSchedule(epochs=6, batch=4, rate=5e-3))
    nats = network.nats(*frames.padded([frames.told(one) for one in rolls[1]])).mean(dim=0)
    assert nats[20:].mean() < 0.1 * nats[:15].mean()
