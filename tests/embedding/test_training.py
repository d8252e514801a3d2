"""Training the embedder: it learns what listeners hear, it goes on where it was interrupted, NT-Xent by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from musai.embedding.audio import SAMPLE_RATE
from musai.embedding.lessons import Lessons
from musai.embedding.network import Small
from musai.embedding.training import Schedule, nt_xent, train

CPU = torch.device("cpu")
SAMPLES = 3 * SAMPLE_RATE // 2  # the least that its pooling leaves something of


def lessons(tracks: int = 40, seed: int = 1) -> Lessons:
    """Tones at any pitch by two tracks an artist; the factors say whether noise is mixed in, and nothing else."""
    rng = np.random.default_rng(seed)
    noisy = np.arange(tracks) // 2 % 2
    time = np.arange(2 * SAMPLES) / SAMPLE_RATE
    whole = [np.sin(2 * np.pi * rng.uniform(200, 2000) * time) + one * rng.standard_normal(len(time)) for one in noisy]
    factors = np.stack([2 * noisy - 1, np.zeros(tracks)], axis=1).astype(np.float32)
    return Lessons(
        sound=(0.2 * np.concatenate(whole)).reshape(2 * tracks, SAMPLES).astype(np.float16),
        starts=np.arange(0, 2 * tracks + 1, 2),
        artist=np.arange(tracks) // 2,
        factors=factors * np.float32(math.sqrt(2)),
        weight=np.ones(tracks, np.float32),
        held=np.arange(tracks) // 2 % 5 == 0,
    )


def network() -> Small:
    torch.manual_seed(0)
    return Small()


def test_held_out_artists_are_explained_by_their_sound():
    found = train(network(), lessons(), Schedule(8, 10, 0.1, 1), CPU, None, lambda _: None)
    assert found.head > 0.5
    assert found.epochs <= 8


def test_an_interrupted_training_ends_with_the_same_weights():
    schedule = Schedule(3, 10, 0.1, 2)
    kept: list[bytes] = []
    whole = network()
    figures = train(whole, lessons(), schedule, CPU, None, kept.append)
    assert len(kept) == figures.epochs == 3
    resumed = network()
    assert train(resumed, lessons(), schedule, CPU, kept[0], lambda _: None) == figures
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_too_little_to_learn_from():
    with pytest.raises(ValueError, match="2 tracks with usable files are too few"):
        train(network(), lessons(tracks=2), Schedule(1, 1, 0, 1), CPU, None, lambda _: None)


def test_nt_xent_by_hand():
    """Of artists 0, 1 | 0, 1 the partner is another track of the same artist, and the strangers are the other's two."""
    unit = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    e = math.exp(1 / 0.2)
    assert nt_xent(unit, torch.tensor([0, 1, 0, 1])).item() == pytest.approx(-math.log(e / (e + 2)), rel=1e-5)
    same = torch.tensor([[1.0, 0.0]] * 4)  # one artist: no strangers
    assert nt_xent(same, torch.zeros(4, dtype=torch.int64)).item() == pytest.approx(0, abs=1e-6)


def test_partners_are_of_the_same_artist_and_never_held_out():
    made = lessons(tracks=12)
    rows = np.flatnonzero(~made.held)
    found = made.partners(rows, np.random.default_rng(0))
    assert (made.artist[found] == made.artist[rows]).all()
    assert (found != rows).all()  # two tracks an artist
    assert not made.held[found].any()
