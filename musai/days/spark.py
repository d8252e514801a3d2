"""Files of the log distributed: what is kept of them, and the merging of that to one row a pair."""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import datetime as dt
import functools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import StorageLevel, TaskContext
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from musai.days import folders, sums
from musai.days.folders import GOOD, REJECTED, Judge, Kept, begins
from musai.inputs import places
from musai.inputs import spark as inputs
from musai.inputs.headers import Survey
from musai.session import cores, each_number
from musai.storage import Storage
from musai.warehouse import task_files
from musai.warehouse.task_files import Place

COLUMNS = {  # of REJECTED
    "file": "string",
    "line": "bigint",
    "reason": "string",
    "raw": "binary",
    "unknown": "boolean",  # null: what was left out of `raw` is of an erased user
    "user_id": "string",
}
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
BAD = {  # what `inputs.bad_row` gives
    "file": "string", "block": "bigint", "row": "bigint", "line": "bigint", "reason": "string", "raw": "binary",
    "unknown": "boolean",
}  # fmt: skip
NOTED = ("file", "block", "row", "line", "unknown", "raw", "reason")  # in a note, the last of any text
SEPARATOR = "\x1f"
FEW = 8  # one in so many
ARROW = {"string": pa.string(), "bigint": pa.int64(), "binary": pa.binary(), "boolean": pa.bool_()}
BAD_TYPE = pa.struct([(name, ARROW[kind]) for name, kind in BAD.items()])
SPLIT = "told string, user_id string, bad struct<{}>".format(", ".join(f"{n}: {kind}" for n, kind in BAD.items()))
SPLIT_NAMES = ["told", "user_id", "bad"]
COUNTED = ("rejected", "erased", "outside", "header", "blank")
TOGETHER = ""  # in place of a file's identity and name, in a folder that is not kept
LARGE_BATCHES = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(1 << 24),
}
RUN_BYTES = 1 << 28  # of rows of the log, that a task holds before it writes what they add up to
KEYS = (*sums.PAIR, "file", "_day")
MERGED = f"{task_files.PARTS}, used bigint, outside bigint, erased bigint"
TABLE = "interactions"

Batches = Iterator[pa.RecordBatch]


def note(bad: str) -> str:
    """A SQL expression: what NOTED says of `bad`, one for `inputs.bad_row`, as one text (JSON takes longer)."""
    texts = {name: f"coalesce(CAST(({bad}).{name} AS string), '')" for name in NOTED} | {"raw": f"base64(({bad}).raw)"}
    return f"concat_ws('{SEPARATOR}', {', '.join(texts.values())})"


@dataclasses.dataclass(frozen=True)
class Delivery:
    """Files that are read now.

    rows, of which each column costs its time on the way to the tasks: user_id, track_id, `_micro` and the moment `_at`
    of a row that may count, whose `_note` is null. Of others `_note` is the status (of COUNTED); of rejected ones what
    NOTED says of `inputs.bad_row`, with user_id where it has one, and `_at` where that is in the future. Of days that
    are kept `_file` too (as Spark names it), and `_day`.
    """

    rows: DataFrame
    survey: Survey
    identities: Mapping[str, str]  # by path, as `places.plain` gives it

    @property
    def is_kept(self) -> bool:
        return "_file" in self.rows.columns

    @property
    def names(self) -> dict[str, str]:
        """The input's name of each file by its identity; where rows do not tell their file, of all together."""
        if not self.is_kept:
            return {TOGETHER: TOGETHER}
        return {self.identities[path]: name for path, name in inputs.named(self.survey).items()}


@dataclasses.dataclass(frozen=True)
class Written:
    """A day folder's manifest, which `day_folders.seal` makes it count with. Of one that is not kept `rejected` is not
    written: the columns of REJECTED, to be asked for until `release`."""

    manifest: dict[str, Any]
    rejected: DataFrame
    split: DataFrame

    def release(self) -> None:
        self.split.unpersist()


