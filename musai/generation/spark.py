"""New tracks in Spark tasks, each with its own seed, from what is wanted and what may be transferred; training in one
task; tracks of earlier nights."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import functions as F

from musai.embedding.tracks import Embedder
from musai.emotion.weights import Stored
from musai.errors import InputError
from musai.generation import composer, gan_composer, hearing, makers, making, models, style_transfer
from musai.generation.gan_training import GanSchedule
from musai.generation.learning import training_of
from musai.generation.makers import Files
from musai.generation.plan import Cell, Order, SourceTrack
from musai.generation.sampling import BLOCK
from musai.generation.training import Schedule
from musai.generation.wishes import Source, Wish
from musai.inputs import media
from musai.music.midi import read_midi
from musai.session import one_task
from musai.storage import Storage

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from musai.config import Generation

ORDERS = (
    "task int, number int, generated_id string, method string, style string, emotion string, seed bigint, bars int, "
    "source_track_id string, source_path string, source_licence string"
)
MADE = (
    "generated_id string, method string, style string, target_style string, source_track_id string, emotion string, "
    "seed bigint, model string, midi binary, duration_s double, notes int, metrics map<string,double>, "
    "originality struct<longest_run:int,copied_share:double,nearest_track_id:string,verdict:string>, "
    "licence string, provenance string"
)

HEARD = "generated_id string, embedding array<float>, valence double, arousal double"
UNKNOWN_LICENCE = "a source of unknown licence"
NO_DERIVATIVES = "a source whose licence is not in generation.transfer_licences"
TRAINING = {composer.METHOD: 2 / 3, gan_composer.METHOD: 1 / 3}  # of generation.train_minutes
SOUNDS = 2_000  # tracks of a style by whose embeddings new ones are judged
_BYTES = [pa.field(name, pa.binary()) for name in ("rnn", "gan", "judge")]
HEARD_ARROW = pa.schema(
    {"generated_id": pa.string(), "embedding": pa.list_(pa.float32()), "valence": pa.float64(), "arousal": pa.float64()}
)


def make(
    session: SparkSession, orders: Sequence[Order], files: Files, settings: Generation, roots: Sequence[str]
) -> DataFrame:
    """MADE and `refused` string: a row for each order that came true, and one (generated_id null) for each task, in
    which `refused` is JSON of [[method, style, reason, pieces]]. Kept on disk: it is made once.

    Sources are read from `roots` (`inputs.media_roots`) alone.
    """
    rows = [_row(*placed) for placed in _placed(orders)]
    tasks = len({row[0] for row in rows}) or 1
    frame = session.createDataFrame(rows, ORDERS).repartitionByRange(tasks, "task")
    work = functools.partial(_made, files=files, settings=settings, roots=tuple(roots), schema=_arrow_schema())
    made = frame.mapInArrow(work, f"{MADE}, refused string")
    return made.persist(StorageLevel.DISK_ONLY)


def _placed(orders: Sequence[Order]) -> Iterator[tuple[int, int, Order]]:
    """(task, number, order): a task makes tracks of one method, as many as the network samples at once."""
    task = 0
    for method in makers.METHODS:
        own = [(number, order) for number, order in enumerate(orders) if order.method == method]
        for place, (number, order) in enumerate(own):
            yield task + place // BLOCK, number, order
        task += -(-len(own) // BLOCK)


def _row(task: int, number: int, order: Order) -> tuple[Any, ...]:
    source = order.source
    of_source = (source.track_id, source.path, source.licence) if source else (None, None, None)
    return (
        task, number, order.generated_id, order.method, order.style, order.emotion, order.seed, order.bars, *of_source
    )  # fmt: skip


def _made(
    batches: Iterator[pa.RecordBatch], files: Files, settings: Generation, roots: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import torch

    torch.set_num_threads(1)  # of one task: its neighbours have the other cores
    asked = sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["number"])
    rows: list[dict[str, Any]] = []
    refused: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for method in sorted({row["method"] for row in asked}):
        wishes: dict[str, Wish] = {}
        for row in (row for row in asked if row["method"] == method):
            try:
                wishes[row["generated_id"]] = _wish(row, roots)
            except InputError as error:
                refused[method, row["style"], f"a source that cannot be read: {error.faults[0]}"] += 1
        tracks, why = making.tracks(
            makers.maker(method, files, settings), files.law(), list(wishes.values()), settings.attempts
        )
        refused.update({(method, style, reason): count for (style, reason), count in why.items()})
        rows += [
            {"generated_id": name, **track, "metrics": list(track["metrics"].items())}
            for name, track in zip(wishes, tracks, strict=True)
            if track is not None
        ]
    if asked:
        said = json.dumps([[*key, count] for key, count in sorted(refused.items())])
        yield pa.RecordBatch.from_pylist([*rows, {"refused": said}], schema)


def _wish(row: Mapping[str, Any], roots: Sequence[str]) -> Wish:
    """Raises InputError where the source is no MIDI file within the roots."""
    if row["source_track_id"] is None:
        return Wish(row["style"], row["emotion"], row["seed"], row["bars"])
    path = media.located(row["source_path"], roots)
    if path is None:
        raise InputError("outside inputs.media_roots")
    try:
        source = Source(row["source_track_id"], row["source_licence"], read_midi(path))
    except OSError as error:
        raise InputError(error.strerror or "cannot be opened") from error
    return Wish(row["style"], style_transfer.emotion_of(source.piece), row["seed"], source.piece.bars, source=source)


def demand(
    interactions: DataFrame, tracks: DataFrame, emotions: DataFrame, settings: Generation
) -> tuple[dict[Cell, float], dict[Cell, int]]:
    """(plays, tracks) of the catalogue by style and emotion, as `plan.wanted` takes them."""
    plays = interactions.groupBy("track_id").agg(F.sum(F.col("plays").cast("decimal(20, 6)")).alias("plays"))
    felt = tracks.withColumn("style", _style(settings)).join(emotions.select("track_id", "label"), "track_id", "inner")
    cells = felt.where("style is not null").join(plays, "track_id", "left").groupBy("style", "label")
    rows = cells.agg(F.coalesce(F.sum("plays"), F.lit(0)).alias("plays"), F.count("*").alias("tracks")).collect()
    played = {(row["style"], row["label"]): float(row["plays"]) for row in rows}
    return played, {(row["style"], row["label"]): row["tracks"] for row in rows}


def sources(
    tracks: DataFrame, settings: Generation, seed: int, date: dt.date
) -> tuple[list[SourceTrack], dict[str, int]]:
    """(tracks that may be transferred, as many as there are new tracks at most, drawn by seed and date; how many may
    not, by reason)."""
    notes = tracks.where("midi_path is not null").withColumn("style", _style(settings))
    allowed = F.col("licence").isin(settings.transfer_licences)
    unknown = F.coalesce(F.trim("licence"), F.lit("")) == ""
    why = F.when(unknown, UNKNOWN_LICENCE).when(~allowed, NO_DERIVATIVES)
    counted = notes.groupBy(why.alias("reason")).count().where("reason is not null").collect()
    lot = F.xxhash64("track_id", F.lit(seed), F.lit(f"{date}"))
    targets = set(settings.transfer_to)
    other = F.lit(True) if len(targets) > 1 else ~F.coalesce(F.col("style"), F.lit("")).isin(list(targets))
    rows = notes.where(allowed & other).orderBy(lot, "track_id").limit(settings.tracks).collect()
    drawn = [SourceTrack(row["track_id"], row["style"], row["midi_path"], row["licence"]) for row in rows]
    return drawn, {row["reason"]: row["count"] for row in counted}


def sounds_by_style(tracks: DataFrame, embeddings: DataFrame, settings: Generation) -> dict[str, np.ndarray]:
    """Style -> embeddings float32 [n, E] of the catalogue's tracks, SOUNDS of them at most, drawn by their ids."""
    rows = tracks.withColumn("style", _style(settings)).join(embeddings, "track_id", "inner")
    found = {}
    for style in sorted(settings.styles):
        own = rows.where(F.col("style") == style).orderBy(F.xxhash64("track_id"), "track_id").limit(SOUNDS)
        if vectors := [row["embedding"] for row in own.select("embedding").collect()]:
            found[style] = np.array(vectors, np.float32)
    return found


