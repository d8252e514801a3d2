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
from musai.ranking import journal as journal_module
from musai.ranking.journal import Journal
from musai.similarity import neighbours

SEARCHED = {"cooccurrence", "linear", "als", "low_pass", "user_knn", "contrastive"}  # with the defaults
CONTRASTIVE = {"device": "cpu", "threads": 1, "factors": 32, "epochs": 5}


def settings(*by_hand: str, **changes: object) -> config.Config:
    chosen = {"minutes": 0, "trials": 1, "k": 5, **changes}
    small = {"factorization.factors": 8, "factorization.device": "cpu", "factorization.regularization": 1}
    small |= {f"similarity.contrastive_{key}": value for key, value in CONTRASTIVE.items()}
    return config.load([], [*by_hand, *(f"tuning.{key}={value}" for key, value in chosen.items())]).having(small)


@pytest.fixture(scope="module")
def split() -> tuple[sp.csr_matrix, heldout.Held, heldout.Held]:
    """160 listeners of three tastes over 60 tracks, of whom 40 judge; two tracks of each listener are held out."""
    random = np.random.default_rng(0)
    dense = random.random((160, 60)) < np.where(np.arange(160)[:, None] % 3 == np.arange(60) % 3, 0.5, 0.03)
    users, items = (np.concatenate(part) for part in zip(*(
        (np.full(2, u), random.choice(np.flatnonzero(dense[u]), 2, replace=False)) for u in range(160)
    ), strict=True))  # fmt: skip
    dense[users, items] = False
    known = heldout.held(users, items)
    searching = known.users < 120
    return sp.csr_matrix(dense.astype(np.float32)), known.of(searching), known.of(~searching)


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(str(tmp_path / "trials"))


def told(trials: list[tuning.Trial]) -> list[tuning.Trial]:
    """Without what differs from run to run."""
    return [dataclasses.replace(trial, seconds=0) for trial in trials]


def test_the_first_trial_of_a_part_has_the_settings_at_hand_and_the_last_one_is_the_blend(split, journal) -> None:
    *tried, found, _, _ = tuning.tune(*split, settings(), 1, journal)
    searched = {part: keys for part, keys in parts.SPACE.items() if part in SEARCHED}
    assert [(trial.part, sorted(trial.settings)) for trial in tried] == [
        (part, sorted(keys)) for part, keys in searched.items()
    ]
    assert tried[0].settings == {
        "similarity.user_exponent": 0.5, "similarity.track_exponent": 0.5, "similarity.similar_exponent": 0.3,
    }  # fmt: skip
    blend = found.settings["recommend.blend"]
    assert set(blend) == SEARCHED
    assert sum(blend.values()) == pytest.approx(1, abs=0.003)
    assert found.value >= max(trial.value for trial in tried)
    assert settings().tuned(found.settings).recommend.blend == blend


@pytest.fixture
def in_favour(split, monkeypatch) -> None:
    """Parts that are worth more the lower their regularization or the more factors: what is at hand can be beaten."""
    matrix, held_out, judges = split
    truth = np.zeros(matrix.shape, np.float32)
    for known in (held_out, judges):
        truth[np.repeat(known.users, known.counts), known.indices] = 1
    noise = np.random.default_rng(0).random(matrix.shape).astype(np.float32)

    def fitted(part: str, matrix: object, config: config.Config, threads: int) -> heldout.Scores:
        share = np.float32(config.factorization.alpha / 25)
        return lambda users: noise[users] + share * truth[users]

    monkeypatch.setattr(parts, "fitted", fitted)


@pytest.mark.usefixtures("in_favour")
def test_what_was_found_wins_where_other_listeners_bear_it_out(split, journal) -> None:
    ours = settings("recommend.blend={als: 1}", trials=8, minutes=5).having({"factorization.alpha": 2.5})
    *_, found, other, winner = tuning.tune(*split, ours, 1, journal)
    assert winner.settings == found.settings
    assert (other.settings["factorization.alpha"], winner.judged, winner.users) == (2.5, True, 40)
    assert winner.value > other.value


def test_luck_does_not_win(split, journal, monkeypatch) -> None:
    """Trials that differ by chance alone: the best of them is no better on other listeners."""
    draws = np.random.default_rng(1)

    def fitted(*_: object) -> heldout.Scores:
        scores = draws.random(split[0].shape).astype(np.float32)
        return lambda users: scores[users].copy()

    monkeypatch.setattr(parts, "fitted", fitted)
    ours = settings("similarity.track_methods=[cooccurrence, linear]", trials=6, minutes=5)
    *tried, found, other, winner = tuning.tune(*split, ours, 1, journal)
    assert found.value > tried[0].value
    assert other.settings == found.settings
    assert winner.settings == parts.in_use(ours)
    assert winner.settings["recommend.blend"] == ours.recommend.blend


