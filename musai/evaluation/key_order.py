"""Whether the rows of a table stand in the order of its key, file by file: where they do no key can come twice, and
neither a shuffle nor a sort is needed to know it. `recommendations`, the largest table, is written that way.

Text is in the order of its UTF-8 bytes, which is that of its code points.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH_ROWS = 1 << 17


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A file's rows. ascending: no key is null, and each is greater than the one before; first, last: keys, None where
    there is no row."""

    rows: int
    ascending: bool
    first: tuple[Any, ...] | None = None
    last: tuple[Any, ...] | None = None


def stretch(system: Any, name: str, key: Sequence[str]) -> Stretch:
    """Of the Parquet file `name`; it is read no further than to the first key that is not greater."""
    with pq.ParquetFile(name, filesystem=system) as file:
        rows = int(file.metadata.num_rows)
        batches = file.iter_batches(BATCH_ROWS, columns=list(key), use_threads=False)
        return _stretch(rows, (batch.select(list(key)) for batch in batches if batch.num_rows))


def _stretch(rows: int, batches: Iterable[pa.RecordBatch]) -> Stretch:
    first = last = None
    for batch in batches:
        if any(column.null_count for column in batch.columns) or not _ascending(batch):
            return Stretch(rows, False)
        opening = _key(batch, 0)
        if last is not None and opening <= last:
            return Stretch(rows, False)
        first, last = first or opening, _key(batch, batch.num_rows - 1)
    return Stretch(rows, True, first, last)


def unique(stretches: Sequence[Stretch]) -> bool:
    """Whether the order shows that no key comes twice; False says nothing."""
    if not all(one.ascending for one in stretches):
        return False
    ends = sorted((one.first, one.last) for one in stretches if one.first is not None and one.last is not None)
    return all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def _key(batch: pa.RecordBatch, row: int) -> tuple[Any, ...]:
    return tuple(column[row].as_py() for column in batch.columns)


def _ascending(batch: pa.RecordBatch) -> bool:
    """Whether each row's key is greater than that of the row before."""
    pairs = [(column.slice(0, batch.num_rows - 1), column.slice(1)) for column in batch.columns]
    greater = functools.reduce(
        lambda behind, pair: pc.or_(pc.less(*pair), pc.and_(pc.equal(*pair), behind)),
        reversed(pairs[:-1]),
        pc.less(*pairs[-1]),
    )
    return pc.all(greater).as_py() is not False
