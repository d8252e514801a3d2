"""The cards of the models that ship, as Markdown: what each is, its data with licences, its figures, its command."""

from __future__ import annotations

import importlib.resources
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from musai.config import conf_path

ABOUT = {
    "embedding/small": "How a track sounds: sound to a vector, in `embed_tracks`.",
    "emotion/english_emotions": "English words to 28 emotions, in `tag_emotions`.",
    "emotion/english_affect": "English words to valence and arousal, in `tag_emotions`.",
    "emotion/chinese": "Chinese words to valence, by a lexicon, in `tag_emotions`.",
    "emotion/notes": "Notes to valence and arousal, in `tag_emotions` and of created tracks.",
    "emotion/sound": "Sound to valence and arousal, in `tag_emotions`.",
    "generation/rnn": "Writes music of a style and an emotion, note after note, in `generate_tracks`.",
    "generation/gan": "Writes bars of several tracks at once.",
    "generation/style_transfer": "Moves a piece into another style.",
    "generation/judge": "What a created track must not be: unsound, or a copy of a piece that was learnt from.",
}
WHAT_IT_IS = ("name", "kind", "sha256")  # said elsewhere
MOST = 12  # values of a list or a mapping; beyond, how many there are


def cards() -> dict[str, tuple[int, dict[str, Any]]]:
    """name -> (bytes of its weights, its card), in order of the names."""
    found = {}
    for package in ("embedding", "emotion"):
        folder = pathlib.Path(str(importlib.resources.files(f"musai.{package}"))) / "weights"
        for file in folder.glob("*.json"):
            size = file.with_suffix(".safetensors").stat().st_size
            found[f"{package}/{file.stem}"] = (size, json.loads(file.read_text(encoding="utf-8")))
    for file in conf_path("models").glob("*.safetensors"):
        found[f"generation/{file.stem}"] = (file.stat().st_size, _header(file))
    return dict(sorted(found.items()))


def _header(file: pathlib.Path) -> dict[str, Any]:
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        card: dict[str, Any] = json.loads(json.loads(content.read(length))["__metadata__"]["card"])
    return card


def markdown() -> str:
    """All cards as one page."""
    parts = ["# Models\n\nWhat ships with MusAI; `musai models` prints this page from the cards beside the weights.\n"]
    for name, (size, card) in cards().items():
        parts.append(f"## {name}\n\n{ABOUT.get(name, '')}\n\n| what | |\n|---|---|\n| size | {size / 1e6:.2f} MB |\n")
        rows = "\n".join(f"| {_cell(label)} | {_cell(value)} |" for label, value in _rows(card))
        parts[-1] += rows + "\n"
    return "\n".join(parts)


def _rows(card: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in sorted(card.items()):
        label = f"{before}{key}".replace("_", " ")
        if value in ({}, [], None) or (key in WHAT_IT_IS and not before):
            continue
        if isinstance(value, Mapping) and len(value) <= MOST:
            yield from _rows(value, f"{label}: ")
        elif isinstance(value, list) and isinstance(value[0], Mapping):
            for one in value:
                facts = {name: given for name, given in one.items() if name != "sha256" and not _is_many(given)}
                yield label, ", ".join(f"{name} {_text(given)}" for name, given in sorted(facts.items()))
        else:
            yield label, _text(value)


def _is_many(value: Any) -> bool:
    return isinstance(value, list | Mapping)


def _text(value: Any) -> str:
    """Pairs within a list as a/b: 3/4 of meters, training and held-out figures."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if _is_many(value):
        texts = ["/".join(map(_text, one)) if isinstance(one, list) else _text(one) for one in value]
        return ", ".join(texts) if len(value) <= MOST else f"{len(value)} of them"
    text = str(value)
    return text if len(text) < 200 else f"{len(text.splitlines())} lines"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
