"""Embeddings distributed: tracks in partitions, a network a task, Arrow in and out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from musai.devices import choose
from musai.embedding.checkpoints import Checkpoint
from musai.embedding.lessons import lessons_of
from musai.embedding.tracks import DEVICE, Embedded, Embedder, Heard, embedded, opened
from musai.embedding.training import ALONE, Figures, Schedule, Team, train
from musai.errors import InputError
from musai.inputs.places import RAW_CHARACTERS
from musai.scratch import scratch
from musai.session import cores, one_task

REJECT = "source string, place string, reason string, raw string"
SCHEMA = (
    f"track_id string, embedding array<float>, content_hash string, carried boolean, rejects array<struct<{REJECT}>>"
)
GPU_OF_A_TASK = "spark.task.resource.gpu.amount"  # what tells TorchDistributor which card is whose
TRAINED = "embedding/{}"  # name in `models`, by network
ROWS_OUT = 64
TRACKS_A_TASK = 32  # fewer are not worth another network


def embed(tracks: DataFrame, earlier: DataFrame | None, embedder: Embedder, cores: int) -> DataFrame:
    """track_id, embedding (null where no file could be used), content_hash, carried, rejects of all with a file.

    tracks: track_id, audio_path, midi_path; earlier: track_id, embedding, content_hash by the same model, whose rows
    are taken over where the content is the same. Computed once, when it is first used, and kept on disk.
    """
    wanted = tracks.where("audio_path is not null or midi_path is not null")
    wanted = wanted.select("track_id", "audio_path", "midi_path")
    if earlier is None:
        wanted = wanted.withColumns({"content_hash": F.lit(None).cast("string"), "embedding": F.lit(None)})
        wanted = wanted.withColumn("embedding", F.col("embedding").cast("array<float>"))
    else:
        wanted = wanted.join(earlier.select("track_id", "content_hash", "embedding"), "track_id", "left")
    count = wanted.count()
    tasks = max(1, min(-(-count // TRACKS_A_TASK), 4 * cores))
    threads = max(1, cores // tasks)

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows: list[Embedded] = []
        for row in embedded(_heard(batches), embedder, threads):
            rows.append(row)
            if len(rows) == ROWS_OUT:
                yield _batch(rows)
                rows = []
        yield _batch(rows)

    return wanted.repartition(tasks, "track_id").mapInArrow(work, SCHEMA).persist(StorageLevel.DISK_ONLY)


def _heard(batches: Iterator[pa.RecordBatch]) -> Iterator[Heard]:
    for batch in batches:
        for row in batch.to_pylist():
            vector = row["embedding"]
            known = None if vector is None else np.array(vector, np.float32)
            yield Heard(row["track_id"], row["audio_path"], row["midi_path"], row["content_hash"], known)


def _batch(rows: list[Embedded]) -> pa.RecordBatch:
    text, names = pa.string(), ("source", "place", "reason")
    reject = pa.struct([(name, text) for name in (*names, "raw")])
    rejects = [
        [dict(zip(names, one, strict=True), raw=row.track_id[:RAW_CHARACTERS]) for one in row.rejects] for row in rows
    ]
    return pa.record_batch(
        {
            "track_id": pa.array([row.track_id for row in rows], text),
            "embedding": pa.array([row.embedding for row in rows], pa.list_(pa.float32())),
            "content_hash": pa.array([row.content_hash for row in rows], text),
            "carried": pa.array([row.carried for row in rows], pa.bool_()),
            "rejects": pa.array(rejects, pa.list_(reject)),
        }
    )


@dataclasses.dataclass(frozen=True)
class Trained:
    """What `train_embedder` made: safetensors, figures, and the files that could not be used by reason."""

    model: bytes
    figures: Figures
    rejected: dict[str, int]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.model).hexdigest()


def lesson_rows(tracks: DataFrame, items: DataFrame, factors: DataFrame) -> pa.Table:
    """track_id, artist, audio_path, midi_path, factors, interactions of the heard tracks with a file, by track_id."""
    wanted = tracks.where("audio_path is not null or midi_path is not null")
    known = factors.where("exists(factors, x -> x <> 0)")  # not those without weights in the matrix
    rows = wanted.select("track_id", "artist", "audio_path", "midi_path").join(known, "track_id")
    rows = rows.join(items.select("track_id", "interactions"), "track_id")
    return rows.orderBy("track_id").toArrow()


def train_on_executors(
    session: SparkSession, rows: pa.Table, embedder: Embedder, schedule: Schedule, checkpoints: str, processes: int
) -> Trained:
    """Train on `lesson_rows` in one task, or in so many processes at once, each with a GPU where the device is one.

    A checkpoint after every epoch lies in the folder (URI) `checkpoints`, by the digest of all that the training
    depends on. Raises InputError where there is too little to learn from, or no room for so many processes.
    """
    told = [embedder.model, str(processes), *(str(value) for value in dataclasses.astuple(schedule))]
    key = hashlib.sha256("\n".join(told).encode())
    for column in rows.columns:
        key.update(str(column.to_pylist()).encode())
    place = f"{checkpoints}/{key.hexdigest()}.pt"

    if processes > 1:
        return _together(session, rows, embedder, schedule, place, processes)

    def work(threads: int) -> Iterator[pa.RecordBatch]:
        trained = _trained(rows, embedder, schedule, place, threads)
        told = json.dumps({"figures": dataclasses.asdict(trained.figures), "rejected": trained.rejected})
        yield pa.RecordBatch.from_pylist([{"model": trained.model, "told": told}])

    row = one_task(session, work, "model binary, told string", gpu=embedder.device == "gpu").first()
    assert row is not None
    found = json.loads(row["told"])
    return Trained(bytes(row["model"]), Figures(**found["figures"]), found["rejected"])


def _together(
    session: SparkSession, rows: pa.Table, embedder: Embedder, schedule: Schedule, place: str, processes: int
) -> Trained:
    """By PySpark's TorchDistributor: a barrier stage with a process of torchrun in each of its tasks."""
    from pyspark.ml.torch.distributor import TorchDistributor

    slots = cores(session) // int(session.conf.get("spark.task.cpus", "1") or 1)
    if slots < processes:  # a barrier stage that cannot start at once would wait for ever, or fail without a word of it
        raise InputError(f"embedding.train_processes: {processes} do not fit into the {slots} tasks that run at once")
    gpu = embedder.device == "gpu"
    if gpu and not session.conf.get(GPU_OF_A_TASK, None):
        raise InputError(f"embedding.train_processes: {processes} on GPUs need {GPU_OF_A_TASK}=1 of spark-submit")
    distributor = TorchDistributor(num_processes=processes, local_mode=False, use_gpu=gpu)
    found: Trained | str | None = distributor.run(_process, rows, embedder, schedule, place)
    if not isinstance(found, Trained):
        raise InputError(str(found))
    return found


