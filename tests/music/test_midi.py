"""MIDI in and out: round trips, the error of quantisation, files that cannot be used."""

import os
import pathlib

import numpy as np
import pytest
import symusic
from hypothesis import given, settings

from musai.music.midi import LARGEST_FILE, MidiFault, read_all, read_midi, reasons, texts_of, write_midi
from musai.music.notes import ARRAYS, Track, piece_of
from tests.music.strategies import pieces


@settings(max_examples=60, deadline=None)
@given(pieces())
def test_what_is_written_is_read_again(piece):
    again = read_midi(write_midi(piece))
    for name in ARRAYS:
        assert np.array_equal(getattr(again, name), getattr(piece, name)), name
    assert (again.meter, again.tracks) == (piece.meter, piece.tracks)
    assert again.tempo_bpm == pytest.approx(piece.tempo_bpm, abs=1e-3)
    assert write_midi(again) == write_midi(piece)


def test_an_onset_moves_by_a_24th_of_a_quarter_note_at_most():
    score = symusic.Score(480)
    track = symusic.Track("a")
    ticks = np.arange(0, 4800, 7)
    for tick in ticks.tolist():
        track.notes.append(symusic.Note(tick, 7, 60 + tick % 12, 80))
    score.tracks.append(track)
    read = read_midi(score.dumps_midi())
    assert np.abs(np.sort(read.onset) * 40 - ticks).max() <= 20


def test_what_we_say_of_a_file_stands_in_its_markers():
    data = write_midi(piece_of([(60, 0, 12, 80, 0)]), ['{"seed": 7}'])
    assert texts_of(data) == ['{"seed": 7}']


def test_meter_and_tempo_are_those_that_hold_longest():
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 1, 4))
    score.time_signatures.append(symusic.TimeSignature(480, 3, 4))
    score.tempos.append(symusic.Tempo(0, qpm=60))
    score.tempos.append(symusic.Tempo(480 * 5, qpm=120))
    track = symusic.Track("drums", 0, True)
    track.notes.append(symusic.Note(0, 4800, 38, 80))
    score.tracks.append(track)
    piece = read_midi(score.dumps_midi())
    assert piece.meter == (3, 4)
    assert piece.tempo_bpm == pytest.approx(90, abs=0.01)
    assert piece.tracks == (Track("drums", 0, True),)


def test_files_that_cannot_be_used_are_counted_by_reason(tmp_path):
    good = write_midi(piece_of([(60, 0, 12, 80, 0)]))
    contents = {"good": good, "cut": good[:40], "text": b"no MIDI at all", "empty": symusic.Score(480).dumps_midi()}
    paths = [tmp_path / f"{name}.mid" for name in (*contents, "missing")]
    for path, content in zip(paths, contents.values(), strict=False):
        path.write_bytes(content)
    read, rejected = read_all(paths)
    assert list(read) == [tmp_path / "good.mid"]
    assert set(rejected) == set(paths[1:])
    found = reasons(rejected.values())
    assert found["no notes"] == 1
    assert found["No such file or directory"] == 1
    assert sum(reason.startswith("not MIDI") for reason in rejected.values()) == 2


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.mid")
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    paths = [tmp_path / "pipe.mid", tmp_path / "huge.mid", pathlib.Path("/dev/zero"), tmp_path]
    assert list(read_all(paths)[1].values()) == [
        "no regular file",
        "larger than 64 MiB",
        "no regular file",
        "Is a directory",
    ]


def test_a_file_that_ends_anywhere_before_its_end_is_refused():
    """symusic reads past what it is given, so that the reason would change from one time to the next."""
    good = write_midi(piece_of([(60, 0, 12, 80, 0)]))
    for end in range(len(good)):
        with pytest.raises(MidiFault, match=r"not MIDI: (no header|cut off)"):
            read_midi(good[:end])


def test_a_meter_whose_bar_is_not_whole_steps_is_refused():
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 5, 32))
    track = symusic.Track("a")
    track.notes.append(symusic.Note(0, 480, 60, 80))
    score.tracks.append(track)
    with pytest.raises(MidiFault, match="the meter 5/32"):
        read_midi(score.dumps_midi())
