"""Lyrics are cleaned, their language found, and instrumental tracks have no words."""

from __future__ import annotations

import pytest

from musai.emotion.text import LONGEST_LINE, clean_lines, language, pieces, tokens


def test_markers_time_stamps_and_repeats_go() -> None:
    lyrics = "[Verse 1]\n[00:12.5]Rain on the roof\n\nChorus:\nSing it again (x2)\nsing it again\nRain on the roof\n♪♪♪"
    assert clean_lines(lyrics) == ["Rain on the roof", "Sing it again"]
    assert clean_lines("[Chorus] / One line / and/or another / One line") == ["One line", "and/or another"]
    assert clean_lines("【副歌】\n月光照着我\n重复\n月光照着我") == ["月光照着我"]


@pytest.mark.parametrize(
    "nothing", [None, "", "[Instrumental]", "  (instrumental) ", "纯音乐，请欣赏", "♪ ♪", "[Intro]\n\n1234"]
)
def test_instrumental_means_no_words(nothing: str | None) -> None:
    assert clean_lines(nothing) == []


@pytest.mark.parametrize(
    ("text", "stated", "expected"),
    [
        ("I walked along the river in the morning light", None, "en"),
        ("我爱你", None, "zh"),
        ("Ich ging im Walde so für mich hin, und nichts zu suchen", None, "de"),
        ("さくら さくら 弥生の空は", None, "ja"),
        ("la la la", None, "en"),
        ("la la la", "zh-CN", "zh"),
        ("la la la", "Chinese", "zh"),
        ("la la la", "cmn-Hans", "zh"),
        ("我爱你", "ENG", "en"),
        ("我爱你", "und", "zh"),
        ("I walked along the river in the morning light", "zxx", "en"),
    ],
)
def test_language(text: str, stated: str | None, expected: str) -> None:
    assert language(text, stated) == expected


def test_tokens() -> None:
    assert tokens("Don’t goooooo 2 fast!") == ["don't", "gooo", "2", "fast", "!"]


def test_short_lines_are_read_together_and_long_ones_alone() -> None:
    assert pieces(["one two", "three four", "five " * 40]) == ["one two three four", "five " * 40]
    assert pieces([]) == []


def test_a_song_in_one_line_is_read_to_its_end() -> None:
    line = "I walk alone, " * 30 + "la " * 60 + "and I cry"
    found = pieces([line])
    assert " ".join(found) == line
    assert max(len(tokens(piece)) for piece in found) <= LONGEST_LINE
    assert found[0] == " ".join(["I walk alone,"] * 6)
    assert pieces(["la" * 9000]) == ["la" * 9000]
