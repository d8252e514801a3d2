"""`build_report`: the run as a page to look at -> report_files. Built whatever the audit found."""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING

from musai.report import page, sound
from musai.report import spark as report
from musai.report.facts import Facts, Rows
from musai.steps import Night
from musai.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "build_report"
SOURCES = {"interactions": "ingest_interactions", "tracks": "ingest_tracks"}


def run(night: Night) -> None:
    record, storage = night.run.record, night.run.storage
    earlier = _earlier(night)

    def read(table: str) -> DataFrame | None:
        return night.read(table) if table in TABLES and night.has(table) else None

    found = report.gathered(night.session, read, night.run.uri, night.config.report, night.config.seed)
    facts = Facts(
        run_id=record.run_id,
        run_date=record.run_date,
        started_at=record.started_at,
        code=record.code,
        sizes={name: rows for name in TABLES if (rows := night.run.rows(name)) is not None},
        dates={record.run_id: record.run_date, **earlier},
        counts=report.counts_of({name: night.run.manifest("rejected_rows", job) for name, job in SOURCES.items()}),
        jobs=_history(night, "job_log", earlier, report.JOB_ROWS),
        metrics=_history(night, "recommendation_metrics", earlier, report.METRIC_ROWS),
        sounds=sound.clips_of(found["created"] or []),
        **found,
    )
    path = page.path_of(record.run_id)
    files = {f"{posixpath.dirname(path)}/{clip.file}": clip.content for clip in facts.sounds.values()}
    files[path] = page.rendered(facts).encode()
    for name, content in files.items():
        storage.replace(name, content)
    written = [(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()]
    night.write_rows(written, "report_files", JOB)
    megabytes = sum(map(len, files.values())) / 1e6
    night.note(f"{megabytes:.1f} MB, {len(facts.sounds)} tracks to listen to: {storage.uri(path)}")


def _earlier(night: Night) -> dict[str, str]:
    """run_id -> run_date of the last published runs before this one's date."""
    dates = [date for date in night.warehouse.dates() if date < night.run.record.date][-night.config.report.runs :]
    return {pointer["run_id"]: str(date) for date in dates if (pointer := night.warehouse.pointer(date))}


def _history(night: Night, table: str, earlier: dict[str, str], most: int) -> Rows:
    storage = night.run.storage
    folders = [f"{table}/run_id={run_id}" for run_id in (night.run.run_id, *earlier)]
    there = [storage.spark_uri(folder) for folder in folders if storage.names(folder)]
    schema = ", ".join(f"{column.name} {column.type}" for column in TABLES[table].columns)
    return report.of_runs(night.session, schema, storage.spark_uri(table), there, most)
