"""How good ranked lists are: accuracy on held-out items, and what the lists are like.

Conventions, over one batch of users; every function is pure and keeps the order of the users it is given:
    recommended  int [users, k_max]   catalogue index at each rank, best first; shorter lists end in -1
    hits         bool [users, k_max]  whether the item at that rank was held out; padding is False
    held_out     int [users]          held-out items of each user, > 0
    listeners    int [items]          people who have the catalogue item in the training data
    exposure     int [items]          in how many lists the catalogue item stands; batches add up
    vectors      float [items, dim]   rows of length 1; a row of zeros says that the item has no vector
Per-user results are float64 [users], in 0 to 1 unless said, NaN where a list is too short to say. Ranks count from 1;
a cut `k` is at most k_max (pad with -1 to look further). Sources: recall, precision, MAP: Manning et al. 2008, ch. 8;
NDCG: Jarvelin & Kekalainen 2002; reciprocal rank: Voorhees 1999; novelty: Zhou et al. 2010; diversity: Ziegler et al.
2005; interval: Efron & Tibshirani 1993, ch. 13 (percentile bootstrap).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from musai.errors import InputError

ALL = "all"
LISTENER_GROUPS = ("light", "medium", "heavy")
UNIT_TOLERANCE = 1e-3  # how far a vector's squared length may lie from 1

Columns = dict[tuple[str, int], np.ndarray]  # (metric, k) -> float64 [users]; k = 0: no cut


@dataclass(frozen=True, slots=True)
class MetricRow:
    """The mean of one metric over `users` of a group, its interval, and the mean of a baseline if there is one."""

    metric: str
    k: int
    listeners: str
    value: float
    low: float | None
    high: float | None
    baseline: float | None
    users: int


def validate(hits: np.ndarray, held_out: np.ndarray | None = None, k: int = 1) -> None:
    """Raise InputError unless `hits`, `held_out` and the cut follow the conventions above."""
    shaped = hits.ndim == 2 and hits.dtype == np.bool_ and hits.shape[1] > 0
    _require(shaped, f"hits must be bool [users, k_max > 0], not {hits.dtype} {list(hits.shape)}")
    _require(1 <= k <= hits.shape[1], f"k must lie in 1 to {hits.shape[1]}, the width of the lists, not {k}")
    if held_out is not None:
        shaped = held_out.shape == hits.shape[:1] and np.issubdtype(held_out.dtype, np.integer)
        _require(shaped, f"held_out must be int [{len(hits)}], not {held_out.dtype} {list(held_out.shape)}")
        _require(held_out > 0, "has no held-out item: leave such users out")
        _require(hits.sum(axis=1) <= held_out, "has more hits than held-out items")


def validate_lists(recommended: np.ndarray, items: int | None = None) -> None:
    """Raise InputError unless `recommended` holds distinct catalogue indices (below `items`) and ends in -1s."""
    shaped = recommended.ndim == 2 and np.issubdtype(recommended.dtype, np.signedinteger) and recommended.shape[1] > 0
    _require(shaped, f"recommended must be int [users, k_max > 0], not {recommended.dtype} {list(recommended.shape)}")
    ordered, shown = np.sort(recommended, axis=1), recommended >= 0
    _require(ordered[:, 0] >= -1, "is recommended an index below -1")
    _require((shown[:, :-1] | ~shown[:, 1:]).all(axis=1), "has an item after the padding")
    _require(((ordered[:, 1:] > ordered[:, :-1]) | (ordered[:, 1:] < 0)).all(axis=1), "is recommended one item twice")
    _require(items is None or ordered[:, -1] < items, f"is recommended an index beyond the catalogue of {items}")


def _require(holds: bool | np.bool | np.ndarray, fault: str) -> None:
    """`holds` is one bool, or one for each user (or whatever the fault then speaks of)."""
    if not np.all(holds):
        raise InputError(f"number {int(np.argmin(holds))} of the batch {fault}" if np.ndim(holds) else fault)


def hits_of(recommended: np.ndarray, indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """bool [users, k_max]: which recommended items are held out; user u holds out indices[indptr[u]:indptr[u + 1]]."""
    validate_lists(recommended)
    users, size = len(recommended), len(indices)
    spans = len(indptr) == users + 1 and indptr[0] == 0 and indptr[-1] == size and np.all(np.diff(indptr) >= 0)
    _require(spans, f"indptr must rise from 0 to {size} in {users + 1} entries")
    _require(indices.min(initial=0) >= 0, "indices of held-out items must not be negative")
    span = int(max(recommended.max(initial=0), indices.max(initial=0))) + 1  # user * span + item is unique
    truth = np.sort(np.repeat(np.arange(users), np.diff(indptr)) * span + indices)
    _require(np.all(truth[1:] > truth[:-1]), "a user has one item held out twice")
    wanted = np.arange(users)[:, None] * span + recommended
    return (np.append(truth, -1)[np.searchsorted(truth, wanted)] == wanted) & (recommended >= 0)


def recall_at(hits: np.ndarray, held_out: np.ndarray, k: int) -> np.ndarray:
    """Hits among the first k over the user's held-out items, so at most k / held_out."""
    validate(hits, held_out, k)
    return hits[:, :k].sum(axis=1) / held_out


