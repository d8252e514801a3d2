"""The listeners of a run in blocks, read from its Parquet tables with pyarrow, a stretch of them at a time.

`user_item` and `unweighted` are written in the order of `user_index`, so that of a stretch hardly more than its own
rows are decoded; in any other order the blocks are the same, and take longer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from musai.columns import FACTORS, ITEM_INDEX, USER_ID, USER_INDEX, WEIGHT
from musai.ranking.blocks import Block
from musai.storage import file_system

STRETCH = 1 << 14  # listeners that are read at once


@dataclasses.dataclass(frozen=True)
class Listeners:
    """Where their tables lie (URIs): users (user_index, user_id), user_item and unweighted (user_index, item_index,
    weight), factors (side, row_index, factors) or None.

    `count` of them from 0, of which `size` follow each other in a block, whoever reads it; `only`: indexes int32,
    ascending, of those that are wanted, None = all.
    """

    users: str
    user_item: str
    unweighted: str
    factors: str | None
    count: int
    size: int
    only: np.ndarray | None = None

    @property
    def blocks(self) -> int:
        return -(-self.count // self.size)

    def of_partition(self, number: int, partitions: int) -> Iterator[Block]:
        """The blocks of a share of the listeners; the shares follow each other."""
        first, last = (-(-place * self.blocks // partitions) for place in (number, number + 1))
        step = max(1, STRETCH // self.size)
        for start in range(first, last, step):
            yield from self._stretch(start * self.size, min(start + step, last) * self.size)

    def _stretch(self, start: int, end: int) -> Iterator[Block]:
        end = min(end, self.count)
        wanted = np.arange(start, end, dtype=np.int32)
        if self.only is not None:
            wanted = self.only[slice(*np.searchsorted(self.only, (start, end)))]
        if not len(wanted):
            return
        ids = _rows(self.users, [USER_INDEX, USER_ID], USER_INDEX, start, end).sort_by(USER_INDEX)
        ids = ids[USER_ID].combine_chunks()
        user, item, weight = self._pairs(start, end)
        vectors = self._vectors(start, end)
        for low in range(start, end, self.size):
            mine = wanted[slice(*np.searchsorted(wanted, (low, low + self.size)))]
            if not len(mine):
                continue
            pairs = slice(*np.searchsorted(user, (low, low + self.size)))
            taken = np.isin(user[pairs], mine) if len(mine) < self.size else slice(None)
            ends = np.searchsorted(user[pairs][taken], mine, "right")
            yield Block(
                user_ids=ids.take(pa.array(mine - start)),
                heard_indptr=np.concatenate([[0], ends]).astype(np.int64),
                heard_indices=item[pairs][taken],
                values=weight[pairs][taken],
                factors=None if vectors is None else vectors[mine - start],
            )

    def _pairs(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """user_index, item_index int32 and weight float32 of all that they have, by listener and track."""
        columns = [USER_INDEX, ITEM_INDEX, WEIGHT]
        parts = [_rows(uri, columns, USER_INDEX, start, end) for uri in (self.user_item, self.unweighted)]
        user, item, weight = (np.concatenate([part[name].to_numpy() for part in parts]) for name in columns)
        order = np.lexsort((item, user))
        return user[order], item[order], np.nan_to_num(weight[order], nan=0)

    def _vectors(self, start: int, end: int) -> np.ndarray | None:
        """float32 [end - start, f]; zeros for who has none, None where nobody has."""
        if self.factors is None:
            return None
        rows = _rows(self.factors, ["row_index", FACTORS], "row_index", start, end, ds.field("side") == "user")
        if not rows.num_rows:
            return None
        values = rows[FACTORS].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, -1)
        vectors = np.zeros((end - start, values.shape[1]), np.float32)
        vectors[rows["row_index"].to_numpy() - start] = values
        return vectors


def _rows(
    uri: str, columns: list[str], index: str, start: int, end: int, where: ds.Expression | None = None
) -> pa.Table:
    """The rows of a table whose index is in [start, end)."""
    system, path = file_system(uri)
    table = ds.dataset(path, format="parquet", filesystem=system, partitioning=None)
    within = (ds.field(index) >= start) & (ds.field(index) < end)
    return table.to_table(columns=columns, filter=within if where is None else within & where, use_threads=False)