def test_a_blend_by_hand_is_measured_as_it_was_given(split, journal) -> None:
    matrix, held_out, judges = split
    ours = settings("recommend.blend={als: 0.5, user_knn: 0.5}")
    *_, found, _, winner = tuning.tune(*split, ours, 1, journal)
    assert found.settings["recommend.blend"] == winner.settings["recommend.blend"] == {"als": 0.5, "user_knn": 0.5}
    for trial, known in ((found, held_out), (winner, judges)):
        used = ours.tuned(trial.settings)
        fits = [parts.fitted(part, matrix, used, 1) for part in used.recommend.blend]
        values = blending.ndcg(*blending.candidates(fits, matrix, known), np.array([0.5, 0.5]), known, 5)
        assert trial.value == pytest.approx(values.mean(), abs=1e-6)


@pytest.mark.parametrize("blend", ["{mood: 1}", "{mean_centred: 1}"])
def test_without_a_part_that_can_be_tuned_there_is_no_trial(split, journal, blend: str) -> None:
    ours = settings(f"recommend.blend={blend}", "similarity.track_methods=[mean_centred]")
    assert list(tuning.tune(*split, ours, 1, journal)) == []


def test_candidates_are_searched_only_where_linear_has_them() -> None:
    ours = settings("similarity.linear_exact_tracks=500")
    assert "similarity.linear_candidates" in parts.tunable(ours, 501)["linear"]
    assert "similarity.linear_candidates" not in parts.tunable(ours, 500)["linear"]


def test_many_factors_are_tried_first_as_far_as_the_minutes_bear_it(split, journal) -> None:
    ours = settings("recommend.blend={als: 1}", trials=3, minutes=5)
    first, second, *_ = tuning.tune(*split, ours, 1, journal)
    widest = min(split[0].shape)
    assert first.settings["factorization.factors"] == 16, "what is at hand, within the bounds"
    assert second.settings == {**first.settings, "factorization.factors": widest}


def test_factors_are_bounded_by_the_time_of_the_first_trial() -> None:
    space, hand = parts.SPACE["als"], {"factorization.factors": 100}
    bounds = {
        (seconds, longest, rank): parts.affordable(space, hand, seconds, longest, rank)["factorization.factors"][1]
        for seconds, longest, rank in ((1.0, 25.0, 5000), (1.0, 900.0, 5000), (1.0, 25.0, 300), (10.0, 5.0, 5000))
    }
    assert list(bounds.values()) == [500, 1024, 300, 100]
    assert parts.affordable(parts.SPACE["bm25"], {}, 1.0, 25.0, 300) == parts.SPACE["bm25"]


def test_methods_are_tuned_where_the_night_has_them(split, journal) -> None:
    methods = "[cosine, tfidf, bm25, rp3beta]"
    asked = settings(f"similarity.track_methods={methods}", "recommend.blend={als: 1, bm25: 1, rp3beta: 1, cosine: 1}")
    assert parts.tunable(asked)["bm25"].keys() == {"similarity.bm25_k1", "similarity.bm25_b"}
    assert parts.tunable(asked)["rp3beta"].keys() == {"similarity.rp3_alpha", "similarity.rp3_beta"}
    assert parts.tunable(asked)["cosine"] == {}
    assert "tfidf" not in parts.tunable(asked), "nothing of it is searched, and the blend leaves it out"
    alone = settings(f"similarity.track_methods={methods}", "recommend.blend={cosine: 1}")
    (only, blend, other, winner) = tuning.tune(*split, alone, 1, journal)
    assert (only.part, only.settings, blend.value) == ("cosine", {}, only.value)
    assert winner.settings == other.settings == {"recommend.blend": {"cosine": 1.0}}


@pytest.mark.parametrize("method", ["cosine", "tfidf", "bm25", "rp3beta"])
def test_a_method_that_hears_weights_scores_with_them_as_the_nights_do(split, method: str) -> None:
    weighted = split[0].copy()
    weighted.data[:] = np.random.default_rng(3).integers(1, 9, weighted.nnz)
    scores = parts.fitted(method, weighted, settings(), 1)(np.array([4]))[0]
    near = neighbours.nearest(weighted, method, settings().similarity, 1, 300)
    due = np.zeros(60)
    for item, weight in zip(weighted[4].indices, weighted[4].data, strict=True):
        there = near.indices[item] >= 0
        due[near.indices[item][there]] += weight * near.scores[item][there]
    np.testing.assert_allclose(scores, due, rtol=1e-5)


def test_for_mllib_als_is_fitted_with_its_regularization(split) -> None:
    ours = settings("factorization.backend=spark", "factorization.warm_iterations=null")
    assert "factorization.regularization_exponent" in parts.tunable(settings())["als"]
    assert "factorization.regularization_exponent" not in parts.tunable(ours)["als"]
    users = np.arange(20)
    whole = settings().having({"factorization.regularization_exponent": 1.0})
    np.testing.assert_array_equal(
        parts.fitted("als", split[0], ours, 1)(users), parts.fitted("als", split[0], whole, 1)(users)
    )


