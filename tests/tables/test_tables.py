"""The declared tables against the contract, copied here by hand, and the order of the jobs that follows from them."""

from __future__ import annotations

import dataclasses
import re

import pytest

from musai import tables
from musai.errors import InputError
from musai.tables import TABLES, Column, Table
from musai.tables.creation import ORIGINALITY

TEXT, NUMBER, WHOLE, TIME, DAY, TRUTH = "text", "number", "whole", "time", "day", "truth"
VECTOR, TEXTS, SHARES, BYTES = "vector", "texts", "shares", "bytes"
KINDS = {
    "string": TEXT, "double": NUMBER, "float": NUMBER, "bigint": WHOLE, "int": WHOLE, "timestamp": TIME, "date": DAY,
    "boolean": TRUTH, "array<float>": VECTOR, "array<string>": TEXTS,
    "map<string,double>": SHARES, "binary": BYTES, ORIGINALITY: "struct",
}  # fmt: skip

# contract.md, "Tables": kind, key, columns. The run_id of a history table comes from its path.
CONTRACT: dict[str, tuple[str, str, dict[str, str]]] = {
    "interactions": ("nightly", "user_id, track_id", {
        "user_id": TEXT, "track_id": TEXT, "plays": NUMBER, "events": WHOLE, "last_event_at": TIME}),
    "tracks": ("nightly", "track_id", {
        "track_id": TEXT, "title": TEXT, "artist": TEXT, "album": TEXT, "genre": TEXT, "release_date": DAY,
        "language": TEXT, "lyrics": TEXT, "tags": TEXTS, "audio_path": TEXT, "midi_path": TEXT, "licence": TEXT,
        "explicit": TRUTH}),
    "rejected_rows": ("nightly", "", {"source": TEXT, "place": TEXT, "reason": TEXT, "raw": TEXT}),
    "users": ("nightly", "user_index", {
        "user_index": WHOLE, "user_id": TEXT, "interactions": WHOLE, "plays": NUMBER}),
    "items": ("nightly", "item_index", {
        "item_index": WHOLE, "track_id": TEXT, "interactions": WHOLE, "plays": NUMBER}),
    "user_item": ("nightly", "user_index, item_index", {"user_index": WHOLE, "item_index": WHOLE, "weight": NUMBER}),
    "similar_tracks": ("nightly", "track_id, method, rank", {
        "track_id": TEXT, "method": TEXT, "rank": WHOLE, "similar_track_id": TEXT, "score": NUMBER}),
    "similar_users": ("nightly", "user_id, method, rank", {
        "user_id": TEXT, "method": TEXT, "rank": WHOLE, "similar_user_id": TEXT, "score": NUMBER}),
    "user_factors": ("nightly", "user_id", {"user_id": TEXT, "factors": VECTOR}),
    "track_factors": ("nightly", "track_id", {"track_id": TEXT, "factors": VECTOR}),
    "track_embeddings": ("nightly", "track_id, model", {
        "track_id": TEXT, "model": TEXT, "embedding": VECTOR, "content_hash": TEXT}),
    "predicted_track_factors": ("nightly", "track_id", {"track_id": TEXT, "factors": VECTOR, "sources": TEXTS}),
    "generated_tracks": ("nightly", "generated_id", {
        "generated_id": TEXT, "created_run_id": TEXT, "method": TEXT, "style": TEXT, "target_style": TEXT,
        "source_track_id": TEXT, "emotion": TEXT, "seed": WHOLE, "model": TEXT, "midi": BYTES, "duration_s": NUMBER,
        "notes": WHOLE, "metrics": SHARES, "originality": "struct", "embedding": VECTOR, "valence": NUMBER,
        "arousal": NUMBER, "licence": TEXT, "provenance": TEXT}),
    "generation_metrics": ("nightly", "method, style, metric", {
        "method": TEXT, "style": TEXT, "metric": TEXT, "generated": NUMBER, "real": NUMBER, "other_style": NUMBER}),
    "recommendations": ("nightly", "user_id, list, rank", {
        "user_id": TEXT, "list": TEXT, "rank": WHOLE, "track_id": TEXT, "score": NUMBER, "source": TEXT,
        "because_track_id": TEXT}),
    "recommendation_metrics": ("history", "run_id, metric, k, list, listeners", {
        "metric": TEXT, "k": WHOLE, "list": TEXT, "listeners": TEXT, "value": NUMBER, "low": NUMBER, "high": NUMBER,
        "baseline": NUMBER, "users": WHOLE}),
    "models": ("weekly", "name", {"name": TEXT, "digest": TEXT, "path": TEXT, "card": TEXT}),
    "track_emotions": ("nightly", "track_id", {
        "track_id": TEXT, "valence": NUMBER, "arousal": NUMBER, "label": TEXT, "probabilities": SHARES,
        "sources": TEXTS, "confidence": NUMBER}),
    "model_settings": ("weekly", "name", {"name": TEXT, "value": TEXT}),
    "tuning_trials": ("history", "run_id, trial", {
        "trial": WHOLE, "settings": TEXT, "metric": TEXT, "value": NUMBER, "seconds": NUMBER}),
    "job_log": ("history", "run_id, job, attempt", {
        "job": TEXT, "attempt": WHOLE, "started_at": TIME, "seconds": NUMBER, "rows_read": WHOLE,
        "rows_written": WHOLE, "rejected": WHOLE, "status": TEXT, "message": TEXT}),
}  # fmt: skip
# In the contract and not declared yet; a table that is declared has to move up.
LATER: set[str] = set()