def write(storage: Storage, path: str, delivery: Delivery, judge: Judge) -> Written:
    """Write the parts of a day folder."""
    good = f"{path}/{GOOD}"
    split = delivery.rows.mapInArrow(_split(storage.uri(good), delivery.identities), SPLIT)
    split = split.persist(StorageLevel.DISK_ONLY)  # read once; what is told of it holds for what is rejected
    with _large_batches(split.sparkSession):
        told = [json.loads(row["told"]) for row in split.where("told IS NOT NULL").select("told").collect()]
    runs = [name for one in told for name in one["runs"]]
    if not runs:
        runs = ["part-00000.zstd.parquet"]
        sums.write(sums.SCHEMA.empty_table(), storage.uri(f"{good}/{runs[0]}"))
    files = _described(told, delivery.names)
    rejected = _rejected_of(delivery, judge, split, told)
    if delivery.is_kept:
        where = storage.spark_uri(f"{path}/{REJECTED}")
        rejected.write.mode("error").option("compression", "zstd").parquet(where)
        split.unpersist()
        rejected = split.sparkSession.read.schema(SCHEMA).parquet(where)
        redacted = rejected.where("unknown IS NULL").select("file").distinct().collect() if judge.erased else []
        for row in redacted:
            files[row["file"]]["left_out"] = True
    for name in set(storage.names(good)) - set(runs):  # of tasks that were tried again, or whose rows Spark had lost
        storage.delete(f"{good}/{name}")
    manifest = {
        "key": judge.key,
        "erased": begins(judge.erased, len(judge.erased)),
        "files": files,
        "parts": folders.parts(storage, path) if delivery.is_kept else dict.fromkeys(folders.names(storage, path)),
    }
    return Written(manifest, rejected, split)


def _split(folder: str, identities: Mapping[str, str]) -> Callable[[Batches], Batches]:
    """For mapInArrow: writes the good rows' sums as runs into a folder (URI), passes on the bad ones, and tells (as
    JSON, at the end) the names of the runs and what is counted of each file."""

    def split(batches: Batches) -> Batches:
        context = TaskContext.get()
        prefix = f"part-{context.partitionId() if context else 0:05d}"
        every = pa.array(sorted(set(identities.values())), pa.string())
        waiting: list[pa.Table] = []
        size = 0
        runs: list[str] = []
        counted: dict[str, _Counted] = collections.defaultdict(_Counted)

        def write_run() -> None:
            runs.append(f"{prefix}-{uuid.uuid4()}.zstd.parquet")
            sums.write(sums.added_up(pa.concat_tables(waiting), KEYS), f"{folder}/{runs[-1]}")
            waiting.clear()

        for batch in batches:
            for name, rows in _by_file(batch, identities):
                good, others = _parted(rows)
                bad = _opened(others)
                counted[name].add(good, others, bad)
                if good.num_rows:
                    code = pa.array(np.full(len(good), every.index(name).as_py() if name else 0, np.int32))
                    file = pa.DictionaryArray.from_arrays(code, every) if name else pa.nulls(len(good), pa.string())
                    waiting.append(sums.opened(good, file))
                    size += waiting[-1].nbytes
                if size >= RUN_BYTES:
                    write_run()
                    size = 0
                if len(bad):
                    users = others.filter(_is_bad(others))["user_id"]
                    yield pa.record_batch([pa.nulls(len(bad), pa.string()), users, bad], SPLIT_NAMES)
        if waiting:
            write_run()
        told = json.dumps({"runs": runs, "files": {name: dataclasses.asdict(one) for name, one in counted.items()}})
        yield pa.record_batch([pa.array([told]), pa.nulls(1, pa.string()), pa.nulls(1, BAD_TYPE)], SPLIT_NAMES)

    return split


