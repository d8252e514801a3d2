"""What scoring needs of the models, as arrays that every task of a node maps into memory once.

The first task on a node reads the run's Parquet tables with pyarrow, batch by batch, and writes plain .npy files into
a folder named by the digests of those tables; all others, there and later, map them. Nothing passes through the driver.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from musai.config import Factorization, Similarity
from musai.ranking import cache, extras, moods, predicted
from musai.ranking.extras import Extras
from musai.similarity.neighbours import NO_NEIGHBOUR, Neighbours
from musai.storage import file_system


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the tables lie (URIs) and which settings shape the arrays; `digest` names the tables' contents."""

    items: str
    neighbours: str | None
    factors: str | None
    tracks: str | None
    blocked: tuple[str, ...]
    exclude_explicit: bool
    methods: tuple[str, ...]
    digest: str
    matrix: str | None = None
    users: int = 0
    similarity: Similarity | None = None
    seed: int = 0
    emotions: str | None = None
    min_confidence: float = 0.0
    calibrate_by: str | None = None
    popularity_by: str | None = None
    folding: Factorization | None = None


@dataclasses.dataclass
class Models:
    """n tracks: those of `items` first (0..known-1), then those of the catalogue that nobody has heard.

    track_ids: n texts; popularity float32 [known]: listeners; place to fresh as in `top.Tracks`, near_* as in
    `kernels.Near`, mood_* as in `moods.Moods`; factors float32 [known, f] or None; extras: what few settings need.
    """

    track_ids: pa.Array
    known: int
    methods: tuple[str, ...]
    place: np.ndarray
    popularity: np.ndarray
    artist: np.ndarray
    by_artist: np.ndarray
    of_artist: np.ndarray
    blocked: np.ndarray
    fresh: np.ndarray
    near_indptr: np.ndarray
    near_indices: np.ndarray
    near_scores: np.ndarray
    factors: np.ndarray | None
    predictors: dict[str, predicted.Predictor] = dataclasses.field(default_factory=dict)
    mood_starts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(moods.NAMES) + 1, np.int64))
    mood_tracks: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, np.int32))
    extras: Extras = dataclasses.field(default_factory=Extras)


ARRAYS = tuple(field.name for field in dataclasses.fields(Models) if field.type == "np.ndarray")


def opened(sources: Sources) -> Models:
    """Map the arrays, building them first where this node lacks them."""
    return _mapped(cache.folder(_key(sources), lambda folder: _build(sources, folder)), sources)


def dropped(sources: Sources) -> None:
    """Remove the arrays of this node; on a cluster other nodes drop theirs when they are stale."""
    cache.drop(_key(sources))


def _track_factors(uri: str, known: int) -> np.ndarray:
    """float32 [known, f]; zeros for a track without a row."""
    factors = np.zeros((known, 0), np.float32)
    for batch in _batches(uri, ["row_index", "factors"], ds.field("side") == "track"):
        vectors = batch["factors"].flatten().to_numpy().reshape(batch.num_rows, -1)
        if not factors.shape[1]:
            factors = np.zeros((known, vectors.shape[1]), np.float32)
        factors[batch["row_index"].to_numpy()] = vectors
    return factors


def _key(sources: Sources) -> str:
    return json.dumps(dataclasses.asdict(sources), sort_keys=True, default=lambda section: section.model_dump())


def _dataset(uri: str) -> ds.Dataset:
    """A table's folder, whatever file system it lies on."""
    system, path = file_system(uri)
    return ds.dataset(path, format="parquet", filesystem=system, partitioning=None)


def _batches(uri: str, columns: Sequence[str], where: pc.Expression) -> Iterator[pa.RecordBatch]:
    """Those rows in pieces; without rows there may be no batch at all."""
    found = _dataset(uri).to_batches(columns=list(columns), filter=where, use_threads=False)
    return (batch for batch in found if batch.num_rows)


def _build(sources: Sources, folder: pathlib.Path) -> None:
    ids = _build_tracks(sources, folder)
    with pa.OSFile(str(folder / "track_ids.arrow"), "wb") as file:
        batch = pa.record_batch({"track_id": ids})
        with pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
    known = len(np.load(folder / "place.npy", mmap_mode="r"))
    if sources.factors:
        np.save(folder / "factors.npy", _track_factors(sources.factors, known))
    _build_neighbours(sources, known, folder)
    if methods := predicted.asked(sources.methods):
        assert sources.similarity
        near = _square_neighbours(folder, sources.methods, "mean_centred", known)
        of_matrix = (str(sources.matrix), sources.users, near, sources.similarity, sources.seed)
        predicted.build(methods, *of_matrix, sources.emotions, ids[:known], folder)
    extras.build(sources, ids, known, folder)