def _process(rows: pa.Table, embedder: Embedder, schedule: Schedule, place: str) -> Trained | str:
    """One of several that train together, as torchrun starts it; a fault of the input comes back as its text."""
    from torch import distributed

    device = choose(embedder.device, DEVICE)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        team = Team(distributed.get_rank(), distributed.get_world_size())
        return _trained(rows, embedder, schedule, place, 1, team)
    except InputError as error:
        return str(error)
    finally:
        distributed.destroy_process_group()


def _trained(
    rows: pa.Table, embedder: Embedder, schedule: Schedule, place: str, threads: int, team: Team = ALONE
) -> Trained:
    import torch
    from safetensors.torch import save

    torch.set_num_threads(threads)
    heard = [Heard(row["track_id"], row["audio_path"], row["midi_path"]) for row in rows.to_pylist()]
    factors = np.array(rows["factors"].to_pylist(), np.float32).reshape(rows.num_rows, -1 if rows.num_rows else 1)
    listeners = rows["interactions"].to_numpy().astype(np.float64)
    network, checkpoint = opened(embedder), Checkpoint(place)
    with tempfile.TemporaryDirectory(dir=scratch("lessons")) as folder:
        artists = rows["artist"].to_pylist()
        lessons, rejected = lessons_of(
            heard, artists, factors, listeners, embedder, pathlib.Path(folder), schedule.seed
        )
        try:
            device = choose(embedder.device, DEVICE)
            figures = train(network, lessons, schedule, device, checkpoint.read(), checkpoint.keep, team)
        except ValueError as error:
            raise InputError(f"train_embedder: {error}") from error
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    return Trained(save(state), figures, rejected)