def _style(settings: Generation) -> Column:
    """Our style of a track by its genre, null where it is none of ours."""
    styles = {genre.lower(): style for style, genres in settings.styles.items() for genre in genres}
    if not styles:
        return F.lit(None).cast("string")
    return F.create_map(*(F.lit(text) for pair in styles.items() for text in pair))[F.lower("genre")]


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


def published(storage: Storage, rows: Mapping[str, Mapping[str, Any] | None]) -> Files:
    """The files of the rows of `models` by method; without one of the RNN, those that ship. Raises InputError where
    one is missing."""
    rnn, gan = rows[composer.METHOD], rows[gan_composer.METHOD]
    if rnn is None:
        return Files()

    def content(row: Mapping[str, Any], name: str) -> bytes:
        data = storage.read(f"{row['path']}/{name}.safetensors")
        if data is None:
            raise InputError(f"{row['path']}/{name}.safetensors is missing: run train_generators again")
        return data

    return Files(content(rnn, "model"), content(gan, "model") if gan else None, content(rnn, "judge"))


def model_name(method: str) -> str:
    return f"generation/{method}"


@dataclasses.dataclass(frozen=True)
class Trained:
    """`gan` None: no style has phrases for one; `rejected`: files by reason."""

    rnn: bytes
    gan: bytes | None
    judge: bytes
    rejected: dict[str, int]

    @property
    def files(self) -> dict[str, tuple[bytes, models.ModelFile]]:
        """By method."""
        found = {composer.METHOD: self.rnn, gan_composer.METHOD: self.gan}
        return {method: (data, models.read_model(data)) for method, data in found.items() if data is not None}

    @property
    def summary(self) -> str:
        card = models.read_model(self.rnn).card
        first, last = (card["nats_a_note"][place][1] for place in (0, -1))
        return f"{last:.3f} nats a note on held-out tracks after {first:.3f}"


