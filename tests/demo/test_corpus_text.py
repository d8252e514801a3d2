"""What is read from ABC and MusicXML text: tunes, fields, titles and, above all, words on rights."""

import zipfile

import pytest

from musai.demo.corpus_text import abc_bars, abc_fields, abc_tunes, corpus_folder, file_text, rights_statement
from musai.demo.folk_tunes import clean_title

BOOK = """% A book of tunes
X: 7
T: First Tune
T: Its Other Name
Z: "Transcribed by A Person"
K:Gm
G2 (c) A | B2 |]

X:8
T:The Book of Rights.
K:D
d2 | e2 :|
"""


def test_a_book_is_cut_into_its_tunes():
    tunes = abc_tunes(BOOK)
    assert list(tunes) == [7, 8]
    assert tunes[7].startswith("X: 7\n")
    assert "Book of Rights" not in tunes[7]
    assert abc_fields(tunes[7]) == {
        "X": ["7"],
        "T": ["First Tune", "Its Other Name"],
        "Z": ["Transcribed by A Person"],
        "K": ["Gm"],
    }
    assert [abc_bars(tune) for tune in tunes.values()] == [2, 2]


@pytest.mark.parametrize(
    ("line", "statement"),
    [
        ("", "none"),
        ("A2 (c) B2 |", "none"),  # a slur
        ("T:All Rights Reserved", "none"),  # a title
        ("Z:Copyright 1999 A Person", "Z:Copyright 1999 A Person"),
        ("N:not for commercial use", "N:not for commercial use"),
        ("%%text (C) 2001", "%%text (C) 2001"),
    ],
)
def test_words_on_rights_in_abc(tmp_path, line, statement):
    path = tmp_path / "book.abc"
    path.write_text(BOOK + line + "\n")
    assert rights_statement(path) == statement


@pytest.mark.parametrize(
    ("inside", "statement"),
    [
        ("<part-name>Violin</part-name>", "none"),
        ("<rights>\n\t</rights>", "none"),
        ("<rights>Mine</rights>", "rights: Mine"),
        ("<source>http://example.org/1</source>", "source: http://example.org/1"),
        ("<credit-words>PDF © 2004\nSomebody</credit-words>", "PDF © 2004 Somebody"),
        ("<!-- under a Creative Commons licence -->", "!-- under a Creative Commons licence --"),
    ],
)
def test_words_on_rights_in_musicxml(tmp_path, inside, statement):
    path = tmp_path / "score.mxl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "<rights>of the container</rights>")
        archive.writestr("score.xml", f'<?xml version="1.0"?><score-partwise>{inside}</score-partwise>')
    assert rights_statement(path) == statement
    assert "container" not in file_text(path)


def test_the_installed_files_with_terms_are_recognised():
    corpus = corpus_folder()
    assert corpus is not None
    assert "Greentree" in rights_statement(corpus / "bach/bwv269.mxl")
    assert "musescore.com" in rights_statement(corpus / "bach/bwv846.mxl")
    assert "Copyright 1994" in rights_statement(corpus / "bach/bwv277.krn")
    assert rights_statement(corpus / "bach/bwv66.6.mxl") == "none"


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("ADMIRAL'S -- HORNPIPE", "Admiral's Hornpipe"),
        ("TWO AND SIXPENNY GIRL, THE -- JIG", "The Two and Sixpenny Girl Jig"),
        ("LOONEY McTWOLTER -- JIG", "Looney McTwolter Jig"),
        ("Tinware Lass., The", "The Tinware Lass"),
        ("The Pet Of The House", "The Pet of the House"),
        ("I'M O'ER YOUNG", "I'm O'er Young"),
        ("o'neill's march.", "O'Neill's March"),
    ],
)
def test_titles_as_people_write_them(raw, title):
    assert clean_title(raw) == title