def precision_at(hits: np.ndarray, k: int) -> np.ndarray:
    """Hits among the first k over k, however short the list."""
    validate(hits, k=k)
    return hits[:, :k].sum(axis=1) / k


def hit_rate_at(hits: np.ndarray, k: int) -> np.ndarray:
    """1 where any of the first k is a hit, else 0."""
    validate(hits, k=k)
    return hits[:, :k].max(axis=1).astype(np.float64)


def ndcg_at(hits: np.ndarray, held_out: np.ndarray, k: int) -> np.ndarray:
    """Sum over hits of 1 / log2(rank + 1), over that of a list with min(k, held_out) hits at its top."""
    validate(hits, held_out, k)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)[np.minimum(held_out, k) - 1]
    return np.cumsum(hits[:, :k] * discount, axis=1)[:, -1] / ideal  # both sum by rank: perfect is 1 exactly


def average_precision_at(hits: np.ndarray, held_out: np.ndarray, k: int) -> np.ndarray:
    """Precision at each hit's rank, summed, over min(k, held_out); its mean over users is MAP."""
    validate(hits, held_out, k)
    first = hits[:, :k]
    return (first.cumsum(axis=1) * first / np.arange(1, k + 1)).sum(axis=1) / np.minimum(held_out, k)


def reciprocal_rank(hits: np.ndarray) -> np.ndarray:
    """1 / rank of the first hit in the whole list, 0 without one; its mean over users is MRR."""
    validate(hits)
    return hits.any(axis=1) / (hits.argmax(axis=1) + 1)


def exposure_of(recommended: np.ndarray, items: int) -> np.ndarray:
    """int64 [items]: in how many lists each catalogue item stands."""
    validate_lists(recommended, items)
    return np.bincount(recommended[recommended >= 0], minlength=items)


def coverage(exposure: np.ndarray) -> float:
    """Share of the catalogue that stands in at least one list; NaN for an empty catalogue."""
    return float(np.mean(exposure > 0)) if len(exposure) else math.nan


def gini(exposure: np.ndarray) -> float:
    """0: every item is shown equally often; 1 - 1 / items: all slots go to one item. NaN if nothing is shown."""
    items, total = len(exposure), int(exposure.sum())
    weight = 2 * np.arange(1, items + 1) - items - 1  # of the items from the least to the most shown
    return float(weight @ np.sort(exposure) / (items * total)) if total else math.nan


def novelty(recommended: np.ndarray, listeners: np.ndarray, audience: int) -> np.ndarray:
    """Mean of -log2(listeners / audience people), in bits, over a list; unheard items count as heard by one."""
    _require(audience >= max(1, listeners.max(initial=0)), f"an item has more listeners than the audience, {audience}")
    return _list_means(-np.log2(np.maximum(listeners, 1) / audience), recommended)


def popularity_share(recommended: np.ndarray, listeners: np.ndarray, head: float = 0.1) -> np.ndarray:
    """Share of a user's list that goes to the ceil(head * items) items with most listeners; ties go by index."""
    _require(0 < head <= 1, f"head must be a share of the catalogue, above 0 and at most 1, not {head}")
    popular = np.argsort(-listeners.astype(np.int64), kind="stable")[: math.ceil(head * len(listeners) - 1e-9)]
    return _list_means(np.isin(np.arange(len(listeners)), popular).astype(np.float64), recommended)


def _list_means(of_item: np.ndarray, recommended: np.ndarray) -> np.ndarray:
    """Mean of float64 [items] over each list; NaN for an empty list."""
    validate_lists(recommended, len(of_item))
    length = (recommended >= 0).sum(axis=1)
    total = np.append(of_item, 0.0)[recommended].sum(axis=1)  # -1 picks the appended 0
    return np.where(length > 0, total / np.maximum(length, 1), np.nan)


