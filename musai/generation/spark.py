"""New tracks in Spark tasks, each with its own seed; training in one task; tracks of earlier nights."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import functions as F

from musai.embedding.tracks import Embedder
from musai.emotion.weights import Stored
from musai.errors import InputError
from musai.generation import composer, hearing, judge, making, models
from musai.generation.composer import Wish
from musai.generation.learning import training_of
from musai.generation.making import Maker
from musai.generation.sampling import BLOCK, Sampler
from musai.generation.training import Schedule
from musai.inputs import media
from musai.session import one_task
from musai.storage import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from musai.config import Generation

WISHES = "number int, generated_id string, style string, emotion string, seed bigint, bars int"
MADE = (
    "generated_id string, method string, style string, target_style string, source_track_id string, emotion string, "
    "seed bigint, model string, midi binary, duration_s double, notes int, metrics map<string,double>, "
    "originality struct<longest_run:int,copied_share:double,nearest_track_id:string,verdict:string>, "
    "licence string, provenance string"
)


HEARD = "generated_id string, embedding array<float>, valence double, arousal double"
HEARD_ARROW = pa.schema(
    {"generated_id": pa.string(), "embedding": pa.list_(pa.float32()), "valence": pa.float64(), "arousal": pa.float64()}
)


@dataclasses.dataclass(frozen=True)
class Files:
    """The bytes of a model and its judge; None: those that come with the package on each executor."""

    model: bytes | None = None
    judge: bytes | None = None


def maker(files: Files, settings: Generation) -> Maker:
    """The RNN of the files as a maker of tracks."""
    file = models.read_model(files.model) if files.model else models.shipped(composer.METHOD)
    made = composer.load(file)
    sampler = Sampler(settings.temperature, settings.nucleus)
    make = functools.partial(made.compose, sampler=sampler)
    return Maker(composer.METHOD, made.digest, made.card["sources"], dataclasses.asdict(sampler), make)


def make(session: SparkSession, wishes: Mapping[str, Wish], files: Files, settings: Generation) -> DataFrame:
    """MADE and `refused` string: a row for each wish that came true, and one (generated_id null) for each task, in
    which `refused` is JSON of {style: {reason: pieces}}. Kept on disk: it is made once."""
    rows = [
        (number, name, wish.style, wish.emotion, wish.seed, wish.bars)
        for number, (name, wish) in enumerate(wishes.items())
    ]
    tasks = max(1, -(-len(rows) // BLOCK))
    frame = session.createDataFrame(rows, WISHES).repartition(tasks, F.expr(f"number div {BLOCK}"))
    work = functools.partial(_made, files=files, settings=settings, schema=_arrow_schema())
    made = frame.mapInArrow(work, f"{MADE}, refused string")
    return made.persist(StorageLevel.DISK_ONLY)


def _made(
    batches: Iterator[pa.RecordBatch], files: Files, settings: Generation, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import torch

    torch.set_num_threads(1)  # of one task: its neighbours have the other cores
    asked = sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["number"])
    if not asked:
        return
    own, law = maker(files, settings), judge.read_judge(files.judge) if files.judge else judge.shipped()
    rows: list[dict[str, Any]] = []
    refused: dict[str, dict[str, int]] = {}
    for style in sorted({row["style"] for row in asked}):
        of_style = [row for row in asked if row["style"] == style]
        wishes = [Wish(style, row["emotion"], row["seed"], row["bars"]) for row in of_style]
        tracks, why = making.tracks(own, law, wishes, settings.attempts)
        rows += [
            {"generated_id": row["generated_id"], **track, "metrics": list(track["metrics"].items())}
            for row, track in zip(of_style, tracks, strict=True)
            if track is not None
        ]
        refused[style] = dict(why)
    yield pa.RecordBatch.from_pylist([*rows, {"refused": json.dumps(refused)}], schema)


def heard(tracks: DataFrame, embedder: Embedder, stored: Mapping[str, Stored], tasks: int) -> DataFrame:
    """generated_id, embedding, valence, arousal of generated_id and midi: see `hearing`."""

    def listen(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = [(row["generated_id"], row["midi"]) for batch in batches for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(list(hearing.heard(sorted(rows), embedder, stored, 1)), HEARD_ARROW)

    return tracks.select("generated_id", "midi").repartition(tasks, "generated_id").mapInArrow(listen, HEARD)


def _arrow_schema() -> pa.Schema:
    """Of what `_made` gives; only the driver can read Spark's notation."""
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import DataType, StructType

    schema = DataType.fromDDL(f"{MADE}, refused string")
    assert isinstance(schema, StructType)
    return to_arrow_schema(schema)


