"""The tuner on matrices whose best settings and weights are known."""

from __future__ import annotations

import dataclasses
import itertools
import json
import types

import numpy as np
import pytest
import scipy.sparse as sp

from musai import config
from musai.ranking import blending, heldout, parts, tuning
from musai.ranking.journal import Journal

CONTRASTIVE = {"device": "cpu", "threads": 1, "factors": 32, "epochs": 5}


def settings(*by_hand: str, **changes: object) -> config.Config:
    chosen = {"minutes": 0, "trials": 1, "k": 5, **changes}
    small = {"factorization.factors": 8, "factorization.device": "cpu", "factorization.regularization": 1}
    small |= {f"similarity.contrastive_{key}": value for key, value in CONTRASTIVE.items()}
    return config.load([], [*by_hand, *(f"tuning.{key}={value}" for key, value in chosen.items())]).having(small)


@pytest.fixture(scope="module")
def split() -> tuple[sp.csr_matrix, heldout.Held]:
    """120 listeners of three tastes over 60 tracks; two tracks of each listener are held out."""
    random = np.random.default_rng(0)
    dense = random.random((120, 60)) < np.where(np.arange(120)[:, None] % 3 == np.arange(60) % 3, 0.5, 0.03)
    users, items = (np.concatenate(part) for part in zip(*(
        (np.full(2, u), random.choice(np.flatnonzero(dense[u]), 2, replace=False)) for u in range(120)
    ), strict=True))  # fmt: skip
    dense[users, items] = False
    return sp.csr_matrix(dense.astype(np.float32)), heldout.held(users, items)


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(str(tmp_path / "trials"))


def told(trials: list[tuning.Trial]) -> list[tuning.Trial]:
    """Without what differs from run to run."""
    return [dataclasses.replace(trial, seconds=0) for trial in trials]


def test_the_first_trial_of_a_part_has_the_settings_at_hand_and_the_last_one_is_the_blend(split, journal) -> None:
    trials = list(tuning.tune(*split, settings(), 1, journal))
    assert [(trial.part, sorted(trial.settings)) for trial in trials[:-1]] == [
        (part, sorted(keys)) for part, keys in parts.SPACE.items()
    ]
    assert trials[0].settings == {
        "similarity.user_exponent": 0.5, "similarity.track_exponent": 0.5, "similarity.similar_exponent": 0.3,
    }  # fmt: skip
    blend = trials[-1].settings["recommend.blend"]
    assert set(blend) == set(parts.SPACE)
    assert sum(blend.values()) == pytest.approx(1, abs=0.003)
    assert trials[-1].value >= max(trial.value for trial in trials[:-1])
    assert settings().tuned(trials[-1].settings).recommend.blend == blend


def test_more_trials_find_better_settings_and_a_broken_off_search_goes_on_to_the_same(split, journal, tmp_path) -> None:
    many = settings(trials=5, minutes=5)
    whole = list(tuning.tune(*split, many, 1, journal))
    for one in tuning.tune(*split, settings(), 1, Journal(str(tmp_path / "other"))):
        assert max(trial.value for trial in whole if trial.part == one.part) >= one.value or not one.part
    assert whole[-1].value >= max(trial.value for trial in whole[:-1])
    of_als = [trial.value for trial in whole if trial.part == "als"]
    assert len(of_als) == 5
    assert max(of_als) > min(of_als)
    broken_off = Journal(str(tmp_path / "broken"))
    list(itertools.islice(tuning.tune(*split, many, 1, broken_off), 8))
    assert len(broken_off.entries()) == 8
    (tmp_path / "broken" / "000008.part").write_text("half a tri")
    assert told(list(tuning.tune(*split, many, 1, broken_off))) == told(whole)
    again = list(tuning.tune(*split, many, 1, journal))
    assert again[:-1] == whole[:-1], "nothing is tried twice"