def intra_list_diversity(recommended: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """1 - mean cosine over the pairs of a list, 0 to 2; items without a vector are left out, under two give NaN."""
    validate_lists(recommended, len(vectors))
    square = np.append(np.einsum("id,id->i", vectors, vectors, dtype=np.float64), 0.0)  # -1 picks the appended 0
    _require((np.abs(square - 1) <= UNIT_TOLERANCE) | (square == 0), "has a vector of neither length 1 nor 0")
    total = np.zeros((len(recommended), vectors.shape[1]))
    for column in recommended.T:
        total[column >= 0] += vectors[column[column >= 0]]
    count = (square[recommended] > 0).sum(axis=1)
    # The cosines of all ordered pairs add up to |sum of vectors|^2 - sum of |vector|^2: the work grows with k, not k^2.
    pairs = np.einsum("ud,ud->u", total, total) - square[recommended].sum(axis=1)
    return np.where(count > 1, np.clip(1 - pairs / np.maximum(count * (count - 1), 1), 0, 2), np.nan)


def listener_groups(history: np.ndarray) -> np.ndarray:
    """str [users]: the third of all users (give all, no batch) that a user's int `history` is in; equals share one."""
    _, value, count = np.unique(history, return_inverse=True, return_counts=True)
    doubled_rank = (2 * np.cumsum(count) - count)[value]  # twice the middle rank: 2 * users below + those equal
    third = (3 * doubled_rank >= 2 * len(history)).astype(int) + (3 * doubled_rank > 4 * len(history))
    return np.array(LISTENER_GROUPS)[third]


def bootstrap_interval(
    values: np.ndarray, confidence: float = 0.95, resamples: int = 1000, *, seed: int
) -> tuple[Any, Any]:
    """(low, high) of the mean of float64 [users], drawing users with replacement; two vectors for values [rows, users].

    For a paired difference give `values_a - values_b`. One order of users and one seed give one interval. Rows share
    their draws; memory is O(users + rows * resamples) beside them.
    """
    users = values.shape[-1]
    _require(users > 0 and np.isfinite(values).all(), "an interval needs at least one user and finite values")
    _require(0 < confidence < 1 and resamples > 0, "confidence must lie between 0 and 1, resamples above 0")
    random, means = np.random.default_rng(seed), np.empty((resamples, *values.shape[:-1]))
    for draw in range(resamples):  # counts are multinomial; einsum and not BLAS, whose threads change the last bits
        counts = np.bincount(random.integers(users, size=users), minlength=users).astype(np.float64)
        means[draw] = np.einsum("u,...u->...", counts, values) / users
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def accuracy(hits: np.ndarray, held_out: np.ndarray, ks: Sequence[int]) -> Columns:
    """Every accuracy metric at every cut."""
    both = {"recall": recall_at, "ndcg": ndcg_at, "map": average_precision_at}
    columns: Columns = {(name, k): metric(hits, held_out, k) for k in ks for name, metric in both.items()}
    alone = {"precision": precision_at, "hit_rate": hit_rate_at}
    columns |= {(name, k): metric(hits, k) for k in ks for name, metric in alone.items()}
    return columns | {("mrr", 0): reciprocal_rank(hits)}


def evaluate(
    columns: Columns,
    groups: np.ndarray | None = None,
    baseline: Columns | None = None,
    *,
    seed: int,
    resamples: int,
    confidence: float = 0.95,
) -> list[MetricRow]:
    """A row, with its interval, for each column and group with a value; users whose value is NaN are left out.

    `columns` as `accuracy` gives them, and beside them others, say `{("novelty", 20): novelty(...)}`; `groups` as
    `listener_groups` gives them; `baseline` the columns of a baseline for the same users.
    """
    baseline, by_group = baseline or {}, [] if groups is None else [groups]
    lengths = {len(values) for values in (*columns.values(), *baseline.values(), *by_group)}
    _require(len(lengths) <= 1, f"columns, groups and baseline must be of the same users, not of {sorted(lengths)}")
    _require(np.isin(by_group, LISTENER_GROUPS).ravel(), f"is in no group of {LISTENER_GROUPS}")
    alike: dict[bytes, list[tuple[str, int]]] = {}
    for key, values in columns.items():  # columns that know the same users share their draws
        alike.setdefault(np.isnan(values).tobytes(), []).append(key)
    rows = []
    for name in (ALL, *LISTENER_GROUPS) if by_group else (ALL,):
        for keys in alike.values():
            known = ~np.isnan(columns[keys[0]]) & (name == ALL or groups == name)
            if not known.any():
                continue
            stack = np.stack([columns[key][known] for key in keys])
            bounds = np.transpose(bootstrap_interval(stack, confidence, resamples, seed=seed)).tolist()
            for key, values, (low, high) in zip(keys, stack, bounds, strict=True):
                against = _mean(baseline[key][known]) if key in baseline else None
                rows.append(MetricRow(*key, name, _mean(values), low, high, against, len(values)))
    return rows


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN (else NaN), summed exactly, so that the order of users and batches cannot matter."""
    values = values[~np.isnan(values)]
    return math.fsum(values) / len(values) if len(values) else math.nan
