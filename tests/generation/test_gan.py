"""The GAN on a toy: phrases that hold one of two pitches throughout, by style."""

import numpy as np
import pytest

from musai.generation.gan import GanSchedule, RollShape, drawn, phrases, train_gan
from musai.music.rolls import CLASSES, FIRST, HOLD

SHAPE = RollShape(styles=2, voices=1, cells=16, width=16)


def toy():
    """Style 0: a note every four cells on pitch class 5; style 1: every two cells on class 9."""
    rolls = np.full((2, 1, 16), HOLD)
    rolls[0, 0, ::4] = FIRST + 5
    rolls[1, 0, ::2] = FIRST + 9
    return np.repeat(rolls, 32, axis=0), np.repeat([0, 1], 32)


@pytest.fixture(scope="module")
def trained():
    rolls, styles = toy()
    return train_gan(rolls, styles, SHAPE, GanSchedule(steps=150, critic_steps=2, batch=16, rate=2e-3, seed=3))


def test_each_style_gets_its_own_notes(trained):
    generator, _, _ = trained
    for style, (note, every) in enumerate(((FIRST + 5, 4), (FIRST + 9, 2))):
        made = phrases(generator, style, 8, seed=1)
        expected = np.full(16, HOLD)
        expected[::every] = note
        assert (made[:, 0] == expected).mean() > 0.9  # by chance: 1 in 60


def test_the_same_seed_gives_the_same_phrases(trained):
    generator, _, _ = trained
    assert np.array_equal(phrases(generator, 0, 4, seed=5), phrases(generator, 0, 4, seed=5))


def test_the_critic_finds_real_phrases_more_real_than_shuffled_ones(trained):
    import torch
    from torch.nn import functional as F

    _, critic, distances = trained
    rolls, styles = toy()
    mixed = np.random.default_rng(0).permuted(rolls, axis=2)
    scores = [
        critic(F.one_hot(torch.from_numpy(one).long(), CLASSES).float(), torch.from_numpy(styles)).mean().item()
        for one in (rolls, mixed)
    ]
    assert scores[0] > scores[1]
    assert np.isfinite(distances).all()


def test_draws_are_whole_classes_with_a_gradient():
    import torch

    logits = torch.randn(2, 1, 16, CLASSES, requires_grad=True)
    made = drawn(logits)
    assert torch.equal(made.detach().sum(dim=-1), torch.ones(2, 1, 16))
    assert set(made.detach().unique().tolist()) == {0.0, 1.0}
    made[..., 3].sum().backward()
    assert logits.grad.abs().sum() > 0
