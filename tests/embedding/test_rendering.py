"""MIDI to sound: the right pitch at the right time, and the reasons of what cannot be heard."""

from __future__ import annotations

import os

import numpy as np
import pytest

from musai.embedding import rendering
from musai.embedding.audio import Plan, Unusable
from tests.embedding.test_audio import loudest_hz


def test_an_excerpt_has_the_notes_of_its_time(midi_file):
    pitches = [69, 76, 81] * 2  # A4 E5 A5: 440, 659, 880 Hz
    path = midi_file("flute.mid", pitches, seconds_each=1.0, program=73)
    found = rendering.excerpts(path, Plan(1.0, 6, 3600))
    assert found.shape == (6, 16_000)
    heard = [loudest_hz(excerpt[4000:12_000]) for excerpt in found]
    assert np.log2(np.divide(heard, [440, 659.3, 880] * 2)) == pytest.approx(np.zeros(6), abs=0.05)


def test_a_note_that_began_before_the_excerpt_is_heard_in_it(midi_file):
    path = midi_file("organ.mid", [60, 60], seconds_each=3.0, program=19)
    second = rendering.excerpts(path, Plan(2.0, 3, 3600))[1]  # from 2 s on; the second note begins at 3 s
    assert np.abs(second[:8000]).max() > 0.01


def test_a_note_that_rings_on_beyond_the_excerpt_is_heard_in_it_to_its_end(midi_file):
    path = midi_file("organ.mid", [60], seconds_each=30.0, program=19)
    for excerpt in rendering.excerpts(path, Plan(2.0, 1, 3600)):
        assert np.abs(excerpt[-8000:]).max() > 0.01


def test_what_cannot_be_heard_says_why(tmp_path, midi_file):
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "text.mid").write_text("no MIDI at all, whatever its name")
    os.mkfifo(tmp_path / "pipe.mid")
    plan = Plan(2.0, 3, 10.0)
    for path, reason in {
        tmp_path / "pipe.mid": "no regular file",
        tmp_path / "gone.mid": "cannot be read: No such file",
        tmp_path / "empty.mid": "empty file",
        tmp_path / "text.mid": "no MIDI file that can be read",
        midi_file("no notes.mid", []): "no notes",
        midi_file("long.mid", [60] * 30): "longer than",
        midi_file("short.mid", [60], seconds_each=0.1): "shorter than",
    }.items():
        with pytest.raises(Unusable, match=reason):
            rendering.excerpts(path, plan)


def test_half_a_midi_file_is_refused_or_heard_but_never_ends_the_process(midi_file):
    path = midi_file("cut.mid", list(range(40, 80)))
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        try:
            found = rendering.excerpts(path, Plan(2.0, 3, 3600))
        except Unusable:
            continue
        assert np.isfinite(found).all()


@pytest.mark.parametrize("program", [7, 8, 11, 13, 19])
def test_notes_that_the_synthesizer_never_ends_on_are_played_lower(midi_file, program):
    path = midi_file("high.mid", [108, 120, 127, 100], program=program)
    found = rendering.excerpts(path, Plan(2.0, 1, 3600))
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0.001