def _by_file(batch: pa.RecordBatch, identities: Mapping[str, str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(identity of a file, its rows); all as TOGETHER where they do not tell their file."""
    if "_file" not in batch.schema.names:
        yield TOGETHER, batch
        return
    path = batch["_file"].dictionary_encode()
    for code, name in enumerate(path.dictionary.to_pylist()):
        whole = len(path.dictionary) == 1
        yield identities[places.plain(name)], batch if whole else batch.filter(pc.equal(path.indices, code))


def _parted(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """(those that may count, the others); among the former a few others may be left, which have no track."""
    noted = rows["_note"].is_valid()
    if not noted.true_count:
        return rows, rows.slice(rows.num_rows)
    few = noted.true_count * FEW < rows.num_rows  # to leave them out would copy all the rest
    return rows if few else rows.filter(pc.invert(noted)), rows.filter(noted)


def _is_bad(others: pa.RecordBatch) -> pa.Array:
    return pc.match_substring(others["_note"], SEPARATOR)


def _opened(others: pa.RecordBatch) -> pa.Array:
    """What the rejected ones among them say, as BAD."""
    found = [text.split(SEPARATOR, len(NOTED) - 1) for text in others["_note"].filter(_is_bad(others)).to_pylist()]
    texts = dict(zip(NOTED, zip(*found, strict=True), strict=True)) if found else dict.fromkeys(NOTED, ())
    columns = {name: _known(pa.array(texts[name], pa.string())).cast(ARROW[BAD[name]]) for name in NOTED}
    columns["raw"] = pa.array(map(base64.b64decode, texts["raw"]), pa.binary())
    return pa.StructArray.from_arrays([columns[one.name] for one in BAD_TYPE], fields=BAD_TYPE)


def _known(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), None, texts)


@contextlib.contextmanager
def _large_batches(spark: SparkSession) -> Iterator[None]:
    """More rows at a time on their way to Python, if they are short."""
    before = {name: spark.conf.get(name) for name in LARGE_BATCHES}
    try:
        for name, value in LARGE_BATCHES.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, known in before.items():
            spark.conf.set(name, known or "")


@dataclasses.dataclass
class _Counted:
    """Of a file, in one task: rows by status, the latest moment of a good one and the earliest of a rejected one
    (microseconds since 1970; None: none is known), and the paths in which the lines of rejects are still to be
    counted."""

    rows: dict[str, int] = dataclasses.field(default_factory=dict)
    latest: int | None = None
    future: int | None = None
    unnumbered: list[str] = dataclasses.field(default_factory=list)

    def add(self, good: pa.RecordBatch, others: pa.RecordBatch, bad: pa.Array) -> None:
        rejected = _is_bad(others)
        statuses = others["_note"].filter(pc.invert(rejected))
        found = {one["values"]: one["counts"] for one in pc.value_counts(statuses).to_pylist()}
        for status, number in {**found, "rejected": len(bad)}.items():
            self.rows[status] = self.rows.get(status, 0) + number
        latest = pc.max(pc.if_else(good["track_id"].is_valid(), good["_at"], None).cast(pa.int64())).as_py()
        future = pc.min(others["_at"].filter(rejected).cast(pa.int64())).as_py()
        self.latest = max((one for one in (self.latest, latest) if one is not None), default=None)
        self.future = min((one for one in (self.future, future) if one is not None), default=None)
        paths = bad.field("file").filter(bad.field("line").is_null()).unique().to_pylist()
        self.unnumbered += [path for path in paths if path not in self.unnumbered]


def _described(told: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """identity -> what the manifest says of a file: its name then, rows by status, and what its judgement hangs on."""
    files: dict[str, dict[str, Any]] = {
        file: {"name": name, **dict.fromkeys(COUNTED, 0), "latest": None, "future": None, "left_out": False}
        for file, name in names.items()
    }
    for file, one in ((file, one) for task in told for file, one in task["files"].items()):
        known = files[file]
        for status in COUNTED:
            known[status] += one["rows"].get(status, 0)
        for name, choose in (("latest", max), ("future", min)):
            known[name] = choose((at for at in (known[name], one[name]) if at is not None), default=None)
        known["left_out"] |= known["erased"] > 0
    return {file: one | {name: _moment(one[name]) for name in ("latest", "future")} for file, one in files.items()}


def _moment(micros: int | None) -> str | None:
    """As text; the end of time for what Python's calendar does not reach."""
    if micros is None:
        return None
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)).isoformat()
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC).isoformat()


