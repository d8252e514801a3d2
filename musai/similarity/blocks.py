"""What a Spark task of `spark.py` works out, Arrow in and Arrow out: products of a block of users, and their sums.

A partial product is a row (index int, left double, others list<int>, products list<long>): for item i = index the
other items j that share a user of the block with it, and y_i . y_j right_j `unit` over those users, rounded, so that
sums over blocks are exact whatever their order. `left` and `right` are the factors of `spark._factors`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.similarity.neighbours import NO_NEIGHBOUR, in_order, row_chunks, shared_to_weight, smallest, tie_breaks

CHUNK_PAIRS = 1 << 22  # pairs that are held before they are handed on: ~100 MB


@dataclass(frozen=True)
class _Rows:
    """Partial products: index int32 [n], left float64 [n], starts int64 [n + 1] into others int32, products int64."""

    index: np.ndarray
    left: np.ndarray
    starts: np.ndarray
    others: np.ndarray
    products: np.ndarray

    def part(self, start: int, end: int) -> "_Rows":
        low, high = self.starts[start], self.starts[end]
        starts = self.starts[start : end + 1] - low
        return _Rows(
            self.index[start:end], self.left[start:end], starts, self.others[low:high], self.products[low:high]
        )


def partial_products(batches: Iterator[pa.RecordBatch], unit: float) -> Iterator[pa.RecordBatch]:
    """Of the entries (u, i, y, left, right) of one block of users its partial products, a chunk of rows at a time."""
    table = pa.Table.from_batches(batches)
    _, users = np.unique(table["u"].to_numpy(), return_inverse=True)
    items, first, item = np.unique(table["i"].to_numpy(), return_index=True, return_inverse=True)
    left, right = table["left"].to_numpy()[first], table["right"].to_numpy()[first]
    rows = sp.csr_matrix((table["y"].to_numpy(), (users, item)))  # [users, items of the block], both ascending
    by_item = rows.T.tocsr()
    rows.data = rows.data * (right * unit)[rows.indices]
    for start, end in row_chunks(by_item, np.diff(rows.indptr), CHUNK_PAIRS):
        product = (by_item[start:end] @ rows).tocsr()
        value = np.rint(product.data).astype(np.int64)
        row = np.repeat(np.arange(end - start), np.diff(product.indptr))
        keep = (value != 0) & (product.indices != row + start)
        lengths = np.bincount(row[keep], minlength=end - start)
        some = np.flatnonzero(lengths)
        starts = pa.array(np.append(0, np.cumsum(lengths[some])), pa.int32())
        arrays = {
            "index": pa.array(items[start:end][some], pa.int32()),
            "left": pa.array(left[start:end][some]),
            "others": pa.ListArray.from_arrays(starts, pa.array(items[product.indices[keep]], pa.int32())),
            "products": pa.ListArray.from_arrays(starts, pa.array(value[keep])),
        }
        yield pa.RecordBatch.from_pydict(arrays)


def nearest_of_sums(
    batches: Iterator[pa.RecordBatch], method: str, k: int, size: int, unit: float
) -> Iterator[pa.RecordBatch]:
    """Partial products, ordered by index, added up and cut to the k nearest: (index, rank, similar_index, score).

    It holds about CHUNK_PAIRS pairs beside one batch, or the longest row where that is more.
    """
    held: list[_Rows] = []
    pairs = 0
    for batch in batches:
        held.append(_read(batch))
        pairs += len(held[-1].others)
        if pairs > CHUNK_PAIRS:
            added = _added(held)
            last = len(added.index) - 1  # it may go on in the next batch
            if last:
                yield _published(added.part(0, last), method, k, size, unit)
            held = [added.part(last, last + 1)]
            pairs = len(held[0].others)
    if held:
        added = _added(held)
        yield _published(added, method, k, size, unit)


def _read(batch: pa.RecordBatch) -> _Rows:
    others, products = batch["others"], batch["products"]
    starts = np.append(0, np.cumsum(others.value_lengths().to_numpy().astype(np.int64)))
    numbers = others.flatten().to_numpy(), products.flatten().to_numpy()
    return _Rows(batch["index"].to_numpy(), batch["left"].to_numpy(), starts, *numbers)


def _added(held: list[_Rows]) -> _Rows:
    """The sum of rows of the same index; indices ascend over `held` as a whole, and others within a row after."""
    index, left, others, products = (
        np.concatenate([getattr(rows, name) for rows in held]) for name in ("index", "left", "others", "products")
    )
    starts = np.append(0, np.cumsum(np.concatenate([np.diff(rows.starts) for rows in held])))
    first = np.flatnonzero(np.diff(index, prepend=NO_NEIGHBOUR))
    partial = sp.csr_matrix((products, others, starts), shape=(len(index), int(others.max(initial=0)) + 1))
    parts = np.arange(len(index)), np.append(first, len(index))
    total = sp.csr_matrix((np.ones(len(index), np.int64), *parts), shape=(len(first), len(index))) @ partial
    return _Rows(index[first], left[first], total.indptr.astype(np.int64), total.indices, total.data)


def _published(rows: _Rows, method: str, k: int, size: int, unit: float) -> pa.RecordBatch:
    """The k best of each row by the order of `neighbours`, with their scores."""
    values = rows.products / unit
    keys = values * tie_breaks(rows.others, size)
    best = np.zeros((len(rows.index), k), dtype=np.int64)  # positions in `others`
    there = np.arange(k) < np.diff(rows.starts)[:, None]
    for row, (start, end) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        key = keys[start:end]
        top = np.argpartition(key, len(key) - k)[len(key) - k :] if len(key) > k else np.arange(len(key))
        best[row, : len(top)] = start + top[np.argsort(-key[top])]
    values = np.where(there, values[best], 0)
    values[values <= smallest(method)] = 0
    left = rows.left[:, None]
    scores = shared_to_weight(values, left) if method == "neighbourhood_average" else values * left
    found = in_order(rows.others[best], scores)
    at, place = np.nonzero(found.indices != NO_NEIGHBOUR)
    numbers = rows.index[at], (place + 1).astype(np.int32), found.indices[at, place], found.scores[at, place]
    return pa.RecordBatch.from_arrays([pa.array(x) for x in numbers], ["index", "rank", "similar_index", "score"])
