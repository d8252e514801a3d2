"""The tables of one run: where they lie, writing them with their manifests, reading and verifying them."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musai import provenance
from musai.errors import InputError
from musai.provenance import RunRecord
from musai.storage import Storage
from musai.tables import TABLES
from musai.warehouse import row_hashes
from musai.warehouse.digests import (
    SERVED_ROWS,
    SUMS,
    arrow_schema,
    batch_of,
    digest,
    digest_columns,
    file_of,
    schema_of,
    typed,
)
from musai.warehouse.task_files import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MANIFEST = "_manifest.json"


@dataclasses.dataclass
class Run:
    """The tables of one run. `scope` sends all but the `shared` ones into a folder of the run's own (the
    evaluation's, say)."""

    storage: Storage
    record: RunRecord
    scope: str = ""
    shared: frozenset[str] = frozenset()

    @property
    def run_id(self) -> str:
        return self.record.run_id

    def folder(self, table: str, job: str | None = None) -> str:
        """Path of a table's folder, relative to the warehouse; of one job's own where several write to it."""
        if self.scope and table not in self.shared:
            path = f"_nights/{self.run_id}/{self.scope}/{table}"
        elif TABLES[table].kind == "internal":
            path = f"_nights/{self.run_id}/{table}"
        else:
            path = f"{table}/run_id={self.run_id}"
        return f"{path}/job={job}" if job and TABLES[table].by_job else path

    def uri(self, table: str) -> str:
        return self.storage.uri(self.folder(table))

    def spark_uri(self, table: str) -> str:
        return self.storage.spark_uri(self.folder(table))

    def nested(self, scope: str, shared: Iterable[str] = ()) -> Run:
        return Run(self.storage, self.record, scope, frozenset(shared))

    def manifest(self, table: str, job: str | None = None) -> dict[str, Any] | None:
        content = self.storage.read(f"{self.folder(table, job)}/{MANIFEST}")
        return json.loads(content) if content else None

    def has(self, table: str) -> bool:
        """Whether the table counts as written: by every job that has begun to write to it, and by one at least."""
        return bool(self._manifests(table))

    def rows(self, table: str) -> int | None:
        found = self._manifests(table)
        return sum(manifest["rows"] for manifest in found.values()) if found else None

    def _manifests(self, table: str) -> dict[str, dict[str, Any]]:
        """Folder -> manifest of every part of a table; none where a part is not (or not yet) written whole."""
        folder = self.folder(table)
        folders = [folder]
        if TABLES[table].by_job:
            folders = [f"{folder}/{name}" for name in self.storage.names(folder) if name.startswith("job=")]
        found = {path: content for path in folders if (content := self.storage.read(f"{path}/{MANIFEST}"))}
        return {path: json.loads(content) for path, content in found.items()} if len(found) == len(folders) else {}

    def read(self, session: SparkSession, table: str) -> DataFrame:
        """A written table. Raises InputError where the run lacks it."""
        parts = self._manifests(table)
        if not parts:
            raise InputError(f"{table}: run {self.run_id} has not written it; {TABLES[table].writer} does")
        return self._frame(session, table, parts)

    def part(self, session: SparkSession, table: str, job: str) -> DataFrame:
        """A job's rows of a table, as they lie there."""
        return self._frame(session, table, [self.folder(table, job)])

    def _frame(self, session: SparkSession, table: str, folders: Iterable[str]) -> DataFrame:
        schema = schema_of(TABLES[table])
        return session.read.schema(schema).parquet(*(self.storage.spark_uri(folder) for folder in folders))

    def discard(self, table: str, job: str | None = None) -> None:
        """Remove a job's rows of a table, the manifest first: what a kill leaves of it does not count as written."""
        self.storage.delete(f"{self.folder(table, job)}/{MANIFEST}")
        self.storage.delete(self.folder(table, job))

    def write(self, frame: DataFrame, table: str, job: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace the job's rows of a table; the manifest comes last and gives rows and digest."""
        self.discard(table, job)
        return self.seal(table, job, self._appended(frame, table, job), extra)

    def write_rows(
        self, rows: Iterable[Sequence[Any]], table: str, job: str, extra: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """As `write`, of few rows (values of the declared columns in their order), for which no Spark job is run."""
        self.discard(table, job)
        return self.seal(table, job, self._few(rows, table, job), extra)

    def _few(self, rows: Iterable[Sequence[Any]], table: str, job: str) -> dict[str, Any]:
        """Put the rows into a file of the job's folder of a table; what `digest_columns` would measure of them."""
        declared = TABLES[table]
        names = [column.name for column in declared.columns]
        batch = batch_of([dict(zip(names, row, strict=True)) for row in rows], declared)
        self.storage.replace(f"{self.folder(table, job)}/part-00000.parquet", file_of(batch))
        return row_hashes.sums(batch, declared)

    def _appended(self, frame: DataFrame, table: str, job: str) -> dict[str, Any]:
        """Add rows to the job's folder of a table; what `digest_columns` measures of them."""
        from pyspark.sql import Observation

        declared = TABLES[table]
        observed = Observation(f"{table}-{job}")
        measured = typed(frame, declared).observe(observed, *digest_columns(declared))
        writer = measured.write.mode("append").option("compression", "zstd")
        if declared.served:
            writer = writer.option("parquet.block.row.count.limit", SERVED_ROWS)
        writer.parquet(self.storage.spark_uri(self.folder(table, job)))
        return observed.get

    def staging(self, *tables: str) -> dict[str, Place]:
        """Table -> where tasks put files that `adopt` is to take; emptied."""
        for table in tables:
            self.storage.delete(self._staged(table))
        return {table: Place(self.storage.uri(self._staged(table)), arrow_schema(TABLES[table])) for table in tables}

    def _staged(self, table: str) -> str:
        return self.passing(f"{self.scope}-{table}" if self.scope else table)

    def passing(self, name: str) -> str:
        """Path of a folder of the run for what passes through: whoever puts something there removes it again."""
        return f"_nights/{self.run_id}/staging/{name}"

    def adopt(
        self, parts: Iterable[Mapping[str, Any]], table: str, job: str, more: DataFrame | None = None
    ) -> dict[str, Any]:
        """Replace the job's rows of a table by the files that tasks have staged (rows of `task_files.PARTS`, of any
        tables) and by the rows of `more`."""
        self.discard(table, job)
        measured = collections.Counter(dict.fromkeys(SUMS, 0))
        for part in parts:
            if part["table"] == table:
                name = part["name"]
                self.storage.move(f"{self._staged(table)}/{name}", f"{self.folder(table, job)}/{name}")
                measured.update({name: part[name] for name in SUMS})
        if not measured["rows"]:
            self._few([], table, job)
        if more is not None:
            measured.update({name: value or 0 for name, value in self._appended(more, table, job).items()})
        self.storage.delete(self._staged(table))
        return self.seal(table, job, measured)

    def seal(
        self, table: str, job: str, measured: Mapping[str, Any], extra: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Write the manifest: from now on the table counts as written."""
        manifest = {
            "table": table,
            "run_id": self.run_id,
            "job": job,
            "rows": measured["rows"],
            "digest": digest(measured),
            "config_digest": self.record.config_digest,
            "inputs_digest": self.record.inputs_digest,
            "inputs": self.record.inputs,
            "code": provenance.code_version(),
            "seed": self.record.seed,
            **(extra or {}),
        }
        content = json.dumps(manifest, indent=1, sort_keys=True).encode()
        self.storage.replace(f"{self.folder(table, job)}/{MANIFEST}", content)
        return manifest

    def seal_existing(self, session: SparkSession, table: str, job: str) -> None:
        """A manifest for files that are there already."""
        self.seal(table, job, self._measured(session, table, job))

    def _measured(self, session: SparkSession, table: str, job: str) -> dict[str, Any]:
        measured = self.part(session, table, job).agg(*digest_columns(TABLES[table])).first()
        assert measured is not None
        return measured.asDict()

    def verify(self, session: SparkSession, table: str, job: str) -> str | None:
        """Read a job's rows of a table again; None where they are what the manifest says, else what is wrong."""
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        manifest = self.manifest(table, job)
        if manifest is None:
            return "not written"
        if manifest["config_digest"] != self.record.config_digest:
            return "written under another configuration"
        if manifest["inputs_digest"] != self.record.inputs_digest:
            return "written from other inputs"
        if manifest["code"] != provenance.code_version():
            return "written by another version of the code"
        try:
            measured = self._measured(session, table, job)
        except (PySparkException, Py4JJavaError) as error:
            text = str(error.java_exception.getMessage()) if isinstance(error, Py4JJavaError) else str(error)
            return f"cannot be read: {text.splitlines()[0]}"
        return None if digest(measured) == manifest["digest"] else "differs from its manifest"
