"""The GAN on a toy: two styles that hold one pitch each, in a rhythm of their own; and chaining, form and grammar."""

import numpy as np
import pytest
import torch

from musai.generation import gan_composer, gan_training, models, phrases
from musai.generation.gan import NOISE, Generator, RollShape, drawn, one_hot
from musai.generation.gan_training import GanSchedule
from musai.generation.lessons import Lesson, form_of
from musai.generation.phrases import BAR_CELLS, PHRASE_BARS
from musai.generation.wishes import Wish
from musai.music.midi import write_midi
from musai.music.notes import Track, piece_of
from musai.music.rolls import CLASSES, FIRST, HOLD, LOWEST, SILENT

CELLS = PHRASE_BARS * BAR_CELLS
SHAPE = RollShape(("low", "high"), ((4, 4),), ((LOWEST + 5,), (LOWEST + 7,)), ((LOWEST + 20,), (LOWEST + 20,)), 16)


def toy():
    """Style 0: a note every four cells on class 9 of LOWEST; style 1: every two cells on 14. A silent bar before."""
    rolls = np.full((2, BAR_CELLS + CELLS, 1), HOLD, np.int8)
    rolls[:, :BAR_CELLS] = SILENT
    rolls[0, BAR_CELLS::4] = FIRST + 9
    rolls[1, BAR_CELLS::2] = FIRST + 14
    asked = np.zeros((2, 4), np.int64)
    asked[1, 0] = 1
    return np.repeat(rolls, 16, axis=0), np.repeat(asked, 16, axis=0)


@pytest.fixture(scope="module")
def trained():
    return gan_training.train(*toy(), SHAPE, GanSchedule(steps=120, critic_steps=2, batch=16, rate=2e-3, seed=3))


def test_each_style_gets_its_own_notes(trained):
    rolls, asked = toy()
    for style in (0, 16):
        noise = torch.from_numpy(np.random.default_rng(1).standard_normal((8, NOISE))).float()
        before = one_hot(torch.from_numpy(rolls[style : style + 8, :BAR_CELLS]))
        made = trained.generator(noise, before, torch.from_numpy(asked[style : style + 8])).argmax(dim=-1).numpy()
        assert (made == rolls[style : style + 8, BAR_CELLS:]).mean() > 0.9  # by chance: 1 in 18


def test_the_critic_finds_real_phrases_more_real_than_shuffled_ones(trained):
    rolls, asked = toy()
    mixed = np.random.default_rng(0).permuted(rolls, axis=1)
    real, shuffled = (gan_training.realism(trained.critic, one, asked).mean() for one in (rolls, mixed))
    assert real > shuffled
    assert np.isfinite(trained.distances).all()


def test_what_a_style_and_a_meter_lack_is_never_drawn():
    shape = RollShape(("solo", "duo"), ((3, 4), (4, 4)), ((60, 1), (60, 48)), ((72, 0), (72, 55)), 16)
    torch.manual_seed(0)
    asked = torch.tensor([[0, 0, 0, 1], [1, 0, 1, 1]])
    logits = Generator(shape)(torch.randn(2, NOISE), torch.zeros(2, BAR_CELLS, 2, CLASSES), asked)
    rolls = drawn(logits * 0.01).argmax(dim=-1)  # nearly even over what is allowed
    assert (rolls[0, :, 1] == SILENT).all()
    bars = rolls[0, :, 0].reshape(PHRASE_BARS, BAR_CELLS)
    assert (bars[:, 12:] == SILENT).all()
    assert (bars[:, :12] != SILENT).any()
    low = rolls[1, :, 1][rolls[1, :, 1] >= FIRST] - FIRST + LOWEST
    assert len(low)
    assert low.min() >= 48
    assert low.max() <= 55


def test_draws_are_whole_classes_with_a_gradient():
    logits = torch.randn(2, 1, 16, CLASSES, requires_grad=True)
    made = drawn(logits)
    assert torch.allclose(made.detach().sum(dim=-1), torch.ones(2, 1, 16))
    assert torch.equal(made.detach().round(), torch.nn.functional.one_hot(made.argmax(dim=-1), CLASSES).float())
    made[..., 3].sum().backward()
    assert logits.grad.abs().sum() > 0


def duet(seed, bars=16):
    """A tune of quarter notes over a bass; its second half is its first one again."""
    random = np.random.default_rng(seed)
    half = 72 + random.choice([0, 2, 4, 5, 7], bars * 2)
    tune = [(int(pitch), 12 * place, 12, 80, 0) for place, pitch in enumerate([*half, *half])]
    return piece_of(tune + [(48, 48 * bar, 48, 80, 1) for bar in range(bars)], [Track("a", 73), Track("b", 32)])


