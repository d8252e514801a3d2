"""A listening test as a folder: the page and its clips, whose names say nothing. The key stays in the warehouse."""

from __future__ import annotations

import hashlib
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from musai.config import Config
from musai.errors import InputError
from musai.listening import page
from musai.listening.pieces import Heard, published
from musai.listening.trials import Trial, drawn
from musai.music import clips, loudness
from musai.music.midi import write_midi
from musai.warehouse import Warehouse

FOLDER = "_listening"  # of the warehouse


def make(
    warehouse: Warehouse, config: Config, folder: pathlib.Path, pairs: int, attention: int, seconds: float, seed: int
) -> str:
    """Write index.html and clips/ into `folder`, and the key into the warehouse; returns the name of the test.

    The same published run, options and seed give the same test. Raises InputError as `published` and `drawn`, and
    where `folder` holds something else.
    """
    trials = drawn(published(warehouse, config), pairs, attention, seconds, seed)
    pointer = warehouse.pointer()
    assert pointer is not None
    test = f"{pointer['run_id']}-{seed}"
    if folder.exists() and not (folder / page.NAME).exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: it holds other files; name a new folder")
    names = _names(2 * len(trials), test)
    sounds = levelled([clips.sound(write_midi(one.piece), seconds) for trial in trials for one in _both(trial)])
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for name, sound in zip(names, sounds, strict=True):
        (folder / "clips" / f"{name}.ogg").write_bytes(clips.ogg(sound))
    asked = [(names[2 * place], names[2 * place + 1]) for place in range(len(trials))]
    (folder / page.NAME).write_text(page.rendered(test, sorted(map(sorted, asked)), seconds), encoding="utf-8")
    key = {
        "test": test,
        "run_date": pointer["run_date"],
        "trials": [_key(trial, pair) for trial, pair in zip(trials, asked, strict=True)],
    }
    with warehouse.writing():
        warehouse.storage.replace(f"{FOLDER}/{test}/key.json", json.dumps(key, indent=1).encode())
    return test


def _both(trial: Trial) -> tuple[Heard, Heard]:
    return trial.first, trial.second


def _names(count: int, test: str) -> list[str]:
    """12 hexadecimal digits each: nobody sees from them what is what."""
    return [hashlib.sha256(f"{test}:{number}".encode()).hexdigest()[:12] for number in range(count)]


def _key(trial: Trial, names: tuple[str, str]) -> dict[str, Any]:
    sides = [
        {"clip": name, "kind": one.kind, "track_id": one.track_id}
        for name, one in zip(names, _both(trial), strict=True)
    ]
    return {"style": trial.first.style, "attention": trial.attention, "clips": sides}


def levelled(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All at one loudness: the usual one, or the greatest that the peak of none of them forbids."""
    heard = [loudness.integrated(sound, clips.RATE) for sound in sounds]
    room = [20 * math.log10(clips.PEAK / np.abs(sound).max()) for sound in sounds]
    target = min([clips.TARGET, *(level + free for level, free in zip(heard, room, strict=True))])
    return [clips.levelled(sound, target) for sound in sounds]
