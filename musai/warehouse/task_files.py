"""Files of tables written by the tasks that compute the rows: Arrow to Parquet, past the JVM.

A task writes into the run's staging folder and tells of each file what `PARTS` says; the driver moves the files of
those attempts that Spark counts to the table (`Run.adopt`). So a task that is tried again, or runs twice, leaves no
row twice. The file system is pyarrow's (`storage.file_system`), the digest that of `digests.py`.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import uuid
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from musai.storage import file_system
from musai.tables import TABLES
from musai.warehouse import row_hashes
from musai.warehouse.digests import SERVED_ROWS, SUMS

PARTS = f"table string, name string, {', '.join(f'{name} bigint' for name in SUMS)}"
GROUP_ROWS = 1 << 17  # of what is read by ranges: a reader unpacks a whole group


@dataclasses.dataclass(frozen=True)
class Place:
    """Where tasks put a table's files (URI), and the schema that they have: only the driver can read a declared one."""

    folder: str
    schema: pa.Schema


def stored(
    batches: Iterable[tuple[str, pa.RecordBatch]], places: Mapping[str, Place], number: int = 0
) -> Iterator[pa.RecordBatch]:
    """Write the batches (table, rows in its columns, of its types) to a file a table; the files as batches of PARTS.

    `number`: of the task; files stand in the order of their tasks.
    """
    sums: dict[str, collections.Counter[str]] = {}
    names: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for table, batch in batches:
            declared = TABLES[table]
            if table not in writers:
                names[table], sums[table] = f"part-{number:05d}-{uuid.uuid4()}.zstd.parquet", collections.Counter()
                system, folder = file_system(places[table].folder)
                system.create_dir(folder, recursive=True)
                schema = places[table].schema
                repeated = [field.name for field in schema if not _is_number(field.type)]
                where = {"where": f"{folder}/{names[table]}", "filesystem": system}
                writer = pq.ParquetWriter(schema=schema, compression="zstd", use_dictionary=repeated, **where)
                writers[table] = stack.enter_context(writer)
            rows = pa.RecordBatch.from_arrays([batch[c.name] for c in declared.columns], schema=writers[table].schema)
            writers[table].write_batch(rows, SERVED_ROWS if declared.served else GROUP_ROWS)
            sums[table].update(row_hashes.sums(rows, declared))
    for table, found in sums.items():
        columns = {"table": [table], "name": [names[table]], **{name: [found[name]] for name in SUMS}}
        yield pa.record_batch(columns)


def _is_number(kind: pa.DataType) -> bool:
    """Whether hardly any value comes twice, so that a dictionary of them only costs time and room."""
    return pa.types.is_floating(kind) or (pa.types.is_list(kind) and _is_number(kind.value_type))