def _rejected_of(delivery: Delivery, judge: Judge, split: DataFrame, told: Sequence[Mapping[str, Any]]) -> DataFrame:
    """The columns of REJECTED."""
    of_files = [one for task in told for one in task["files"].values()]
    bad = split.where("bad IS NOT NULL").select("user_id", "bad.*")
    if not any(one["rows"].get("rejected") for one in of_files):
        bad = bad.limit(0)  # nothing is read for it
    unnumbered = {path for one in of_files for path in one["unnumbered"]}
    bad = inputs.numbered(split.sparkSession, delivery.survey, bad, unnumbered)
    return bad.mapInArrow(_redacted(judge.erased, delivery.identities), SCHEMA)


def _redacted(erased: Sequence[str], identities: Mapping[str, str]) -> Callable[[Batches], Batches]:
    """For mapInArrow: the columns of REJECTED with a file's identity in place of its path. A row of an unknown user in
    which an erased id stands is not kept; that there was one, is."""
    holds = places.holds_any(erased)

    def redact(batches: Batches) -> Batches:
        for batch in batches:
            path, raw, unknown = batch["file"].dictionary_encode(), batch["raw"], batch["unknown"]
            names = pa.array([identities[places.plain(file)] for file in path.dictionary.to_pylist()], pa.string())
            if erased:
                pairs = list(zip(raw.to_pylist(), unknown.to_pylist(), strict=True))
                named = [bool(is_unknown and row and holds(row)) for row, is_unknown in pairs]
                raw = pc.if_else(named, places.ERASED.encode(), raw)
                unknown = pc.if_else(named, None, unknown)
            changed = {"file": names.take(path.indices), "raw": raw, "unknown": unknown}
            yield pa.record_batch({name: changed.get(name, batch[name]) for name in COLUMNS})

    return redact


def rejected(spark: SparkSession, storage: Storage, kept: Sequence[Kept]) -> DataFrame:
    """The rows of REJECTED that a night takes from the folders."""
    whole = [one for one in kept if one.whole]
    frames = [_rejected(spark, storage, whole)] if whole else []
    frames += [_rejected(spark, storage, [one]).where(F.col("file").isin(*one.files)) for one in kept if not one.whole]
    return functools.reduce(DataFrame.union, frames)


def _rejected(spark: SparkSession, storage: Storage, kept: Sequence[Kept]) -> DataFrame:
    return spark.read.schema(SCHEMA).parquet(*(storage.spark_uri(f"{one.path}/{REJECTED}") for one in kept))


def counts(kept: Sequence[Kept]) -> dict[str, int]:
    """Rows by status, but for the good ones."""
    files = [one.manifest["files"][file] for one in kept for file in one.files]
    return {status: sum(file[status] for file in files) for status in COUNTED}


def merge(
    spark: SparkSession, storage: Storage, kept: Sequence[Kept], night: sums.Night, place: Place
) -> tuple[list[Row], dict[str, int]]:
    """Write the interactions to their place: its files as rows of `task_files.PARTS`, and what became of the events
    that the folders hold (used, outside, erased)."""
    runs = [
        sums.Run(storage.uri(f"{one.path}/{part}"), None if one.whole else one.files)
        for one in kept
        for part in one.manifest["parts"]  # not what lies there: `musai forget` may just have removed it
        if part.startswith(f"{GOOD}/")
    ]
    listeners = sums.ranges(runs, 2 * cores(spark))

    def work(number: int) -> Batches:
        found = sums.merged(runs, listeners[number], night)
        rows = found.rows.to_batches(task_files.GROUP_ROWS)
        for part in task_files.stored(((TABLE, batch) for batch in rows), {TABLE: place}, number):
            yield _widened({name: part[name] for name in part.schema.names})
        yield _widened({name: pa.array([getattr(found, name)]) for name in ("used", "outside", "erased")})

    rows = each_number(spark, len(listeners), work, MERGED).collect()
    numbers = {name: sum(row[name] or 0 for row in rows) for name in ("used", "outside", "erased")}
    return [row for row in rows if row["table"] is not None], numbers


def _widened(columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """A row of MERGED, null where there is no column."""
    fields = [field.split() for field in MERGED.split(", ")]
    return pa.record_batch({name: columns.get(name, pa.nulls(1, ARROW[kind])) for name, kind in fields})
