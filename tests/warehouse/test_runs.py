"""A run's tables on disk: written whole, with a manifest last, and verified by reading them again."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from musai import provenance
from musai.errors import InputError
from musai.tables import TABLES
from musai.warehouse import Run

INPUTS = [("log.csv", "abc"), ("tracks.csv", "def")]
JOB = "build_user_item"


@pytest.fixture
def run(nights) -> Run:
    return nights.begin(1, "r", INPUTS)


@pytest.fixture(scope="module")
def users(spark):
    return spark.range(0, 100, 1, 4).selectExpr(
        "cast(id AS int) AS user_index", "concat('ü', id) AS user_id", "id AS interactions", "id / 3.0 AS plays"
    )


def files(run: Run, table: str) -> list[pathlib.Path]:
    return sorted(pathlib.Path(run.uri(table)).rglob("*.parquet"))


def test_what_is_written_is_read(run: Run, users, spark) -> None:
    assert not run.has("users")
    run.write(users, "users", JOB)
    assert run.has("users")
    assert run.rows("users") == 100
    found = run.read(spark, "users")
    assert found.columns == TABLES["users"].column_names
    assert found.exceptAll(users).isEmpty()
    assert ds.dataset(run.uri("users"), format="parquet").to_table()["user_id"].to_pylist().count("ü7") == 1


def test_the_manifest_says_what_the_contract_asks(run: Run, users) -> None:
    returned = run.write(users, "users", JOB, {"note": 1})
    manifest = json.loads((pathlib.Path(run.uri("users")) / "_manifest.json").read_text(encoding="utf-8"))
    assert manifest == returned == run.manifest("users")
    digest = manifest.pop("digest")
    assert len(digest) == 64
    assert manifest == {
        "table": "users",
        "run_id": "r",
        "job": JOB,
        "rows": 100,
        "config_digest": run.record.config_digest,
        "inputs": [{"file": "log.csv", "digest": "abc"}, {"file": "tracks.csv", "digest": "def"}],
        "inputs_digest": run.record.inputs_digest,
        "code": provenance.code_version(),
        "seed": 42,
        "note": 1,
    }


def test_the_digest_is_of_the_rows_alone(nights, users) -> None:
    """Another run, date, partition count and order give the same; another row does not."""
    digests = [
        nights.begin(number, f"r{number}").write(frame, "users", JOB)["digest"]
        for number, frame in enumerate((users, users.repartition(7), users.orderBy("plays").coalesce(1)), start=1)
    ]
    assert len(set(digests)) == 1
    assert nights.begin(4).write(users.where("user_index < 99"), "users", JOB)["digest"] not in digests


@pytest.mark.parametrize("partitions", [0, 1, 3])
def test_a_table_without_rows_is_written_with_its_schema(run: Run, spark, partitions: int) -> None:
    empty = spark.createDataFrame([], "source string, place string, reason string, raw string")
    if partitions:
        empty = (
            spark.range(0, 9, 1, partitions)
            .selectExpr("'a' source", "'b' place", "'c' reason", "'d' raw")
            .where("raw = ''")
        )
    assert run.write(empty, "rejected_rows", "ingest_tracks")["rows"] == 0
    assert run.has("rejected_rows")
    assert run.read(spark, "rejected_rows").count() == 0
    assert ds.dataset(run.uri("rejected_rows"), format="parquet").schema.names == ["source", "place", "reason", "raw"]
    assert run.verify(spark, "rejected_rows", "ingest_tracks") is None


def test_comments_stand_in_the_footer(run: Run, users, spark) -> None:
    run.write(users, "users", JOB)
    footer = pq.read_schema(files(run, "users")[0]).metadata[b"org.apache.spark.sql.parquet.row.metadata"]
    comments = {field["name"]: field["metadata"]["comment"] for field in json.loads(footer)["fields"]}
    assert comments == {column.name: column.comment for column in TABLES["users"].columns}
    found = spark.read.parquet(run.uri("users")).schema
    assert [field.metadata["comment"] for field in found] == [column.comment for column in TABLES["users"].columns]


def test_times_are_utc_microseconds(run: Run, spark) -> None:
    frame = spark.sql(
        "SELECT 'u' user_id, 't' track_id, 1D plays, 1L events, timestamp_micros(1767225600000001) last_event_at"
    )
    try:
        spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
        run.write(frame, "interactions", "ingest_interactions")
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    (file,) = files(run, "interactions")
    schema = pq.ParquetFile(file).schema
    assert schema.column(4).physical_type == "INT64"
    assert json.loads(schema.column(4).logical_type.to_json())["timeUnit"] == "microseconds"
    assert pq.read_schema(file).field("last_event_at").type == pa.timestamp("us", "UTC")
    assert pq.read_table(file)["last_event_at"].cast(pa.int64()).to_pylist() == [1767225600000001]


def test_writing_again_replaces(run: Run, users, spark) -> None:
    run.write(users, "users", JOB)
    run.write(users.where("user_index < 10"), "users", JOB)
    assert run.read(spark, "users").count() == run.rows("users") == 10


def test_a_write_that_fails_midway_counts_as_not_written(run: Run, users, spark) -> None:
    run.write(users, "users", JOB)
    failing = users.selectExpr(
        "if(user_index = 98, raise_error('a worker died'), user_index) AS user_index", "* EXCEPT (user_index)"
    )
    with pytest.raises(Exception, match="a worker died"):
        run.write(failing, "users", JOB)
    assert not run.has("users")
    assert run.rows("users") is None
    assert run.verify(spark, "users", JOB) == "not written"
    with pytest.raises(InputError, match="users: run r has not written it; build_user_item does"):
        run.read(spark, "users")
    run.write(users, "users", JOB)
    assert run.read(spark, "users").count() == 100


def test_a_kill_before_the_manifest_counts_as_not_written(run: Run, users, spark, monkeypatch) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    run.write(users, "users", JOB)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "seal", killed)
        with pytest.raises(KeyboardInterrupt):
            run.write(users, "users", JOB)
    assert files(run, "users")
    assert not run.has("users")
    run.write(users, "users", JOB)
    assert run.verify(spark, "users", JOB) is None


def test_a_table_that_is_half_removed_counts_as_not_written(run: Run, users, monkeypatch) -> None:
    run.write(users, "users", JOB)
    real = run.storage.delete

    def killed(path: str) -> None:
        if path.endswith("run_id=r"):
            raise KeyboardInterrupt
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(run.storage, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            run.discard("users")
    assert files(run, "users")
    assert not run.has("users")
    run.discard("users")
    assert files(run, "users") == []


METRICS = [
    ("recall", 10, "for_you", "all", 0.1 + 0.2, -0.0, float("nan"), None, 2**40),
    ("ndcg", 2, "ü" * 40, "", 1.0, None, 0.5, 0.25, 3),
]
FEW = [
    ("recommendation_metrics", "evaluate_recommendations", METRICS),
    ("audit_results", "audit_run", [("a", True, ""), ("b", False, "why"), ("c", None, None)]),
    ("rejected_rows", "ingest_interactions", []),
]


@pytest.mark.parametrize(("table", "job", "rows"), FEW, ids=[table for table, *_ in FEW])
def test_few_rows_are_written_as_spark_would_write_them(run: Run, nights, spark, table: str, job: str, rows) -> None:
    found = run.write_rows(rows, table, job, {"note": 1})
    assert found == run.manifest(table, job)
    assert found["note"] == 1
    frame = run.read(spark, table)
    other = nights.begin(2, "other")
    assert found["digest"] == other.write(frame, table, job)["digest"]
    assert str(sorted(map(tuple, frame.collect()))) == str(sorted(rows))
    assert run.verify(spark, table, job) is None
    run.write_rows([], table, job)
    assert run.rows(table) == 0


def test_two_writers_have_a_folder_and_a_manifest_each(run: Run, spark) -> None:
    def rejects(count: int):
        return spark.range(count).selectExpr("'a' AS source", "'b' AS place", "'c' AS reason", "string(id) AS raw")

    run.write(rejects(2), "rejected_rows", "ingest_tracks")
    run.write(rejects(3), "rejected_rows", "ingest_interactions")
    assert run.storage.names(run.folder("rejected_rows")) == ["job=ingest_interactions", "job=ingest_tracks"]
    assert run.rows("rejected_rows") == 5
    manifests = [run.manifest("rejected_rows", job) or {} for job in TABLES["rejected_rows"].writers[:2]]
    assert [manifest["rows"] for manifest in manifests] == [3, 2]
    found = run.read(spark, "rejected_rows")
    assert found.columns == ["source", "place", "reason", "raw"]
    assert found.count() == 5
    assert spark.read.parquet(run.uri("rejected_rows")).groupBy("job").count().count() == 2
    run.write(rejects(1), "rejected_rows", "ingest_tracks")
    assert run.rows("rejected_rows") == 4, "the other's rows stay"
    run.storage.delete(f"{run.folder('rejected_rows', 'ingest_tracks')}/_manifest.json")
    assert not run.has("rejected_rows"), "one of the two is not written whole"
    assert run.verify(spark, "rejected_rows", "ingest_interactions") is None
    assert run.verify(spark, "rejected_rows", "ingest_tracks") == "not written"
    run.discard("rejected_rows", "ingest_tracks")
    assert run.rows("rejected_rows") == 3


def test_internal_and_nested_tables_lie_in_the_runs_own_folder(run: Run, users, spark) -> None:
    assert run.folder("unweighted") == "_nights/r/unweighted"
    nested = run.nested("evaluation", shared=("tracks",))
    assert nested.folder("users") == "_nights/r/evaluation/users"
    assert nested.folder("tracks") == "tracks/run_id=r"
    nested.write(users, "users", JOB)
    assert nested.rows("users") == 100
    assert not run.has("users")


def test_files_that_are_there_already_are_sealed_as_they_are(run: Run, users, spark) -> None:
    written = run.write(users, "users", JOB)
    run.storage.delete(f"{run.folder('users')}/_manifest.json")
    assert not run.has("users")
    run.seal_existing(spark, "users", JOB)
    assert run.manifest("users") == written


def test_verify_finds_nothing_wrong_where_nothing_is(run: Run, users, spark) -> None:
    run.write(users, "users", JOB)
    assert run.verify(spark, "users", JOB) is None


def test_verify_finds_other_terms(run: Run, users, spark, monkeypatch) -> None:
    run.write(users, "users", JOB)
    for change, due in (
        ({"config_digest": "other"}, "written under another configuration"),
        ({"inputs": [{"file": "log.csv", "digest": "other"}]}, "written from other inputs"),
    ):
        changed = dataclasses.replace(run, record=dataclasses.replace(run.record, **change))
        assert changed.verify(spark, "users", JOB) == due
    monkeypatch.setattr(provenance, "code_version", lambda: "2+other")
    assert run.verify(spark, "users", JOB) == "written by another version of the code"


def test_verify_finds_a_missing_an_added_and_a_changed_file(run: Run, users, spark) -> None:
    run.write(users, "users", JOB)
    first, second, *_ = files(run, "users")
    content = first.read_bytes()
    first.unlink()
    assert run.verify(spark, "users", JOB) == "differs from its manifest"
    first.write_bytes(content)
    assert run.verify(spark, "users", JOB) is None
    (first.parent / "part-9.parquet").write_bytes(content)
    assert run.verify(spark, "users", JOB) == "differs from its manifest"
    (first.parent / "part-9.parquet").unlink()
    second.write_bytes(b"not Parquet at all")
    assert str(run.verify(spark, "users", JOB)).startswith("cannot be read: ")
    for file in files(run, "users"):
        file.unlink()
    assert run.verify(spark, "users", JOB) is not None


def test_verify_finds_a_flipped_byte(run: Run, users, spark) -> None:
    """Wherever it is, unless no value changes by it (in statistics, say), with Spark's checksum files and without."""
    run.write(users.coalesce(1), "users", JOB)
    (file,) = files(run, "users")
    good, checksum = file.read_bytes(), file.with_name(f".{file.name}.crc")
    rows = pq.read_table(file)
    found: list[str] = []
    for with_checksum, position in [(True, 200), *((False, place) for place in flips(good))]:
        if not with_checksum:
            checksum.unlink(missing_ok=True)
        file.write_bytes(good[:position] + bytes([good[position] ^ 0x40]) + good[position + 1 :])
        fault = run.verify(spark, "users", JOB)
        if fault is None:
            assert not with_checksum
            assert pq.read_table(file).equals(rows), f"byte {position}"
        else:
            found.append(fault)
            assert "\n" not in fault
    assert len(found) > 8
    file.write_bytes(good)
    assert run.verify(spark, "users", JOB) is None


def flips(content: bytes) -> Iterator[int]:
    """Places all over a file: its magic, its pages, its footer."""
    yield from range(4, len(content), len(content) // 14)
    yield len(content) - 6


def test_a_table_that_is_served_has_small_row_groups_of_its_own_listeners(run: Run, spark) -> None:
    rows = spark.range(0, 50_000, 1, 1).selectExpr(
        "format_string('u%05d', id div 100) AS user_id", "'for_you' AS list", "cast(id % 100 + 1 AS int) AS rank",
        "'t' AS track_id", "1.0F AS score", "'als' AS source", "cast(null AS string) AS because_track_id",
    )  # fmt: skip
    run.write(rows, "recommendations", "recommend_tracks")
    [file] = files(run, "recommendations")
    found = pq.ParquetFile(file).metadata
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    assert [group.num_rows for group in groups] == [20_000, 20_000, 10_000]
    users_of = [(group.column(0).statistics.min, group.column(0).statistics.max) for group in groups]
    assert users_of == [("u00000", "u00199"), ("u00200", "u00399"), ("u00400", "u00499")]
