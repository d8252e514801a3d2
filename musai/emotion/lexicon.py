"""Word lists with valence and arousal, and reading a text by them."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from collections.abc import Mapping, Sequence

NEGATIONS = frozenset(("不", "没", "没有", "别", "无", "未", "不是", "不太", "从不", "绝不", "no", "not", "never"))
NEGATION_REACH = 2  # words after a negation that it turns
TURNED = -0.6  # what a negation makes of a valence: "not good" is bad, but less so than "bad"
STRENGTHS = {"很": 1.3, "非常": 1.5, "太": 1.4, "真": 1.2, "超": 1.4, "最": 1.5, "特别": 1.4, "极": 1.5, "有点": 0.7}
SHRINKAGE = 0.7  # words of neutral meaning that are added: one word alone says less than three that agree


@dataclasses.dataclass(frozen=True)
class Found:
    """What the list says of a text: valence and arousal in -1..1, and how many of its words it knew."""

    valence: float
    arousal: float
    words: int


def read(words: Sequence[str], entries: Mapping[str, tuple[float, float]]) -> Found | None:
    """Mean over the words that the list has, drawn towards 0; None where it has none of them."""
    valence = arousal = 0.0
    known = 0
    for place, word in enumerate(words):
        if word not in entries:
            continue
        v, a = entries[word]
        before = words[max(0, place - NEGATION_REACH) : place]
        strength = STRENGTHS.get(before[-1], 1.0) if before else 1.0
        if any(other in NEGATIONS for other in before):
            v, a = v * TURNED, a * abs(TURNED)
        valence, arousal, known = valence + v * strength, arousal + a * strength, known + 1
    if not known:
        return None
    total = known + SHRINKAGE
    return Found(max(-1.0, min(1.0, valence / total)), max(-1.0, min(1.0, arousal / total)), known)


@functools.cache
def entries(name: str) -> dict[str, tuple[float, float]]:
    """Word -> (valence, arousal) of `lexicons/NAME.tsv`. Raises ValueError for a word that stands there twice."""
    text = (importlib.resources.files("musai.emotion") / "lexicons" / f"{name}.tsv").read_text(encoding="utf-8")
    found: dict[str, tuple[float, float]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        valence, arousal, words = line.split("\t")
        for word in words.split():
            if word in found:
                raise ValueError(f"lexicons/{name}.tsv: {word} stands there twice")
            found[word] = (float(valence), float(arousal))
    return found
