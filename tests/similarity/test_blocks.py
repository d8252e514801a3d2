"""A task's share of the distributed form, without Spark: each block's products, and their sums in any pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from musai.similarity import blocks

RIGHT = 0.5


def partial(matrix: sp.csr_matrix, unit: float = 16) -> pa.Table:
    """Partial products of `matrix` as one block; left_i is i, right_j is RIGHT."""
    entries = matrix.tocoo()
    columns = {"u": entries.row, "i": entries.col, "y": entries.data.astype(np.float64)}
    batch = pa.record_batch({**columns, "left": entries.col.astype(float), "right": np.full(matrix.nnz, RIGHT)})
    return pa.Table.from_batches(blocks.partial_products(iter([batch.slice(0, 9), batch.slice(9)]), unit))


def test_products_of_a_block(matrices, monkeypatch):
    matrix = matrices(2)
    whole = partial(matrix)
    dense = (matrix.T @ matrix).toarray()
    np.fill_diagonal(dense, 0)
    found = np.zeros_like(dense)
    for row in whole.to_pylist():
        assert row["left"] == row["index"]
        assert len(row["others"]) == len(row["products"]) > 0
        found[row["index"], row["others"]] = row["products"]
    np.testing.assert_array_equal(found, dense * RIGHT * 16)
    monkeypatch.setattr(blocks, "CHUNK_PAIRS", 10)
    assert partial(matrix).equals(whole)
    assert partial(matrix).column(0).num_chunks > 5


@pytest.mark.parametrize("chunk", [1, 60, 1 << 22])
@pytest.mark.parametrize("rows_a_batch", [1, 7, 1000])
def test_sums_in_any_pieces(chunk, rows_a_batch, matrices, monkeypatch):
    """Blocks of 9 users, their rows in any order of blocks, cut anywhere: as if it were one block."""
    matrix = matrices(3)
    due = pa.Table.from_batches(
        blocks.nearest_of_sums(iter(partial(matrix).to_batches()), "cosine", 5, matrix.shape[1], 16)
    )
    table = pa.concat_tables(partial(matrix[start : start + 9]) for start in (18, 0, 36, 9, 27))
    table = table.take(np.argsort(table["index"].to_numpy(), kind="stable")).combine_chunks()
    monkeypatch.setattr(blocks, "CHUNK_PAIRS", chunk)
    batches = iter(table.to_batches(rows_a_batch))
    found = pa.Table.from_batches(blocks.nearest_of_sums(batches, "cosine", 5, matrix.shape[1], 16))
    assert found.combine_chunks().equals(due.combine_chunks())
    assert found.num_rows > 100


def test_nothing_to_add():
    assert list(blocks.nearest_of_sums(iter([]), "cosine", 5, 1, 16)) == []