# contract.md, "Order of the last jobs", as far as they are there.
LAST = [
    "embed_tracks", "tag_emotions", "generate_tracks", "recommend_tracks", "evaluate_recommendations",
    "evaluate_music", "audit_run", "build_report", "publish",
]  # fmt: skip


def test_the_contracts_tables_are_those_that_are_declared() -> None:
    declared = {name for name, table in TABLES.items() if table.kind != "internal"}
    assert declared == set(CONTRACT)
    assert not declared & LATER


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_is_as_the_contract_says(name: str) -> None:
    kind, key, columns = CONTRACT[name]
    table = TABLES[name]
    assert table.kind == kind
    assert ", ".join((*(["run_id"] if kind == "history" else []), *table.key)) == key
    assert {column.name: KINDS[column.type] for column in table.columns} == columns
    assert table.column_names[: len(table.key)] == list(table.key)


def test_one_writer_a_table() -> None:
    several = {name: len(table.writers) for name, table in TABLES.items() if len(table.writers) != 1}
    assert several == {"rejected_rows": 4, "job_log": 0, "models": 3}
    assert [table.name for table in TABLES.values() if table.by_job] == ["rejected_rows"]
    assert all(map(tables.is_weekly, TABLES["models"].writers)), "each in a run of its own"
    declared = [table.name for module in tables.MODULES for table in module.DECLARED]
    assert len(declared) == len(set(declared))
    assert TABLES["job_log"].writer == "every job"
    assert TABLES["users"].writer == "build_user_item"


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_column_is_documented_and_named_once(table: Table) -> None:
    assert table.comment.endswith(".")
    assert len(set(table.column_names)) == len(table.columns)
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.comment
        assert column.type in KINDS


def test_ids_are_text_and_never_nameless() -> None:
    for table in TABLES.values():
        for column in table.columns:
            assert column.type == "string" or not column.name.endswith("_id"), f"{table.name}.{column.name}"


def test_every_job_comes_after_the_writers_of_all_it_reads() -> None:
    order = tables.order()
    assert len(order) == len(set(order))
    for table in TABLES.values():
        for reader in table.readers:
            for writer in {*table.writers} - {reader} if reader in order else ():
                if not tables.is_weekly(writer):
                    assert order.index(writer) < order.index(reader), f"{reader} reads {table.name} of {writer}"
    every = {job for table in TABLES.values() for job in (*table.writers, *table.readers)}
    assert {*order, *tables.weekly()} == every
    assert set(order).isdisjoint(tables.weekly())


def test_the_order_of_the_last_jobs() -> None:
    order = tables.order()
    there = [job for job in LAST if job in order]
    assert [job for job in order if job in LAST] == there
    assert order[-4:] == ["evaluate_music", "audit_run", "build_report", "publish"]


