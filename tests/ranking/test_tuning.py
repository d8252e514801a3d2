"""The tuner on matrices whose best settings and weights are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

from musai import config
from musai.ranking import tuning


def settings(**changes: object) -> config.Config:
    chosen = {"minutes": 0, "trials": 1, "k": 5, **changes}
    small = ["factorization.factors=8", "factorization.device=cpu", "factorization.regularization=1"]
    return config.load([], [*small, *(f"tuning.{key}={value}" for key, value in chosen.items())])


@pytest.fixture(scope="module")
def split() -> tuple[sp.csr_matrix, tuning.Held]:
    """120 listeners of three tastes over 60 tracks; two tracks of each listener are held out."""
    random = np.random.default_rng(0)
    dense = random.random((120, 60)) < np.where(np.arange(120)[:, None] % 3 == np.arange(60) % 3, 0.5, 0.03)
    users, items = (np.concatenate(part) for part in zip(*(
        (np.full(2, u), random.choice(np.flatnonzero(dense[u]), 2, replace=False)) for u in range(120)
    ), strict=True))  # fmt: skip
    dense[users, items] = False
    return sp.csr_matrix(dense.astype(np.float32)), tuning.held(users, items)


def test_the_first_trial_of_a_part_has_the_settings_at_hand_and_the_last_one_is_the_blend(split) -> None:
    trials = list(tuning.tune(*split, settings(), 1))
    assert [sorted(trial.settings) for trial in trials[:-1]] == [sorted(keys) for keys in tuning.SPACE.values()]
    assert trials[0].settings == {
        "similarity.user_exponent": 0.5, "similarity.track_exponent": 0.5, "similarity.similar_exponent": 0.3,
    }  # fmt: skip
    blend = trials[-1].settings["recommend.blend"]
    assert set(blend) == set(tuning.SPACE)
    assert sum(blend.values()) == pytest.approx(1, abs=0.002)
    assert trials[-1].value >= max(trial.value for trial in trials[:-1])
    assert settings().tuned(trials[-1].settings).recommend.blend == blend


def test_more_trials_find_better_settings_and_the_same_again(split) -> None:
    first, again = (list(tuning.tune(*split, settings(trials=6, minutes=5), 1)) for _ in range(2))
    assert len(first) == len(tuning.SPACE) * 6 + 1
    assert [(trial.settings, trial.value) for trial in first] == [(trial.settings, trial.value) for trial in again]
    assert first[-1].value >= list(tuning.tune(*split, settings(), 1))[-1].value
    of_als = [trial.value for trial in first[:-1] if "factorization.alpha" in trial.settings]
    assert max(of_als) > min(of_als)


def test_a_part_is_worth_its_ndcg_by_hand(split) -> None:
    matrix, held_out = split
    order = np.random.default_rng(1).random((120, 60)).astype(np.float32)
    found = tuning._ndcg(lambda users: order[users].copy(), matrix, held_out, 5)
    by_hand = []
    for user in range(120):
        free = [item for item in np.argsort(-order[user]) if not matrix[user, item]][:5]
        mine = set(held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]])
        gain = sum(1 / np.log2(rank + 2) for rank, item in enumerate(free) if item in mine)
        by_hand.append(gain / (1 + 1 / np.log2(3)))
    assert found == pytest.approx(np.mean(by_hand))


def test_a_part_that_only_harms_gets_no_weight_and_one_that_helps_some(split) -> None:
    matrix, held_out = split
    good = tuning.fitted("cooccurrence", matrix, settings(), 1)
    truth = np.zeros(matrix.shape, np.float32)
    for user, (start, end) in enumerate(zip(held_out.indptr[:-1], held_out.indptr[1:], strict=True)):
        truth[user, held_out.indices[start:end]] = -1
    harm = tuning.Trial({}, 0.0, 0.0)
    best = {"good": (tuning.Trial({}, 0.9, 0.0), good), "harm": (harm, lambda users: truth[users])}
    assert tuning._blended(best, matrix, held_out, 5).settings["recommend.blend"] == {"good": 1.0, "harm": 0.0}
    best["harm"] = harm, lambda users: -truth[users]
    helped = tuning._blended(best, matrix, held_out, 5)
    assert helped.settings["recommend.blend"]["harm"] > 0.2
    assert helped.value > 0.99


def test_ascent_climbs_a_hill() -> None:
    top = np.array([0.2, 0.5, 0.3])
    weights, reached = tuning.ascent(lambda w: -float(((w / w.sum() - top) ** 2).sum()), np.array([0.1, 0.3, 0.2]))
    np.testing.assert_allclose(weights, top, atol=0.06)
    assert reached > -0.005


def test_the_table_of_trials_is_what_was_tried(split, tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    matrix, held_out = split
    coo = matrix.tocoo()
    columns = {"user_index": coo.row.astype(np.int32), "item_index": coo.col.astype(np.int32), "weight": coo.data}
    pq.write_table(pa.table(columns), tmp_path / "part-0.parquet")
    (batch,) = tuning.batches(str(tmp_path), matrix.shape, held_out, settings(), 1)
    rows = batch.to_pylist()
    assert [row["trial"] for row in rows] == list(range(1, len(tuning.SPACE) + 2))
    assert {row["metric"] for row in rows} == {"ndcg@5"}
    assert "recommend.blend" in json.loads(rows[-1]["settings"])
