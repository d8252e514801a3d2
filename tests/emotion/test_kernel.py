"""The kernel head learns a smooth truth."""

from __future__ import annotations

import numpy as np
import pytest

from musai.emotion import kernel


def test_it_learns_what_the_embeddings_hold() -> None:
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(300, 6))
    targets = np.tanh(embeddings[:, :2])
    head = kernel.fit(embeddings[:200], targets[:200])
    found = head.read(embeddings[200:])
    for axis in range(2):
        assert np.corrcoef(found[:, axis], targets[200:, axis])[0, 1] > 0.9
    shuffled = kernel.fit(embeddings[:200], rng.permutation(targets[:200])).read(embeddings[200:])
    assert abs(np.corrcoef(shuffled[:, 0], targets[200:, 0])[0, 1]) < 0.3


def test_it_learns_from_two_networks_what_neither_hears_alone() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(240, 4)), rng.normal(size=(240, 9))
    targets = (np.tanh(first[:, 0]) - np.tanh(second[:, 0]))[:, None]

    def missed(embeddings: np.ndarray, sizes: list[int]) -> float:
        head = kernel.fit(embeddings[:160], targets[:160], sizes)
        assert [head.known[:, :4].shape, len(head.scales)] == [(160, 4), len(sizes)]
        return float(np.mean((head.read(embeddings[160:]) - targets[160:]) ** 2))

    together = missed(np.hstack([first, second]), [4, 9])
    assert together < 0.6 * min(missed(first, [4]), missed(second, [9]))


def test_one_target_without_any_truth_leaves_the_other_alone() -> None:
    """The ridge is chosen for each: what is noise is told by the mean."""
    rng = np.random.default_rng(4)
    embeddings = rng.normal(size=(200, 3))
    truth, noise = np.sin(embeddings[:, 0]), rng.normal(size=200)
    found = kernel.fit(embeddings[:150], np.stack([truth, noise], axis=1)[:150]).read(embeddings[150:])
    assert np.corrcoef(found[:, 0], truth[150:])[0, 1] > 0.9
    assert found[:, 1].std() < 0.4 * noise.std()


def test_the_error_it_chooses_by_is_that_of_leaving_each_track_out() -> None:
    rng = np.random.default_rng(5)
    alike = np.exp(-kernel.squared_distances(*(2 * [rng.normal(size=(12, 2))])))
    targets = rng.normal(size=(12, 1))
    targets -= targets.mean()
    told, _ = kernel._ridge(alike, targets)

    def without_one(ridge: float) -> float:
        missed = []
        for n in range(12):
            rest = np.delete(np.arange(12), n)
            bordered = np.pad(alike[np.ix_(rest, rest)] + ridge * np.eye(11), (0, 1), constant_values=1)
            bordered[-1, -1] = 0  # the weights add up to 0, and what is left is the offset
            weights = np.linalg.solve(bordered, np.append(targets[rest, 0], 0))
            missed.append(alike[n, rest] @ weights[:-1] + weights[-1] - targets[n, 0])
        return float(np.mean(np.square(missed)))

    assert told == pytest.approx(min(without_one(ridge) for ridge in kernel.RIDGES))


def test_targets_without_spread_are_told_as_they_are() -> None:
    head = kernel.fit(np.random.default_rng(2).normal(size=(20, 3)), np.tile([0.25, -0.5], (20, 1)))
    assert head.read(np.full((1, 3), 1e3))[0] == pytest.approx([0.25, -0.5])


def test_a_part_that_never_varied_says_nothing() -> None:
    """Not even when it varies later, nor by rounding when the head is stored."""
    rng = np.random.default_rng(6)
    embeddings = np.hstack([rng.normal(size=(60, 3)), np.full((60, 2), 0.8123456789)])
    targets = np.tanh(embeddings[:, :1])
    head = kernel.fit(embeddings, targets, [3, 2])
    again = kernel.KernelHead.of(*head.packed())
    assert again.read(embeddings) == pytest.approx(targets, abs=0.15)
    assert again.read(embeddings) == pytest.approx(head.read(embeddings), abs=1e-3)


def test_likeness_by_hand() -> None:
    near = kernel.squared_distances(np.zeros((1, 2)), np.array([[0, 0], [1, 1]]))
    assert kernel.likeness([near], [2.0]) == pytest.approx(np.array([[1, np.exp(-1)]]))
    assert kernel.likeness([near, near], [2.0, 4.0]) == pytest.approx(np.array([[1, (np.exp(-1) + np.exp(-0.5)) / 2]]))