def _build_tracks(sources: Sources, folder: pathlib.Path) -> pa.Array:
    """Write what is one number a track; returns the ids."""
    items = _dataset(sources.items).to_table(columns=["item_index", "track_id", "interactions"]).sort_by("item_index")
    ids, known = _text(items["track_id"]), items.num_rows
    artists, explicit = pa.nulls(known, pa.large_string()), np.zeros(known, bool)
    if sources.tracks:
        tracks = _dataset(sources.tracks).to_table(columns=["track_id", "artist", "explicit"]).sort_by("track_id")
        catalogue = _text(tracks["track_id"])
        ids = pa.concat_arrays([ids, catalogue.filter(pc.invert(pc.is_in(catalogue, ids)))])
        where = pc.index_in(ids, catalogue)
        artists = _text(tracks["artist"]).take(where)
        explicit = _flags(tracks["explicit"].combine_chunks().take(where).fill_null(False))
    withheld = _flags(pc.is_in(ids, pa.array(sources.blocked, pa.large_string())))
    if sources.exclude_explicit:
        withheld |= explicit
    emotions = _dataset(sources.emotions).to_table(columns=moods.COLUMNS) if sources.emotions else None
    moods.save(emotions, ids, withheld, sources.min_confidence, folder)
    artist = artists.dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int32)
    listeners = items["interactions"].to_numpy().astype(np.int64)
    place = np.empty(known, np.int32)
    place[np.lexsort((np.arange(known), -listeners))] = np.arange(known, dtype=np.int32)
    by_artist = np.zeros(artist.max(initial=-1) + 3, np.int64)
    np.cumsum(np.bincount(artist[:known] + 1, minlength=len(by_artist) - 1), out=by_artist[1:])
    _save(
        folder,
        place=place,
        popularity=listeners.astype(np.float32),
        artist=artist,
        by_artist=by_artist,
        of_artist=np.argsort(artist[:known], kind="stable").astype(np.int32),
        blocked=np.flatnonzero(withheld[:known]).astype(np.int32),
        fresh=(known + np.flatnonzero(~withheld[known:])).astype(np.int32),
    )
    return ids


def _build_neighbours(sources: Sources, known: int, folder: pathlib.Path) -> None:
    """Two passes over the table: how many neighbours each track has, then each to its place by rank (1, 2, ...)."""
    methods = sources.methods
    indptr = np.zeros((len(methods), known + 1), np.int64)
    parts = [(m, str(sources.neighbours), ds.field("method") == method) for m, method in enumerate(methods)]
    for m, uri, where in parts:
        for batch in _batches(uri, ["item_index"], where):
            np.add.at(indptr[m], batch["item_index"].to_numpy() + 1, 1)
    np.cumsum(indptr.ravel(), out=indptr.ravel())  # the first of a method begins where the one before it ends
    size = int(indptr[-1, -1]) if methods else 0
    indices = _mapped_new(folder, "near_indices", np.int32, size)
    scores = _mapped_new(folder, "near_scores", np.float32, size)
    for m, uri, where in parts:
        for batch in _batches(uri, ["item_index", "rank", "similar_index", "score"], where):
            at = indptr[m, batch["item_index"].to_numpy()] + batch["rank"].to_numpy() - 1
            indices[at] = batch["similar_index"].to_numpy()
            scores[at] = batch["score"].to_numpy()
    _save(folder, near_indptr=indptr)


def _square_neighbours(folder: pathlib.Path, methods: Sequence[str], method: str, known: int) -> Neighbours:
    """A method's neighbours [known, k] from the arrays just written; k = 0 where it is not among `methods`."""
    if method not in methods:
        return Neighbours(np.full((known, 0), NO_NEIGHBOUR, np.int32), np.zeros((known, 0), np.float32))
    indptr = np.load(folder / "near_indptr.npy")[methods.index(method)]
    counts = np.diff(indptr)
    shape = (known, int(counts.max(initial=0)))
    found = Neighbours(np.full(shape, NO_NEIGHBOUR, np.int32), np.zeros(shape, np.float32))
    filled = np.arange(shape[1]) < counts[:, None]
    for name, array in (("near_indices", found.indices), ("near_scores", found.scores)):
        array[filled] = np.load(folder / f"{name}.npy", mmap_mode="r")[indptr[0] : indptr[-1]]
    return found


def _mapped_new(folder: pathlib.Path, name: str, kind: type, size: int) -> np.ndarray:
    array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (size,))
    with (folder / f"{name}.npy").open("r+b") as file:  # a full disk is an OSError here and a dead process later
        os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return array


def _save(folder: pathlib.Path, **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _text(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.large_string()).combine_chunks()  # 64-bit offsets: all texts together may pass 2 GB


def _flags(values: pa.Array) -> np.ndarray:
    return np.array(values.to_numpy(zero_copy_only=False), bool)


def _mapped(folder: pathlib.Path, sources: Sources) -> Models:
    with pa.memory_map(str(folder / "track_ids.arrow")) as file:
        ids = pa.ipc.open_file(file).read_all()["track_id"].combine_chunks()
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS}
    factors = np.load(folder / "factors.npy", mmap_mode="r", allow_pickle=False) if sources.factors else None
    predictors = predicted.opened(predicted.asked(sources.methods), folder)
    further = extras.opened(sources, factors, folder)
    return Models(
        ids, len(arrays["place"]), sources.methods, factors=factors, predictors=predictors, extras=further, **arrays
    )