def test_nothing_is_published_that_the_audit_has_not_seen() -> None:
    for name, table in TABLES.items():
        if table.kind == "nightly":
            assert "audit_run" in table.readers, name
    for job in tables.order():
        assert "publish" in tables.downstream(job), f"publish does not wait for {job}"


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch):
    """Replace the declared tables by `name: writer -> readers` ones."""

    def replaced(*declarations: tuple[str, str, str]) -> None:
        made = {
            name: Table(name, "nightly", (), (writer,), tuple(readers.split()), (Column("a", "int", "a"),), "A.")
            for name, writer, readers in declarations
        }
        monkeypatch.setattr(tables, "TABLES", made)

    return replaced


def test_ties_stand_in_the_order_of_declaration(declared) -> None:
    declared(("x", "second", "third"), ("y", "first", "third"), ("z", "third", "fourth"))
    assert tables.order() == ["second", "first", "third", "fourth"]
    assert tables.order(job for job in ("fourth", "first")) == ["first", "fourth"]
    assert tables.order([]) == []


def test_a_job_that_is_declared_early_waits_all_the_same(declared) -> None:
    declared(("z", "last", "none"), ("y", "middle", "last"), ("x", "first", "middle"))
    assert tables.order() == ["first", "middle", "last", "none"]


def test_a_circle_is_named_with_its_jobs(declared) -> None:
    declared(("x", "a", "b"), ("y", "b", "c"), ("z", "c", "b d"))
    with pytest.raises(ValueError, match=r"circle among \['b', 'c', 'd'\]"):
        tables.order()


def test_a_job_may_read_what_it_writes_itself(declared) -> None:
    declared(
        ("x", "a", "a b"),
    )
    assert tables.order() == ["a", "b"]


def test_downstream(declared) -> None:
    declared(("x", "a", "b"), ("y", "b", "c"), ("z", "d", "c"))
    assert tables.downstream("a") == {"a", "b", "c"}
    assert tables.downstream("c") == {"c"}
    assert tables.downstream("d") == {"d", "c"}


def test_downstream_of_real_jobs() -> None:
    assert tables.downstream("train_als") == {
        *("train_als", "predict_factors", "recommend_tracks", "evaluate_recommendations"),
        *("audit_run", "build_report", "publish"),
    }  # fmt: skip
    assert tables.downstream("ingest_interactions") == set(tables.order())  # aliases hold for the catalogue too
    assert tables.downstream("ingest_tracks") == set(tables.order()) - {
        *("ingest_interactions", "build_user_item", "compute_similarities", "train_als"),
    }  # fmt: skip


def test_weekly_jobs_are_apart_from_those_of_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(name: str, kind: str, writer: str, *readers: str) -> Table:
        return Table(name, kind, (), (writer,), readers, (Column("a", "int", "a"),), "A.")

    made = [
        table("log", "nightly", "ingest", "rank", "train", "tune"),
        table("model", "weekly", "train", "rank", "tune"),
        table("settings", "weekly", "tune", "rank"),
        table("trials", "history", "tune"),
        table("lists", "nightly", "rank"),
    ]
    monkeypatch.setattr(tables, "TABLES", {each.name: each for each in made})
    assert tables.order() == ["ingest", "rank"]
    assert tables.weekly() == ["train", "tune"]
    assert tables.dependencies() == {"ingest": set(), "rank": {"ingest"}, "train": set(), "tune": {"train"}}
    assert tables.order(["tune"]) == ["tune"]
    with pytest.raises(InputError, match="train: weekly, not to be run with jobs of the night"):
        tables.order(["rank", "train"])


def test_an_unknown_job_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no job train_alz; the jobs are ingest_interactions, "):
        tables.order(["train_als", "train_alz"])


def test_tables_cannot_be_changed_by_their_users() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TABLES["users"].kind = "history"


def test_reads_and_writes() -> None:
    assert [table.name for table in tables.writes("train_als")] == ["als_factors", "user_factors", "track_factors"]
    assert [table.name for table in tables.reads("publish")] == ["audit_results", "report_files"]
    assert [table.name for table in tables.writes("ingest_tracks")] == ["tracks", "rejected_rows"]