@pytest.fixture(scope="module")
def composer():
    pieces = {"duet": {f"piece {seed}": duet(seed) for seed in range(10)}}
    held_out = {"duet": {"unseen": duet(99)}}
    data = gan_composer.train(pieces, held_out, GanSchedule(steps=20, critic_steps=1, batch=8), {}, 16)
    assert data
    return gan_composer.load(models.read_model(data))


def test_a_wish_gives_the_same_bytes_alone_and_in_company(composer):
    wishes = [Wish("duet", emotion, seed, 8) for seed, emotion in enumerate(("happy", "sad", "calm"))]
    together = composer.compose(wishes)
    (alone,) = composer.compose(wishes[2:])
    assert write_midi(alone.piece) == write_midi(together[2].piece)
    assert alone.measures == together[2].measures
    assert np.isfinite(alone.measures["realism"])


def test_a_piece_has_the_form_of_a_training_piece(composer):
    assert composer.forms["duet"][0] == [*range(8), *range(8)]
    (draft,) = composer.compose([Wish("duet", "happy", 4, 16)])
    first, second = (draft.piece.excerpt(start, 8) for start in (0, 8))
    assert len(first)
    assert np.array_equal(first.pitch, second.pitch[-len(first) :])


def test_phrases_hold_the_bar_before_and_their_place():
    bars = np.full((10, BAR_CELLS, 1), SILENT, np.int8)
    bars[:, 0, 0] = FIRST + np.arange(10)
    rolls, owner, first, part = phrases.phrases([bars])
    assert rolls[0, ::BAR_CELLS, 0].tolist() == [SILENT, *range(FIRST, FIRST + 4)]
    assert rolls[-1, ::BAR_CELLS, 0].tolist() == [FIRST + 5, *range(FIRST + 6, FIRST + 10)]
    assert part.tolist() == [0, *[1] * 5, 2]
    assert first.tolist() == list(range(7))
    assert set(owner) == {0}
    rows = np.array([(0, 0, 60, 11), (48, 0, 62, 11), (48, 0, 60, 11)], np.int16)
    assert form_of(Lesson("a", rows, "duet", "happy", (4, 4), 4)) == (0, 1, 0, 3)


def test_what_opens_and_closes_a_piece_fits():
    rolls = np.full((4, PHRASE_BARS, BAR_CELLS, 1), SILENT, np.int8)
    rolls[0, :, 0] = rolls[1, 1:, 0] = rolls[2, :, 12] = FIRST + 9
    rolls[2, -1, 13:] = HOLD
    assert phrases.fitting(rolls, BAR_CELLS, "opening").tolist() == [True, False, True, False]
    assert phrases.fitting(rolls, BAR_CELLS, "opening", returns=True).tolist() == [True, False, False, False]
    assert phrases.fitting(rolls, BAR_CELLS, "closing").tolist() == [True, True, True, False]
    rolls[1, -1, 0] = rolls[1, 2, 8] = SILENT
    rolls[1, 3, 6] = FIRST
    assert phrases.fitting(rolls, BAR_CELLS, "closing").tolist() == [True, False, True, False]
    assert phrases.fitting(rolls, BAR_CELLS, "middle").all()


def test_a_form_is_none_of_the_rare_ones():
    known = [[*range(8), *range(8)]] * 20 + [[0] * 16]
    drawn = [phrases.drawn_form(known, 16, np.random.default_rng(seed)) for seed in range(200)]
    assert all(form == known[0] for form in drawn)
    long = phrases.drawn_form(known, 20, np.random.default_rng(0))
    assert long == [*known[0], 16, 17, 18, 19]
    assert phrases.drawn_form([], 3, np.random.default_rng(0)) == [0, 1, 2]


def test_a_form_with_an_upbeat_has_a_bar_more():
    known = [[0, *range(1, 9), *range(1, 9)]] * 20
    assert phrases.drawn_form(known, 16, np.random.default_rng(0)) == known[0]
    long = phrases.drawn_form(known, 32, np.random.default_rng(0))
    assert long == [*known[0], *range(17, 25), *range(17, 25)]
    rows = np.array([(36, 0, 60, 11)] + [(12, 0, 62, 11)] * 80, np.int16)
    lessons = [
        Lesson("a", rows, "duet", "happy", (4, 4), 21),
        Lesson("b", rows - [[36, 0, 0, 0]], "duet", "happy", (4, 4), 20),
    ]
    assert [len(form) for form in phrases.forms(lessons)] == [17, 16]


def test_pitches_beyond_the_rolls_are_octaves_nearer():
    rows = np.array([(0, 0, 21, 11), (12, 0, 100, 11), (12, 0, 60, 11)], np.int16)
    bars = phrases.bars_of(Lesson("a", rows, "duet", "happy", (4, 4), 1), 1)
    assert bars[0, [0, 4, 8], 0].tolist() == [FIRST + pitch - LOWEST for pitch in (45, 88, 60)]
