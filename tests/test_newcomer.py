"""A listener who arrived today, on the tiny night: lists from a few plays by what is published."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import musai
from musai import cli, newcomer, show
from musai.errors import InputError


@pytest.fixture
def listed(night):
    """Lists by the night's own configuration."""

    def of(plays):
        return newcomer.lists(show.warehouse(night.config), night.config, plays)

    return of


def test_a_listener_of_the_night_who_comes_again_gets_about_the_same(night, listed):
    """All parts but ALS have the same bits; its vector is solved exactly here and nearly in the training."""
    heard, published = night.table("interactions"), night.table("recommendations")
    shared = []
    for user, rows in heard.groupby("user_id"):
        found = listed(dict(zip(rows["track_id"], rows["plays"], strict=True))).rows.to_pandas()
        for name in ("for_you", "discover"):
            mine = found[found["list"] == name].sort_values("rank")["track_id"]
            theirs = published[(published["user_id"] == user) & (published["list"] == name)]
            due = theirs.sort_values("rank")["track_id"]
            assert len(mine) == len(due)
            shared.append(len(set(mine[:5]) & set(due[:5])))
    assert np.mean(shared) > 4


def test_two_plays_tell_a_taste(night, listed):
    """Tracks 20 to 39 are one taste of three; who plays two of them gets more."""
    rows = listed({"t20": 3, "t22": 1}).rows.to_pandas()
    best = rows[rows["list"] == "for_you"].sort_values("rank")
    assert best["rank"].tolist() == list(range(1, 11))
    assert not {"t20", "t22"} & set(rows["track_id"])
    assert sum(20 <= int(track[1:]) < 40 for track in best["track_id"][:5]) >= 4
    assert "popularity" not in set(best["source"][:5])
    assert set(rows["because_track_id"].dropna()) <= {"t20", "t22"}


def test_what_nobody_knows_says_nothing(night, listed):
    """t62 is in the catalogue and unheard: it is known to be had, and is not listed."""
    found = listed({"t62": 1, "nothing": 2})
    assert found.unknown == ["t62", "nothing"]
    rows = found.rows.to_pandas()
    assert set(rows["source"]) <= {"popularity", "catalogue"}
    assert "t62" not in set(rows["track_id"])
    items = night.table("items").sort_values(["interactions", "item_index"], ascending=[False, True])
    best = rows[rows["list"] == "for_you"].sort_values("rank")["track_id"].tolist()
    assert best == items["track_id"].tolist()[:10]


@pytest.mark.parametrize("plays", [0, -1, float("nan"), float("inf")])
def test_a_number_of_plays_is_above_zero(listed, plays):
    with pytest.raises(InputError, match="t01: plays > 0 are due"):
        listed({"t01": plays})


def test_from_python_and_from_the_command_line(night, capsys, tmp_path):
    settings = ["recommend.top_n=10"]
    rows = musai.recommend(["t20", "t22"], warehouse=night.config.warehouse.path, settings=settings)
    best = rows[rows["list"] == "for_you"].sort_values("rank")["track_id"].tolist()
    (tmp_path / "more.txt").write_text("t22\nnever heard of\n")
    words = ["recommend", "--tracks", "t20", "--file", str(tmp_path / "more.txt")]
    assert cli.main([*words, *settings, f"warehouse={night.config.warehouse.path}"]) == 0
    said = capsys.readouterr().out
    assert "never heard of" in said.splitlines()[0]
    lines = said[said.index("for_you") :].splitlines()[2:12]
    assert all(f"[{track}]" in line for track, line in zip(best, lines, strict=True))


def test_where_nothing_is_published(tmp_path):
    with pytest.raises(InputError, match="nothing is published yet"):
        musai.recommend(["t01"], warehouse=tmp_path / "empty")
    with pytest.raises(InputError, match="a local or mounted folder is due"):
        musai.recommend(["t01"], warehouse="s3a://bucket/warehouse")


def test_a_run_of_which_only_the_contracts_tables_are_left(night, tmp_path):
    """As `musai forget` writes it."""
    root = tmp_path / "warehouse"
    shutil.copytree(night.config.warehouse.path, root)
    run_id = json.loads((root / "_published.json").read_text())["run_id"]
    shutil.rmtree(root / "_nights" / run_id / "als_factors")
    with pytest.raises(InputError, match="lacks als_factors; the next night makes them"):
        musai.recommend(["t01"], warehouse=root)
