"""Chinese reviews: both models learn, travel and are read; files of word vectors."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from musai.emotion import reviews
from musai.emotion.models import Models
from musai.emotion.training import chinese, files
from musai.errors import InputError

GOOD, BAD = ("满意", "干净", "热情", "舒服"), ("失望", "肮脏", "冷漠", "吵闹")


@pytest.fixture
def table(tmp_path: pathlib.Path) -> pathlib.Path:
    rng, rows = np.random.default_rng(0), []
    for number in range(200):
        good = number % 2
        said = " ".join(rng.choice(["房间", "早餐", "前台", "位置", "这里"], 3))
        rows.append({"label": good, "review": f"{said} {rng.choice(GOOD if good else BAD)}"})
    pd.DataFrame(rows).to_csv(tmp_path / "reviews.csv", index=False)
    return tmp_path / "reviews.csv"


def test_reviews_teach_valence(table: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chinese, "EPOCHS", 25)  # the reviews are few
    monkeypatch.setattr(chinese, "FOLDS", 2)
    said: list[str] = []
    made = chinese.train_reviews(table, None, 1, said.append)
    tensors, card = made.opened()
    assert card.figures["5-fold accuracy"] == 1
    assert len(said) == chinese.FOLDS + 1
    good, bad = (Models({"chinese": made}).words(f"房间 {word}", "zh") for word in ("舒服", "吵闹"))
    assert good is not None
    assert bad is not None
    assert good.valence > 0.2 > -0.2 > bad.valence
    for share in (0.0, 1.0):  # each model alone tells them apart
        scores = reviews.ReviewReader.of(tensors, {"network_share": share}).scores(["前台 热情", "前台 冷漠"])[:, 0]
        assert scores[0] > 0 > scores[1]


def test_of_a_long_text_the_ends_are_read() -> None:
    text = "开头" + "。中间" * 200 + "。结尾"
    found = reviews.split(text)
    assert len(found) == reviews.LONGEST
    assert (found[0], found[-1]) == ("开头", "结尾")
    assert reviews.split("很 好") == ["很", "好"]


def test_log_count_ratio_by_hand() -> None:
    counts = sp.csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32))
    found = chinese.log_count_ratio(counts, np.array([True, True, False]))
    # praise: 3, 1, 2 of 6 when each is counted once more; blame: 1, 2, 1 of 4
    np.testing.assert_allclose(found, np.log([(3 / 6) / (1 / 4), (1 / 6) / (2 / 4), (2 / 6) / (1 / 4)]), rtol=1e-6)


def test_word_vectors_as_text_and_binary(tmp_path: pathlib.Path) -> None:
    text, binary, broken = (tmp_path / name for name in ("text", "binary", "broken"))
    text.write_text("2 3\n好 0.5 1 -2\n坏 1 2 3\n", encoding="utf-8")
    rows = {"好": [0.5, 1, -2], "坏": [1, 2, 3]}
    binary.write_bytes(b"2 3\n" + b"\n".join(w.encode() + b" " + np.array(v, "<f4").tobytes() for w, v in rows.items()))
    broken.write_text("好 0.5 1 -2\n", encoding="utf-8")
    for path in (text, binary):
        found = files.word2vec(path)
        assert {word: vector.tolist() for word, vector in found.items()} == rows
    for path in (broken, tmp_path / "missing"):
        with pytest.raises(InputError):
            files.word2vec(path)