def training_rows(tracks: DataFrame, settings: Generation) -> list[tuple[str, str, str, str]]:
    """(track_id, style, midi_path, licence) of the tracks that may be learnt from, in order of their ids."""
    styles = {genre.lower(): style for style, genres in settings.styles.items() for genre in genres}
    allowed = tracks.where(F.col("midi_path").isNotNull() & F.col("licence").isin(settings.licences))
    rows = allowed.select("track_id", F.lower("genre").alias("genre"), "midi_path", "licence").orderBy("track_id")
    return [(r[0], styles[r[1]], r[2], r[3]) for r in rows.collect() if r[1] in styles]


def train_in_one_task(
    session: SparkSession, rows: list[tuple[str, str, str, str]], roots: Sequence[str], settings: Generation, seed: int,
    checkpoints: str,
) -> Trained:  # fmt: skip
    """Train on MIDI files under `inputs.media_roots`; begun again after a kill it goes on from what lies in the folder
    (URI) `checkpoints`. Raises InputError where too few of them can be used, or the device is not there."""
    placed = ((name, style, media.located(path, roots), licence) for name, style, path, licence in rows)
    paths = [(name, style, place, licence) for name, style, place, licence in placed if place is not None]
    minutes = {name: settings.train_minutes * share for name, share in TRAINING.items()}
    schedule = Schedule(minutes=minutes[composer.METHOD], seed=seed + 1, device=settings.device)
    gan_schedule = GanSchedule(minutes=minutes[gan_composer.METHOD], seed=seed + 1, device=settings.device)

    def work(threads: int) -> Iterator[pa.RecordBatch]:
        import torch

        torch.set_num_threads(threads)
        rnn, gan, law, rejected = training_of(paths, schedule, gan_schedule, makers.sampler_of(settings), checkpoints)
        row = {"rnn": rnn, "gan": gan, "judge": law, "rejected": json.dumps(rejected)}
        yield pa.RecordBatch.from_pylist([row], pa.schema([*_BYTES, pa.field("rejected", pa.string())]))

    made = "rnn binary, gan binary, judge binary, rejected string"
    row = one_task(session, work, made, gpu=settings.device != "cpu").first()
    assert row is not None
    gan = None if row["gan"] is None else bytes(row["gan"])
    return Trained(bytes(row["rnn"]), gan, bytes(row["judge"]), json.loads(row["rejected"]))


def kept(earlier: DataFrame, lately: DataFrame | None, keep: int) -> DataFrame:
    """The `keep` newest of the earlier tracks, and those that stand in `lately` (track_id) besides."""
    newest = earlier.orderBy(F.col("created_run_id").desc(), "generated_id").limit(keep)
    if lately is None:
        return newest
    named = lately.select(F.col("track_id").alias("generated_id")).distinct()
    return newest.unionByName(earlier.join(named, "generated_id", "left_semi")).dropDuplicates(["generated_id"])