def test_a_slow_part_leaves_time_to_the_others(split, journal, monkeypatch) -> None:
    """Of 300 seconds a trial of low_pass takes 90, so a second one is beyond its third; of user_knn all is given."""
    clock = [0.0]
    noise = np.random.default_rng(0).random(split[0].shape).astype(np.float32)

    def fitted(part: str, *_: object) -> heldout.Scores:
        clock[0] += 90 if part == "low_pass" else 1
        return lambda users: noise[users]

    monkeypatch.setattr(tuning, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(parts, "fitted", fitted)
    given = [f"{key}=1" for key in parts.SPACE["user_knn"]]
    ours = settings("recommend.blend={als: 1, low_pass: 1, user_knn: 1}", *given, trials=3, minutes=5)
    tried = [trial.part for trial in tuning.tune(*split, ours, 1, journal)]
    assert tried == ["als", "low_pass", "user_knn", "als", "als", ""]


def test_what_was_given_by_hand_is_not_searched(split, journal) -> None:
    ours = settings("factorization.alpha=4", "similarity.track_methods=[cooccurrence]", "recommend.blend={als: 1}")
    assert sorted(parts.tunable(ours)) == ["als"]
    trials = list(tuning.tune(*split, ours, 1, journal))
    assert set(trials[0].settings) == parts.SPACE["als"].keys() - {"factorization.alpha"}
    assert ours.tuned(trials[-1].settings).factorization.alpha == 4
    without_linear = settings("similarity.track_methods=[cooccurrence]", "recommend.blend.linear=0")
    assert sorted(parts.tunable(without_linear)) == ["als", "user_knn"]


def test_a_hopeless_trial_is_given_up(split, journal, monkeypatch) -> None:
    matrix, held_out = split
    monkeypatch.setattr(heldout, "BLOCK", 10)
    truth = np.zeros(matrix.shape, np.float32)
    truth[np.repeat(held_out.users, held_out.counts), held_out.indices] = 1
    noise = np.random.default_rng(0).random(matrix.shape).astype(np.float32)
    fits = iter([truth, noise, noise, truth])

    def fitted(*_: object) -> heldout.Scores:
        scores = next(fits)
        return lambda users: scores[users].copy()

    monkeypatch.setattr(parts, "fitted", fitted)
    low_pass = settings("recommend.blend={low_pass: 1}", trials=3, minutes=5)
    first, *hopeless, blend = tuning.tune(matrix, held_out, low_pass, 1, journal)
    assert first.value == 1.0
    assert first.users == 120
    assert all(10 < trial.users < 120 and trial.value < 0.5 for trial in hopeless)
    assert blend.settings == {**first.settings, "recommend.blend": {"low_pass": 1.0}}


def test_ndcg_by_hand(split) -> None:
    matrix, held_out = split
    order = np.random.default_rng(1).random((120, 60)).astype(np.float32)
    block = slice(30, 60)
    users = held_out.users[block]
    found = heldout.ndcg(heldout.best(heldout.masked(order[users], matrix, users), 5), held_out, block, 5)
    by_hand = []
    for user in users:
        free = [item for item in np.argsort(-order[user]) if not matrix[user, item]][:5]
        mine = set(held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]])
        gain = sum(1 / np.log2(rank + 2) for rank, item in enumerate(free) if item in mine)
        by_hand.append(gain / (1 + 1 / np.log2(3)))
    np.testing.assert_allclose(found, by_hand)


def test_a_part_that_only_harms_gets_no_weight_and_one_that_helps_some(split) -> None:
    matrix, held_out = split
    good = parts.fitted("cooccurrence", matrix, settings(), 1)
    truth = np.zeros(matrix.shape, np.float32)
    truth[np.repeat(held_out.users, held_out.counts), held_out.indices] = 1
    weights, alone = blending.learned([good, lambda users: -truth[users]], matrix, held_out, 5)
    assert list(weights) == [1.0, 0.0]
    noise = np.random.default_rng(2).random(matrix.shape).astype(np.float32)
    weights, reached = blending.learned([good, lambda users: truth[users] + noise[users]], matrix, held_out, 5)
    assert weights[1] > 0.2
    assert reached > alone + 0.1


def test_ascent_climbs_a_hill() -> None:
    top = np.array([0.2, 0.5, 0.3])
    weights, reached = blending.ascent(lambda w: -float(((w / w.sum() - top) ** 2).sum()), 3)
    np.testing.assert_allclose(weights, top, atol=0.06)
    assert reached > -0.005


def test_the_table_of_trials_is_what_was_tried(split, tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    matrix, held_out = split
    coo = matrix.tocoo()
    columns = {"user_index": coo.row.astype(np.int32), "item_index": coo.col.astype(np.int32), "weight": coo.data}
    pq.write_table(pa.table(columns), tmp_path / "part-0.parquet")
    (batch,) = tuning.batches(str(tmp_path), matrix.shape, held_out, settings(), str(tmp_path / "trials"), 1)
    rows = batch.to_pylist()
    assert [row["trial"] for row in rows] == list(range(1, len(parts.SPACE) + 2))
    assert {row["metric"] for row in rows} == {"ndcg@5"}
    assert "recommend.blend" in json.loads(rows[-1]["settings"])
