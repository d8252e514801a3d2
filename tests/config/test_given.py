"""What was found by tuning gives way to what was asked for by hand."""

from __future__ import annotations

import copy
import pathlib

import pytest

from musai import config

FOUND = {"similarity.user_exponent": 0.9, "factorization.alpha": 3.0, "recommend.blend": {"als": 1.0}}


@pytest.mark.parametrize(
    ("in_file", "override", "key"),
    [
        ("factorization: {alpha: 7}", None, "factorization.alpha"),
        ("factorization.alpha: 7", None, "factorization.alpha"),
        (None, "factorization.alpha=7", "factorization.alpha"),
        (None, "factorization={alpha: 7}", "factorization.alpha"),
        (None, "recommend.blend.als=0.4", "recommend.blend"),
        (None, "recommend.blend={linear: 1}", "recommend.blend"),
        (None, None, None),
    ],
)
def test_what_is_given_stands_and_all_else_is_as_found(
    tmp_path: pathlib.Path, in_file: str | None, override: str | None, key: str | None
) -> None:
    files = []
    if in_file:
        files = [tmp_path / "mine.yaml"]
        files[0].write_text(in_file)
    ours = config.load(files, [override] if override else [])
    assert ours.by_hand == ({key} if key else set())
    for known in (ours, copy.deepcopy(ours), ours.having({"similarity.neighbours": 9})):
        tuned = known.tuned(FOUND)
        for found, value in FOUND.items():
            section, name = found.split(".")
            due = getattr(getattr(ours, section), name) if found == key else value
            assert getattr(getattr(tuned, section), name) == due
        assert tuned.by_hand == ours.by_hand
