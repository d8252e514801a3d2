"""Words of songs made ready to be read: lines without markers and repeats, the language, tokens."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence

LONGEST_TEXT = 20_000  # characters of a track's words that are read
LONGEST_LINE = 48  # tokens; a longer line is read as several
INSTRUMENTAL = re.compile(
    r"^[\W_]*(?:instrumental|no lyrics|without words|纯音乐.*|无歌词|没有歌词)[\W_]*$", re.IGNORECASE
)
SECTION = (
    r"(?:verse|chorus|refrain|bridge|intro|outro|hook|interlude|solo|instrumental|pre-?chorus|post-?chorus|coda|"
    r"repeat|主歌|副歌|前奏|间奏|尾奏|导歌|桥段|合唱|重复)"
)
MARKER = re.compile(
    rf"\[[^\]]{{0,60}}\]|[(（【{{]\s*{SECTION}[^)）】}}]{{0,40}}[)）】}}]|^\s*{SECTION}\s*\d*\s*[:：]?\s*$|[(（]?\b[x×]\s?\d+\b[)）]?",
    re.IGNORECASE,
)
TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[^\w\s]")
STRETCHED = re.compile(r"(.)\1{2,}")
CJK = re.compile(r"[\u3400-\u9fff]")
KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
LINE_END = re.compile(r"[\r\n]+|\s/\s")  # files of one line a track put " / " between lines
PHRASE_END = re.compile(r"(?<=[.,;:!?])\s+")
SHORT = 20  # characters; the language of a shorter Latin text is a guess
NAMED = {  # ways to state a language that is read, beside its ISO 639-1
    **dict.fromkeys(("eng", "english"), "en"),
    **dict.fromkeys(("zho", "chi", "cmn", "chinese", "mandarin"), "zh"),
}


def clean_lines(lyrics: str | None) -> list[str]:
    """The different lines of a song in their order, without section markers, time stamps and repeats.

    A chorus counts once, so that it does not outweigh the verses. Empty for instrumental tracks and where there is no
    letter at all.
    """
    if not lyrics or INSTRUMENTAL.match(lyrics.strip()):
        return []
    lines: dict[str, None] = {}
    for line in LINE_END.split(unicodedata.normalize("NFKC", lyrics[:LONGEST_TEXT])):
        line = " ".join(MARKER.sub(" ", line).split())
        if any(character.isalpha() for character in line) and not INSTRUMENTAL.match(line):
            lines.setdefault(line)
    folded = {line.casefold(): line for line in reversed(lines)}
    return [line for line in lines if folded[line.casefold()] == line]


def language(text: str, stated: str | None = None) -> str:
    """ISO 639-1 of the words: `stated` (`en`, `zh-CN`, `chi`, ...) where that is one, else by script and py3langid."""
    code = re.split(r"[-_ ]", (stated or "").strip().lower())[0]
    code = NAMED.get(code, code)
    if len(code) == 2 and code.isascii() and code.isalpha():
        return code
    if is_chinese(text):
        return "zh"
    if len(text) < SHORT and text.isascii():
        return "en"
    import py3langid

    return str(py3langid.classify(text)[0])


def is_chinese(text: str) -> bool:
    """By its script."""
    return bool(CJK.search(text) and not KANA_OR_HANGUL.search(text))


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers, signs and emoji, each one token; letters stretched beyond three are cut to three."""
    folded = text.lower().replace("\u2019", "'")
    return TOKEN.findall(STRETCHED.sub(r"\1\1\1", folded))


def pieces(lines: Sequence[str]) -> list[str]:
    """Lines joined to sentences of a few lines, and long ones apart (LONGEST_LINE tokens at most), as the models were
    trained on."""
    found: list[str] = []
    length = 0
    for line in itertools.chain.from_iterable(map(_apart, lines)):
        count = len(tokens(line))
        if found and length + count <= LONGEST_LINE // 2:
            found[-1], length = f"{found[-1]} {line}", length + count
        else:
            found.append(line)
            length = count
    return found


def _apart(line: str) -> list[str]:
    """A line that is too long, at its commas and stops; what is too long without any, by words."""
    if len(tokens(line)) <= LONGEST_LINE:
        return [line]
    phrases = [phrase.split() for phrase in PHRASE_END.split(line)]
    return [
        " ".join(words[start : start + LONGEST_LINE])
        for words in phrases
        for start in range(0, len(words), LONGEST_LINE)
    ]
