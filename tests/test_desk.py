"""`musai render`, `generate` and `transfer`: what a person at a desk gets."""

import numpy as np
import pytest
import soundfile
from rich.console import Console

from musai import config as configuration
from musai import desk, show
from musai.errors import InputError
from musai.generation import originality
from musai.generation.makers import Files
from musai.music.midi import read_midi, texts_of


def test_a_published_track_becomes_midi_or_sound(night, tmp_path):
    row = night.table("generated_tracks").iloc[0]
    published = show.warehouse(night.config)
    desk.render(published, row["generated_id"], tmp_path / "track.mid")
    assert (tmp_path / "track.mid").read_bytes() == row["midi"]
    desk.render(published, row["generated_id"], tmp_path / "track.ogg")
    sound, rate = soundfile.read(tmp_path / "track.ogg")
    assert sound.shape[1] == 2
    assert row["duration_s"] * 0.9 < len(sound) / rate < row["duration_s"] + 8
    assert np.abs(sound).max() > 0.01
    desk.render(published, str(tmp_path / "track.mid"), tmp_path / "again.wav")
    again, _ = soundfile.read(tmp_path / "again.wav")
    assert abs(len(again) - len(sound)) < rate / 10
    with pytest.raises(InputError, match="no generated track 'nothing'"):
        desk.render(published, "nothing", tmp_path / "track.wav")
    with pytest.raises(InputError, match="is due"):
        desk.render(published, row["generated_id"], tmp_path / "track.mp3")


def test_a_tune_is_generated_and_transferred(tmp_path):
    settings = configuration.load().generation
    for folder in ("a", "b"):
        desk.generate(settings, "rnn", "folk", "happy", 2, 3, tmp_path / folder, Console(quiet=True))
    made = sorted((tmp_path / "a").iterdir())
    assert len(made) == 2
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in sorted((tmp_path / "b").iterdir())]
    desk.transfer(settings, made[0], "chorale", 1, tmp_path / "hymn.mid")
    hymn, tune = read_midi(tmp_path / "hymn.mid"), read_midi(made[0])
    assert len(hymn.tracks) == 4
    assert np.array_equal(hymn.of_track(0).pitch % 12, tune.pitch % 12)
    assert f'"source_track": "{made[0].name}"' in texts_of((tmp_path / "hymn.mid").read_bytes())[0]
    assert originality.look_up(hymn, Files().law().index).longest_run < 32
