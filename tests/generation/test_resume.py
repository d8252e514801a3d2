"""Trainings that are interrupted or killed go on to the same weights; `generation.device`; what a GPU is given."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pathlib
import signal
import time

import numpy as np
import pytest
import torch

from musai.embedding.checkpoints import Checkpoint, unpacked
from musai.errors import InputError
from musai.generation import accelerator, composer, gan_training, models, training
from musai.generation.gan_training import GanSchedule
from musai.generation.rnn import Shape
from musai.generation.styles import lessons_of
from musai.generation.training import Schedule
from tests.generation.test_composer import song
from tests.generation.test_gan import SHAPE, toy

SIZES = {"hidden": 16, "head": 16, "embedding": 4}
RNN = Schedule(epochs=3, minutes=math.inf, batch=4, rate=0.01)  # of minutes the rate would hang on, too
GAN = GanSchedule(steps=12, critic_steps=1, batch=4)


class Killed(Exception):
    pass


class Interrupted(Checkpoint):
    """Due after every step; the `last` one that is kept ends the training."""

    def __init__(self, place: str, last: int) -> None:
        super().__init__(place, 0.0)
        self.last = last

    def keep(self, content: bytes) -> None:
        super().keep(content)
        self.last -= 1
        if not self.last:
            raise Killed


def rnn(checkpoint: Checkpoint, schedule: Schedule = RNN) -> training.Trained:
    pieces = {f"song {number}": song(number) for number in range(18)}
    lessons, style, _ = lessons_of(pieces, "song")
    shape = Shape((style.name,), ((4, 4),), **SIZES)
    return training.train(lessons[:14], lessons[14:], shape, schedule, checkpoint=checkpoint)


def gan(checkpoint: Checkpoint, schedule: GanSchedule = GAN) -> gan_training.TrainedGan:
    return gan_training.train(*toy(), SHAPE, schedule, checkpoint=checkpoint)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def test_an_interrupted_rnn_ends_with_the_same_weights(tmp_path):
    """In the middle of its second epoch."""
    whole, place = rnn(Checkpoint(None)), str(tmp_path / "folder/rnn.pt")
    with pytest.raises(Killed):
        rnn(Interrupted(place, 6))
    at = unpacked(Checkpoint(place).read() or b"")["at"]
    assert (at["epoch"], at["step"]) == (1, 2)
    resumed = rnn(Checkpoint(place))
    assert same(resumed.network, whole.network)
    assert resumed.losses == whole.losses


def test_an_interrupted_gan_ends_with_the_same_weights(tmp_path):
    whole, place = gan(Checkpoint(None)), str(tmp_path / "gan.pt")
    with pytest.raises(Killed):
        gan(Interrupted(place, 5))
    resumed = gan(Checkpoint(place))
    assert same(resumed.generator, whole.generator)
    assert same(resumed.critic, whole.critic)
    assert resumed.distances == whole.distances


def test_a_finished_training_is_not_begun_again(tmp_path, monkeypatch):
    place = str(tmp_path / "gan.pt")
    whole = gan(Checkpoint(place))
    monkeypatch.setattr(gan_training, "_step", None)
    assert same(gan(Checkpoint(place)).generator, whole.generator)


def _forever(place: str) -> None:
    torch.set_num_threads(1)
    gan(Checkpoint(place, 0.0), GanSchedule(steps=1_000_000, minutes=10, critic_steps=1, batch=4))


def test_a_training_killed_by_the_system_goes_on(tmp_path):
    """kill -9 at any moment, in the middle of writing too, leaves a whole checkpoint."""
    place = str(tmp_path / "gan.pt")
    child = multiprocessing.get_context("spawn").Process(target=_forever, args=(place,))
    child.start()
    until = time.monotonic() + 300
    while not pathlib.Path(place).exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    before = unpacked(Checkpoint(place).read() or b"")["at"]
    assert before["step"] > 0
    found = gan(Checkpoint(place), GanSchedule(steps=before["step"] + 5, critic_steps=1, batch=4))
    assert found.steps == before["step"] + 5
    assert found.distances[: len(before["distances"])] == before["distances"]


def test_minutes_count_over_all_beginnings(tmp_path):
    place = str(tmp_path / "gan.pt")
    first = gan(Checkpoint(place), GanSchedule(minutes=0.01, critic_steps=1, batch=4))
    assert 0 < first.steps < 100_000
    assert gan(Checkpoint(place), GanSchedule(minutes=0.01, critic_steps=1, batch=4)).steps == first.steps


@pytest.mark.parametrize("train", [lambda: rnn(Checkpoint(None), Schedule(device="gpu")),
                                   lambda: gan(Checkpoint(None), GanSchedule(device="gpu"))])  # fmt: skip
def test_a_gpu_that_is_not_there_is_an_error(train, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=r"generation.device: gpu cannot be used here"):
        train()


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """bfloat16, and the graphs that torch.compile takes, run without a compiler."""
    monkeypatch.setattr(accelerator, "mixed", lambda _: torch.autocast("cpu", torch.bfloat16))
    monkeypatch.setattr(accelerator, "compiled", lambda function, _: torch.compile(function, backend="eager"))


@pytest.mark.usefixtures("as_on_a_gpu")
def test_both_learn_compiled_and_in_bfloat16():
    losses = rnn(Checkpoint(None)).losses
    assert losses[-1][1] < 0.9 * losses[0][1]
    rolls, asked = toy()
    trained = gan(Checkpoint(None), GanSchedule(steps=40, critic_steps=2, batch=8, rate=2e-3))
    assert np.isfinite(trained.distances).all()
    mixed = np.random.default_rng(0).permuted(rolls, axis=1)
    real, shuffled = (gan_training.realism(trained.critic, one, asked).mean() for one in (rolls, mixed))
    assert real > shuffled


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_both_learn_on_a_gpu(tmp_path):
    data = composer.train({"song": {f"{n}": song(n) for n in range(18)}}, {"song": {"unseen": song(99)}},
                          Schedule(epochs=3, batch=4, rate=0.01, device="gpu"), {}, SIZES)  # fmt: skip
    losses = models.read_model(data).card["nats_a_note"]
    assert losses[-1][1] < 0.9 * losses[0][1]
    with contextlib.suppress(Killed):
        gan(Interrupted(str(tmp_path / "gan.pt"), 5), GanSchedule(steps=12, critic_steps=1, batch=4, device="gpu"))
    assert gan(Checkpoint(str(tmp_path / "gan.pt")), GanSchedule(steps=12, batch=4, device="gpu")).steps == 12