def published(storage: Storage, row: Mapping[str, Any] | None) -> Files:
    """The files of a row of `models`; without one, those that ship. Raises InputError where one is missing."""
    if row is None:
        return Files()
    found = {name: storage.read(f"{row['path']}/{name}.safetensors") for name in ("model", "judge")}
    if missing := [name for name, data in found.items() if data is None]:
        raise InputError(f"{row['path']}/{missing[0]}.safetensors is missing: run train_generators again")
    return Files(**found)


def model_name(method: str) -> str:
    return f"generation/{method}"


@dataclasses.dataclass(frozen=True)
class Trained:
    """`rejected`: files by reason."""

    model: bytes
    judge: bytes
    rejected: dict[str, int]

    @property
    def file(self) -> models.ModelFile:
        return models.read_model(self.model)

    @property
    def summary(self) -> str:
        first, last = (self.file.card["nats_a_note"][place][1] for place in (0, -1))
        return f"{last:.3f} nats a note on held-out tracks after {first:.3f}"


def training_rows(tracks: DataFrame, settings: Generation) -> list[tuple[str, str, str, str]]:
    """(track_id, style, midi_path, licence) of the tracks that may be learnt from, in order of their ids."""
    styles = {genre.lower(): style for style, genres in settings.styles.items() for genre in genres}
    allowed = tracks.where(F.col("midi_path").isNotNull() & F.col("licence").isin(settings.licences))
    rows = allowed.select("track_id", F.lower("genre").alias("genre"), "midi_path", "licence").orderBy("track_id")
    return [(r[0], styles[r[1]], r[2], r[3]) for r in rows.collect() if r[1] in styles]


def train_in_one_task(
    session: SparkSession, rows: list[tuple[str, str, str, str]], roots: Sequence[str], settings: Generation, seed: int
) -> Trained:
    """Train on MIDI files under `inputs.media_roots`. Raises InputError where too few of them can be used."""
    placed = ((name, style, media.located(path, roots), licence) for name, style, path, licence in rows)
    paths = [(name, style, place, licence) for name, style, place, licence in placed if place is not None]
    schedule = Schedule(minutes=settings.train_minutes, seed=seed + 1)

    def work(threads: int) -> Iterator[pa.RecordBatch]:
        import torch

        torch.set_num_threads(threads)
        model, law, rejected = training_of(paths, schedule)
        yield pa.RecordBatch.from_pylist([{"model": model, "judge": law, "rejected": json.dumps(rejected)}])

    row = one_task(session, work, "model binary, judge binary, rejected string").first()
    assert row is not None
    return Trained(bytes(row["model"]), bytes(row["judge"]), json.loads(row["rejected"]))


def kept(earlier: DataFrame, lately: DataFrame | None, keep: int) -> DataFrame:
    """The `keep` newest of the earlier tracks, and those that stand in `lately` (track_id) besides."""
    newest = earlier.orderBy(F.col("created_run_id").desc(), "generated_id").limit(keep)
    if lately is None:
        return newest
    named = lately.select(F.col("track_id").alias("generated_id")).distinct()
    return newest.unionByName(earlier.join(named, "generated_id", "left_semi")).dropDuplicates(["generated_id"])
