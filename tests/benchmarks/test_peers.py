"""The comparison with peers: what is held out, how it is measured, how a budget ends, what is pinned."""

import json
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from musai.ranking import heldout
from tests.benchmarks import peak, peers, splits
from tests.benchmarks.peer_runners import search


def random_matrix(users: int, items: int, share: float) -> sp.csr_matrix:
    return sp.csr_matrix(np.random.default_rng(7).random((users, items)) < share, dtype=np.float32)


def test_a_fifth_of_every_listener_of_five_tracks_is_held_out_by_seed() -> None:
    matrix = random_matrix(200, 40, 0.2)
    train, held = search.hold_out(matrix)
    assert (train + held != matrix).nnz == 0
    assert train.multiply(held).nnz == 0
    tracks, out = np.diff(matrix.indptr), np.diff(held.indptr)
    np.testing.assert_array_equal(out, np.where(tracks < 5, 0, np.maximum(1, tracks // 5)))
    assert (search.hold_out(matrix)[1] != held).nnz == 0
    assert (search.hold_out(matrix, seed=1)[1] != held).nnz > 0


def test_ndcg_is_that_of_our_own_tuning() -> None:
    held = random_matrix(50, 30, 0.2)
    held = held[np.flatnonzero(np.diff(held.indptr))]
    scores = np.random.default_rng(8).random((held.shape[0], 30))
    scores[:, 12:] = -np.inf
    tops, _ = search.best_of(scores, 20)
    rows, columns = held.nonzero()
    ours = heldout.ndcg(tops, heldout.held(rows, columns), slice(0, held.shape[0]), 20)
    assert search.ndcg(tops, held) == pytest.approx(ours.mean())


def test_lists_from_pairs_in_any_order() -> None:
    users, items = np.array([9, 4, 9, 4, 4]), np.array([3, 1, 5, 2, 0])
    tops, scores = search.from_rows(np.array([4, 7, 9]), users, items, np.array([0.5, 0.1, 0.9, 0.3, 0.2]), 2)
    assert tops.tolist() == [[2, 0], [-1, -1], [5, 3]]
    assert scores[0].tolist() == [0.3, 0.2]


def test_tuning_tries_defaults_first_and_fit_writes_the_lists_of_the_best(tmp_path: pathlib.Path) -> None:
    matrix = random_matrix(30, 20, 0.4)
    rows, columns = matrix.nonzero()
    train = tmp_path / "train.csv"
    pairs = zip(rows, columns, strict=True)
    train.write_text("user_id,track_id\n" + "".join(f"u{row},0{column}\n" for row, column in pairs))

    def top(
        model: str, settings: search.Settings, known: sp.csr_matrix, users: np.ndarray, k: int, threads: int
    ) -> search.Top:
        if model == "broken":
            raise ValueError("diverged")
        scores = np.asarray(known.sum(axis=0)).ravel() * settings["sign"] - 1e6 * known[users].toarray()
        scores[known[users].toarray() > 0] = -np.inf
        time.sleep(0.02)
        return search.best_of(scores, k)

    peer = search.Peer({"broken": {}, "popular": {"sign": [1, -1]}, "dense": {"sign": [1]}}, top, frozenset({"dense"}))
    assert peer.models_for(search.DENSE_ITEMS + 1) == ["broken", "popular"]
    search.tune(peer, train, tmp_path, k=5, threads=1, minutes=0.02)
    tried = search.trials(tmp_path)
    assert [trial["model"] for trial in tried[:3]] == ["broken", "popular", "dense"]
    assert tried[0]["ndcg"] == 0 < tried[1]["ndcg"]
    (tmp_path / search.BEST).write_text(json.dumps(tried[1]))
    search.fit(peer, train, tmp_path, k=5, threads=1)
    lists = pq.read_table(tmp_path / search.LISTS).to_pandas()
    assert set(lists.columns) == {"user_id", "track_id", "rank", "score", "list"}
    assert lists.groupby("user_id")["rank"].agg(list).map(lambda ranks: ranks == list(range(1, len(ranks) + 1))).all()
    known = {(f"u{row}", f"0{column}") for row, column in zip(rows, columns, strict=True)}
    assert not known & set(zip(lists["user_id"], lists["track_id"], strict=True))


def test_a_command_is_killed_with_its_children_when_its_time_is_up(tmp_path: pathlib.Path) -> None:
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    seconds, _, status = peak.measured([sys.executable, "-c", parent], subprocess.DEVNULL, every_s=0.1, limit_s=2)
    assert status == -9
    assert 2 <= seconds < 20
    process = pathlib.Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    assert not process.exists() or process.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.parametrize("peer", peers.PEERS)
def test_every_package_of_a_peer_is_pinned_by_hash(peer: str) -> None:
    entries = (peers.RUNNERS / f"{peer}.txt").read_text().replace("\\\n", " ").splitlines()
    form = re.compile(r"[a-z0-9-]+==[\w.!+]+(\s+--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in entries if not form.fullmatch(entry)] == []
    asked = [line.split("[")[0].split("=")[0] for line in (peers.RUNNERS / f"{peer}.in").read_text().splitlines()]
    assert peers.PEERS[peer] in asked
    assert re.fullmatch(r"[\d.]+", peers.version(peer))


def test_a_sitting_goes_on_where_it_was_and_a_failed_stage_keeps_no_row(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = tmp_path / "data/interactions/gowalla_m1"
    split.mkdir(parents=True)
    (split / "train.txt").write_text("0 1 2\n")
    monkeypatch.setattr(splits, "SHARED", tmp_path)
    monkeypatch.setattr(splits, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(splits, "score", lambda *_: (0.25, 0.5))
    done, fails = [], {"fit": 1}

    def run(peer: str, command: str, folder: pathlib.Path, settings: list[str], limit_s: float) -> dict[str, float]:
        done.append(command)
        if command == "tune":
            trials = [{"model": "als", "settings": {}, "ndcg": ndcg} for ndcg in (0.1, 0.3, 0.2)]
            (folder / search.TRIALS).write_text("".join(json.dumps(trial) + "\n" for trial in trials) + '{"mod')
        status = peers.KILLED if command == "tune" else fails.pop(command, 0)
        return {"seconds": 1.0, "gib": 0.5, "status": status}

    monkeypatch.setattr(peers, "_run", run)
    for _ in range(3):
        peers.compare("gowalla_m1", "implicit", 15, 2)
    assert done == ["tune", "fit", "fit"]
    first, *_, last = capsys.readouterr().out.split("implicit 0.7.3, fit and lists")
    assert "3 trials; als {}: 0.3000" in first
    assert "recall 0.2500  NDCG 0.5000" in last
    assert json.loads((tmp_path / "kept/gowalla_m1/implicit" / search.BEST).read_text())["ndcg"] == 0.3
    peers.compare("gowalla_m1", "implicit", 1, 2)
    assert done[3:] == ["tune", "fit"]
