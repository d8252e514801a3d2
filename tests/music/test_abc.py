"""ABC: pitches, lengths, repeats, by hand and against music21."""

import pytest

from musai.errors import InputError
from musai.music.abc import read_abc

HEAD = "X:1\nT:x\nM:{meter}\nL:1/8\nK:{key}\n"


def read(music, key="C", meter="4/4"):
    piece = read_abc(HEAD.format(key=key, meter=meter) + music)
    return list(zip(piece.pitch.tolist(), piece.onset.tolist(), piece.duration.tolist(), strict=True))


def test_notes_octaves_and_lengths():
    assert read("C2 c c' C,/ z/ D3/2 E/2 x4") == [
        (60, 0, 12), (72, 12, 6), (84, 18, 6), (48, 24, 3), (62, 30, 9), (64, 39, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "pitches"),
    [("D", [66, 61]), ("Gm", [65, 60]), ("Bb", [65, 60]), ("Ador", [66, 60]), ("A mix", [66, 61]), ("Em", [66, 60])],
)
def test_keys_and_modes(key, pitches):
    assert [pitch for pitch, _, _ in read("F4 C4", key)] == pitches


def test_an_accidental_holds_to_the_bar_line():
    assert [pitch for pitch, _, _ in read("^F F =F F | F4 z4", "G")] == [66, 66, 65, 65, 66]


def test_broken_rhythm_triplets_ties_and_what_is_left_out():
    assert read('A>B A<B (3ABA "Am"{g}~A-A |') == [
        (69, 0, 9), (71, 9, 3), (69, 12, 3), (71, 15, 9), (69, 24, 4), (71, 28, 4), (69, 32, 4), (69, 36, 12),
    ]  # fmt: skip


def test_a_short_first_bar_is_a_pickup():
    assert read("G2 | C8 |")[0][:2] == (67, 36)


@pytest.mark.parametrize(
    ("music", "played"),
    [
        ("|:C8|D8:|E8|", "CDCDE"),
        ("C8|D8:|E8|F8:|", "CDCDEFEF"),
        ("|:C8|1 D8:|2 E8|F8|", "CDCEF"),
        ("|:C8::D8:|", "CCDD"),
        ("C8||D8|]", "CD"),
    ],
)
def test_repeats_are_written_out(music, played):
    names = {60: "C", 62: "D", 64: "E", 65: "F"}
    assert "".join(names[pitch] for pitch, _, _ in read(music)) == played


def test_what_cannot_be_read_says_why():
    with pytest.raises(InputError, match="several meters"):
        read("C8|[M:3/4]C6|")
    with pytest.raises(InputError, match="the meter free"):
        read("C8|", meter="free")
    with pytest.raises(InputError, match="no notes"):
        read("z8|")


def test_music21_reads_the_same_notes():
    from music21 import converter

    text = HEAD.format(key="Ador", meter="6/8") + "e|a2A ^cBA|(3Bcd e>f g2:|\n"
    theirs = converter.parse(text, format="abc").expandRepeats().flatten().notes
    ours = read_abc(text)
    assert ours.pitch.tolist() == [note.pitch.midi for note in theirs]
    assert (ours.onset - ours.onset[0]).tolist() == [round(12 * note.offset) for note in theirs]
