"""The word lists: signs that anyone would give, negation, strength."""

from __future__ import annotations

import pytest

from musai.emotion import lexicon
from musai.emotion.chinese import ChineseReader
from musai.emotion.models import Models

LIST = {"好": (0.7, -0.3), "快乐": (0.9, 0.4), "孤独": (-0.6, -0.6)}


def test_by_hand() -> None:
    assert lexicon.read(["我", "孤独"], LIST) == lexicon.Found(-0.6 / 1.7, -0.6 / 1.7, 1)
    assert lexicon.read(["我"], LIST) is None
    very = lexicon.read(["很", "快乐"], LIST)
    assert very is not None
    assert very.valence == pytest.approx(0.9 * 1.3 / 1.7)


def test_a_negation_turns_the_next_words_only() -> None:
    turned = lexicon.read(["不", "好"], LIST)
    assert turned is not None
    assert turned.valence == pytest.approx(-0.6 * 0.7 / 1.7)
    far = lexicon.read(["不", "在", "这里", "好"], LIST)
    assert far is not None
    assert far.valence > 0


@pytest.mark.parametrize("name", ["chinese", "tags"])
def test_lists_are_whole(name: str) -> None:
    entries = lexicon.entries(name)
    assert len(entries) > 100
    assert all(-1 <= value <= 1 for pair in entries.values() for value in pair)


@pytest.mark.parametrize(
    ("text", "valence", "arousal"),
    [
        ("今天我很快乐，阳光灿烂，一起跳舞吧", 1, 1),
        ("你离开以后，我一个人哭泣，多么孤独", -1, -1),
        ("房间又脏又吵，服务太差，气死我了", -1, 1),
        ("月光轻轻照着宁静的湖面", 1, -1),
    ],
)
def test_chinese_sentences_have_the_right_sign(text: str, valence: int, arousal: int) -> None:
    found = ChineseReader().read([text])[0]
    assert found[0] * valence > 0
    assert found[1] * arousal > 0


def test_a_text_without_known_words_says_nothing() -> None:
    assert str(ChineseReader().read(["桌子椅子"])[0][0]) == "nan"


@pytest.mark.parametrize(
    ("tags", "title", "valence"),
    [
        (["孤独"], "夜曲", -1),
        (["华语流行"], "快乐的一天", 1),
        (["happy"], "悲伤 (live)", 0),
        ([], "不快乐", -1),
        (["华语流行"], "夜曲", None),
        ([], "さくら 悲しみ", None),
    ],
)
def test_tags_and_titles_are_read_in_chinese_too(tags: list[str], title: str, valence: int | None) -> None:
    found = Models({}).tags(tags, title, None)
    if valence is None:
        assert found is None
        return
    assert found is not None
    assert found.source == "tags"
    assert abs(found.valence) < 0.15 if valence == 0 else found.valence * valence > 0.1
