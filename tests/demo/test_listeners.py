"""The simulated listeners: the same each time, as the README says they are, with tastes that can be learnt."""

import collections

import numpy as np
import pytest

from musai.demo import listeners
from musai.demo.catalogue import read_manifest

TUNES = read_manifest()


@pytest.fixture(scope="module")
def events():
    return listeners.simulate(TUNES)


def test_the_same_seed_gives_the_same_events(events):
    assert listeners.simulate(TUNES) == events
    assert listeners.simulate(TUNES, seed=1) != events


def test_times_and_counts(events):
    seconds = [event.second for event in events]
    assert seconds == sorted(seconds)
    assert 0 <= seconds[0] < 86400  # the first day
    assert (listeners.DAYS - 1) * 86400 <= seconds[-1] < listeners.DAYS * 86400  # the last
    per_listener = collections.Counter(event.user_id for event in events)
    assert set(per_listener) == set(listeners.user_ids())
    assert len(per_listener) == listeners.LISTENERS == 400
    assert sum(count <= 3 for count in per_listener.values()) == listeners.BRIEF_LISTENERS
    assert 10_000 <= len(events) <= 30_000
    assert {event.event for event in events} == {"play", "like", "skip"}
    assert {event.plays for event in events if event.event != "play"} == {1}
    assert {event.plays for event in events} == {1, 2, 3}


def test_ids_in_other_scripts():
    ids = listeners.user_ids()
    assert len(set(ids)) == len(ids)
    assert ids[0] == "listener-0001"
    assert ids[11] == "聆听者-12"
    assert sum(not user_id.startswith("listener-") for user_id in ids) == len(listeners.OTHER_SCRIPTS)


def test_new_releases_and_late_tunes(events):
    heard = {event.track for event in events}
    assert len(TUNES) - len(heard) == listeners.SILENT_TUNES
    first: dict[int, int] = {}
    for event in events:
        first.setdefault(event.track, event.second // 86400)
    assert sum(day >= 20 for day in first.values()) >= listeners.LATE_TUNES


def test_popularity_is_skewed_and_chorales_rise(events):
    plays = np.sort(np.bincount([event.track for event in events], minlength=len(TUNES)))[::-1]
    assert plays[: len(TUNES) // 10].sum() > 0.3 * plays.sum()

    def share(genre: str, early: bool) -> float:
        own = [event for event in events if (event.second < 30 * 86400) == early]
        return sum(TUNES[event.track].genre == genre for event in own) / len(own)

    assert share("chorale", early=False) > 1.15 * share("chorale", early=True)
    assert share("march", early=False) < 0.9 * share("march", early=True)


def test_tastes_can_be_learnt(events):
    """Recall@k on the last fifth of each listener's tunes: item neighbours against popularity."""
    history: dict[str, list[int]] = {}
    for event in events:
        if event.event != "skip" and event.track not in history.setdefault(event.user_id, []):
            history[event.user_id].append(event.track)
    cut = {user_id: tracks[: len(tracks) - len(tracks) // 5] for user_id, tracks in history.items()}
    X = np.zeros((len(history), len(TUNES)))
    for row, tracks in enumerate(cut.values()):
        X[row, tracks] = 1.0
    norms = np.maximum(np.linalg.norm(X, axis=0), 1e-9)
    S = (X / norms).T @ (X / norms)
    np.fill_diagonal(S, 0.0)

    def recall(scores: np.ndarray, k: int) -> float:
        top = np.argsort(-np.where(X > 0, -np.inf, scores), axis=1, kind="stable")[:, :k]
        held_out = [set(tracks[len(kept) :]) for tracks, kept in zip(history.values(), cut.values(), strict=True)]
        return float(np.mean([len(own & set(top[row])) / len(own) for row, own in enumerate(held_out) if own]))

    popularity = np.broadcast_to(X.sum(axis=0), X.shape)
    for k in (10, 20):
        assert recall(X @ S, k) > 1.3 * recall(popularity, k)