def test_two_searches_may_write_one_entry(journal, monkeypatch) -> None:
    """While one writes, another writes the same entry and moves it away."""
    real = journal_module.file_system

    class Slow:
        def __init__(self, system: object) -> None:
            self.system = system

        def __getattr__(self, name: str) -> object:
            return getattr(self.system, name)

        def move(self, *names: str) -> None:
            monkeypatch.setattr(journal_module, "file_system", real)
            journal.add(3, {"by": "another"})
            self.system.move(*names)

    monkeypatch.setattr(journal_module, "file_system", lambda uri: (Slow(real(uri)[0]), real(uri)[1]))
    journal.add(3, {"by": "one"})
    assert journal.entries() == [{"by": "one"}]


def test_more_trials_find_better_settings_and_a_broken_off_search_goes_on_to_the_same(split, journal, tmp_path) -> None:
    many = settings(trials=5, minutes=5)
    whole = list(tuning.tune(*split, many, 1, journal))
    for one in tuning.tune(*split, settings(), 1, Journal(str(tmp_path / "other"))):
        assert max(trial.value for trial in whole if trial.part == one.part) >= one.value or not one.part
    assert whole[-3].value >= max(trial.value for trial in whole[:-3])
    of_als = [trial.value for trial in whole if trial.part == "als"]
    assert len(of_als) == 5
    assert max(of_als) > min(of_als)
    broken_off = Journal(str(tmp_path / "broken"))
    list(itertools.islice(tuning.tune(*split, many, 1, broken_off), 8))
    assert len(broken_off.entries()) == 8
    (tmp_path / "broken" / "000008.part").write_text("half a tri")
    assert told(list(tuning.tune(*split, many, 1, broken_off))) == told(whole)
    again = list(tuning.tune(*split, many, 1, journal))
    assert again[:-3] == whole[:-3], "nothing is tried twice"


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
    assert tried == ["als", "low_pass", "user_knn", "als", "als", "", "", ""]


def test_what_was_given_by_hand_is_not_searched(split, journal) -> None:
    ours = settings("factorization.alpha=4", "similarity.track_methods=[cooccurrence]", "recommend.blend={als: 1}")
    assert sorted(parts.tunable(ours)) == ["als"]
    trials = list(tuning.tune(*split, ours, 1, journal))
    assert set(trials[0].settings) == parts.SPACE["als"].keys() - {"factorization.alpha"}
    assert ours.tuned(trials[-3].settings).factorization.alpha == 4
    without_linear = settings("similarity.track_methods=[cooccurrence]", "recommend.blend.linear=0")
    assert sorted(parts.tunable(without_linear)) == ["als", "user_knn"]


def test_a_hopeless_trial_is_given_up(split, journal, monkeypatch) -> None:
    matrix, held_out, judges = split
    monkeypatch.setattr(heldout, "BLOCK", 10)
    truth = np.zeros(matrix.shape, np.float32)
    truth[np.repeat(held_out.users, held_out.counts), held_out.indices] = 1
    noise = np.random.default_rng(0).random(matrix.shape).astype(np.float32)
    fits = iter([truth, noise, noise, truth, truth])

    def fitted(*_: object) -> heldout.Scores:
        scores = next(fits)
        return lambda users: scores[users].copy()

    monkeypatch.setattr(parts, "fitted", fitted)
    low_pass = settings("recommend.blend={low_pass: 1}", trials=3, minutes=5)
    first, *hopeless, blend, _, _ = tuning.tune(matrix, held_out, judges, low_pass, 1, journal)
    assert first.value == 1.0
    assert first.users == 120
    assert all(10 < trial.users < 120 and trial.value < 0.5 for trial in hopeless)
    assert blend.settings == {**first.settings, "recommend.blend": {"low_pass": 1.0}}


def test_ndcg_by_hand(split) -> None:
    matrix, held_out, _ = split
    order = np.random.default_rng(1).random((160, 60)).astype(np.float32)
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
    matrix, held_out, _ = split
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

    matrix, held_out, judges = split
    coo = matrix.tocoo()
    columns = {"user_index": coo.row.astype(np.int32), "item_index": coo.col.astype(np.int32), "weight": coo.data}
    pq.write_table(pa.table(columns), tmp_path / "part-0.parquet")
    (batch,) = tuning.batches(str(tmp_path), matrix.shape, held_out, judges, settings(), str(tmp_path / "trials"), 1)
    rows = batch.to_pylist()
    assert [row["trial"] for row in rows] == list(range(1, len(SEARCHED) + 4))
    assert [row["metric"] for row in rows] == ["ndcg@5"] * (len(SEARCHED) + 1) + ["ndcg@5 of 40 other listeners"] * 2
    assert "recommend.blend" in json.loads(rows[-1]["settings"])


def test_a_third_of_the_listeners_judges(split) -> None:
    _, held_out, _ = split
    searching, judges = heldout.parted(held_out, 1000, 1)
    assert (len(searching.users), len(judges.users)) == (80, 40)
    together = heldout.held(
        *(np.concatenate(both) for both in (
            [np.repeat(part.users, part.counts) for part in (searching, judges)], [searching.indices, judges.indices],
        ))
    )  # fmt: skip
    np.testing.assert_array_equal(together.users, held_out.users)
    np.testing.assert_array_equal(together.indices, held_out.indices)
    assert len(heldout.parted(held_out, 50, 1)[0].users) == 50
