"""A test as a folder: blind, alike, and counted by the key that stays in the warehouse."""

from __future__ import annotations

import itertools
import json
import pathlib

import numpy as np
import pytest
import soundfile

from musai.cli import main
from musai.errors import InputError
from musai.listening import making
from musai.music import clips, loudness
from tests.report.parsed import Parsed


@pytest.fixture
def made(published, tmp_path: pathlib.Path) -> tuple[pathlib.Path, dict, str]:
    """(folder, key, page)"""
    warehouse, config = published
    folder = tmp_path / "test"
    test = making.make(warehouse, config, folder, pairs=8, attention=2, seconds=4, seed=1)
    key = json.loads(warehouse.storage.read(f"_listening/{test}/key.json"))
    return folder, key, (folder / "index.html").read_text(encoding="utf-8")


def test_every_clip_is_as_loud_and_as_long_as_any_other(made) -> None:
    folder, key, _ = made
    sounds = [soundfile.read(file) for file in (folder / "clips").iterdir()]
    assert len(sounds) == 2 * len(key["trials"]) == 20
    levels = [loudness.integrated(sound, rate) for sound, rate in sounds]
    assert max(levels) - min(levels) < 1
    assert {round(len(sound) / rate, 2) for sound, rate in sounds} == {4.0}


def test_nothing_in_the_folder_says_what_is_what(made) -> None:
    folder, key, page = made
    [(_, _, data), _] = Parsed(page).all("script")
    pairs = json.loads(data)["pairs"]
    assert pairs == sorted(pairs)
    assert all(pair == sorted(pair) for pair in pairs)
    sides = [side for trial in key["trials"] for side in trial["clips"]]
    assert {name for pair in pairs for name in pair} == {side["clip"] for side in sides}
    assert sorted(path.name for path in folder.rglob("*")) == sorted(
        ["index.html", "clips", *(f"{side['clip']}.ogg" for side in sides)]
    )
    for word in ("rnn", "style_transfer", "shuffled", *(side["track_id"] for side in sides)):
        assert word not in page
    for name in (folder / "clips").iterdir():
        assert soundfile.info(name).extra_info.find("rnn") == -1


def test_the_same_seed_makes_the_same_test_and_another_one_another(published, made, tmp_path: pathlib.Path) -> None:
    warehouse, config = published
    folder, _, page = made
    making.make(warehouse, config, tmp_path / "again", 8, 2, 4, 1)
    assert (tmp_path / "again/index.html").read_text(encoding="utf-8") == page
    for file in (folder / "clips").iterdir():
        again, _ = soundfile.read(tmp_path / "again/clips" / file.name)
        np.testing.assert_array_equal(soundfile.read(file)[0], again)
    making.make(warehouse, config, tmp_path / "other", 8, 2, 4, 2)
    assert {file.name for file in (tmp_path / "other/clips").iterdir()}.isdisjoint(
        file.name for file in (folder / "clips").iterdir()
    )


def test_a_folder_of_somebody_else_is_left_alone(published, tmp_path: pathlib.Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/dear.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other files"):
        making.make(*published, tmp_path / "letters", 8, 2, 4, 1)
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_loud_and_soft_sounds_meet_where_no_peak_clips() -> None:
    seconds = np.arange(2 * clips.RATE) / clips.RATE
    tone = (0.01 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    clicks = np.zeros_like(tone)
    clicks[::6000] = 0.5
    found = making.levelled([tone, clicks])
    levels = [loudness.integrated(sound, clips.RATE) for sound in found]
    assert levels[0] == pytest.approx(levels[1], abs=0.01)
    assert levels[0] < clips.TARGET
    assert max(np.abs(sound).max() for sound in found) == pytest.approx(clips.PEAK, rel=1e-4)


def test_the_page_is_whole_for_readers_of_screens(made) -> None:
    parsed = Parsed(made[2])
    assert [found["lang"] for _, found, _ in parsed.all("html")] == ["en"]
    ids = [found["id"] for _, found, _ in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for _, found, _ in parsed.all("audio"):
        assert found["aria-labelledby"] in ids
    labels = [text.strip() for text in parsed.texts("label")]
    assert labels == ["A is the better music", "B is the better music"]
    levels = [int(tag[1]) for tag, _, _ in parsed.all("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    [policy] = [found["content"] or "" for _, found, _ in parsed.all("meta") if "http-equiv" in found]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_command_makes_a_test_and_says_what_is_missing(published, tmp_path: pathlib.Path, capsys) -> None:
    _, config = published
    settings = [f"warehouse={config.warehouse.path}", f"inputs.tracks={config.inputs.tracks}"]
    assert main(["listening-test", str(tmp_path / "mine"), "--pairs", "4", "--seconds", "2", *settings]) == 0
    assert "test r1-1: hand" in capsys.readouterr().out
    assert (tmp_path / "mine/index.html").is_file()
    assert main(["listening-test", *settings]) == 2
    assert "name the folder of a new test, or the answers with --results" in capsys.readouterr().err
