"""`audit_run`: every check that a run must pass before it is published -> audit_results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pyarrow as pa

from musai import columns
from musai.evaluation import spark as checks
from musai.evaluation.audit import Finding, quality_finding, share_finding
from musai.steps import Night
from musai.tables import TABLES, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOB = "audit_run"


def run(night: Night) -> None:
    findings = [*_tables(night), *_lists(night), *_against_parent(night)]
    rows = [(finding.check, finding.passed, finding.message) for finding in findings]
    night.write_rows(rows, "audit_results", JOB)
    failed = [finding for finding in findings if not finding.passed]
    night.note(f"{len(findings)} checks, {len(failed)} refused" + "".join(f"; {f.check}: {f.message}" for f in failed))


def _tables(night: Night) -> list[Finding]:
    """Rows as the manifest says, keys unique and without nulls."""
    expected = [table for table in TABLES.values() if table.kind == "nightly"]
    faults = checks.key_faults(night.session, {t.name: _written(night, t) for t in expected if night.has(t.name)})
    findings = []
    for table in expected:
        if table.name in faults:
            said = "; ".join(faults[table.name])
            findings.append(Finding(f"{table.name}: rows and key", not said, said or "as declared"))
        elif not table.optional:
            findings.append(Finding(f"{table.name}: written", False, "it is missing"))
    return findings


def _written(night: Night, table: Table) -> checks.Written:
    name = table.name
    return checks.Written(night.read(name), night.run.uri(name), table.key, night.run.rows(name) or 0)


def _lists(night: Night) -> list[Finding]:
    found = checks.looked_at(night.session, *(night.run.uri(table) for table in ("recommendations", "interactions")))
    night.rows_read += night.run.rows("recommendations") or 0
    heard, withheld = found.heard, _withheld(night)
    every = night.read("users"), night.read("interactions"), found.sizes, _track_ids(night), withheld
    full = checks.full_lists(*every, night.config.recommend.top_n)
    found.release()
    users = night.run.rows("users") or 0
    return [
        Finding("recommendations: nothing heard", heard == 0, f"{heard} rows name a track that the listener has"),
        share_finding("recommendations: listeners with a full list", full, users, night.config.audit.min_users_covered),
    ]


def _track_ids(night: Night) -> DataFrame:
    """track_id of every track that somebody has heard or that the catalogue has, once each."""
    heard = night.read("items").select("track_id")
    return heard.union(night.read("tracks").select("track_id")).distinct() if night.has("tracks") else heard


def _withheld(night: Night) -> DataFrame:
    """track_id of what no list may hold: blocked tracks, and explicit ones where those are left out."""
    blocked = night.blocked()
    found = night.session.createDataFrame(pa.table({"track_id": pa.array(blocked, pa.string())}))
    if night.config.recommend.explicit == "exclude" and night.has("tracks"):
        found = found.union(night.read("tracks").where("explicit").select("track_id"))
    return found.distinct()


def _against_parent(night: Night) -> list[Finding]:
    parent = night.warehouse.parent(night.run.record.date)
    if parent is None:
        return []
    settings, tables = night.config.audit, parent["tables"]
    uri = night.warehouse.storage.spark_uri
    findings = []
    if "users" in tables:
        before = night.session.read.parquet(uri(tables["users"]["path"])).count()
        now, least = night.run.rows("users") or 0, math.ceil(before * (1 - settings.max_users_drop))
        findings.append(Finding("users: against the parent run", now >= least, f"{now}, {before} before"))
    if "recommendations" in tables:
        earlier = night.session.read.parquet(uri(tables["recommendations"]["path"]))
        overlap = checks.mean_overlap(night.read("recommendations"), earlier, columns.FOR_YOU)
        text = f"{overlap:.3f} of a list was in the parent's" if overlap is not None else "no listener in common"
        passed = overlap is None or overlap >= settings.min_list_overlap
        findings.append(Finding("recommendations: overlap with the parent run", passed, text))
    last = night.last_metrics()
    if night.has("recommendation_metrics") and last:
        k = max(night.config.evaluation.ks)
        metrics = night.run.read(night.session, "recommendation_metrics")
        earlier = night.session.read.parquet(uri(last["path"]))
        ours, theirs = (checks.figures(frame, settings.quality_metric, k) for frame in (metrics, earlier))
        findings.append(quality_finding(ours, theirs, settings.max_quality_drop))
    return findings
