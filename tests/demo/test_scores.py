"""The demo's tunes as scores: those that music21 reads, note by note."""

from __future__ import annotations

import pytest

from musai.demo import scores
from musai.demo.catalogue import read_manifest, score_of
from musai.errors import InputError


@pytest.fixture(scope="module")
def tunes():
    return {tune.track_id: tune for tune in read_manifest()}


def test_a_chorale_has_the_notes_that_music21_reads(tunes):
    from music21 import converter

    tune = next(tune for tune in tunes.values() if tune.genre == "chorale")
    parsed = converter.parse(score_of(tune)).stripTies()
    theirs = [(note, pitch.midi) for note in parsed.flatten().notes for pitch in note.pitches]
    expected = sorted((float(note.getOffsetInHierarchy(parsed)), float(note.quarterLength), p) for note, p in theirs)
    made = scores.score(tune)
    found = sorted((n.time / 480, n.duration / 480, n.pitch) for track in made.tracks for n in track.notes)
    assert found == expected
    assert [track.program for track in made.tracks] == [52, 19, 52, 19]


def test_a_folk_tune_begins_as_it_is_written(tunes, capfd):
    made = scores.score(tunes["aird-0089"])  # g2d B2G|ecA F2D
    assert [note.pitch for note in made.tracks[0].notes[:8]] == [79, 74, 71, 67, 76, 72, 69, 66]
    assert made.tempos[0].qpm == pytest.approx(126, abs=0.1)  # Q:3/8=84
    scores.score(tunes["oneill-0648"])
    assert capfd.readouterr().out == ""


def test_the_same_bytes_each_time(tunes):
    tune = next(iter(tunes.values()))
    assert scores.midi_bytes(tune) == scores.midi_bytes(tune)
    assert scores.midi_bytes(tune)[:4] == b"MThd"


def test_musicxml_ties_chords_and_voices():
    note = "<note>{}<pitch><step>{}</step><octave>4</octave></pitch><duration>{}</duration>{}</note>"
    first = note.format("", "C", 2, '<tie type="start"/>') + note.format("<chord/>", "E", 2, "")
    second = note.format("", "C", 1, '<tie type="stop"/>') + "<backup><duration>1</duration></backup>"
    second += "<forward><duration>1</duration></forward><note><rest/><duration>1</duration></note>" + note.format(
        "", "G", 2, ""
    )
    text = f"<score-partwise><part id='P1'><measure><attributes><divisions>2</divisions></attributes>{first}</measure>"
    made = scores.from_musicxml(f"{text}<measure>{second}</measure></part></score-partwise>", 90)
    found = [(n.time, n.duration, n.pitch) for n in made.tracks[0].notes]
    assert sorted(found) == [(0, 480, 64), (0, 720, 60), (960, 480, 67)]
    assert made.tempos[0].qpm == pytest.approx(90)


@pytest.mark.parametrize("text", ["no xml", "<score-partwise/>"])
def test_what_is_no_score_is_refused(text):
    with pytest.raises(InputError, match="MusicXML"):
        scores.from_musicxml(text, 90)
