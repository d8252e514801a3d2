"""What scoring needs of the models, as arrays that every task of a node maps into memory once.

The first task on a node reads the run's Parquet tables with pyarrow and writes plain .npy files into a folder named by
the digests of those tables; all others, there and later, map them. Nothing passes through the driver.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from musai.interactions.matrix import file_system

STALE_S = 2 * 24 * 3600  # a node's folders that nobody used for so long are removed by the next builder


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

    def key(self) -> str:
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:32]


@dataclasses.dataclass
class Models:
    """n tracks: those of `items` first (0..known-1), then those of the catalogue that nobody has heard.

    track_ids: n texts; place int32 [n]: rank by listeners, 0 = most popular; listeners int64 [n]; artist int32 [n]:
    code, -1 = unknown; offered bool [n]: False for blocked tracks; factors float32 [known, f] or None; neighbours:
    method -> (indptr int64 [known + 1], indices int32, scores float32).
    """

    track_ids: pa.Array
    known: int
    place: np.ndarray
    listeners: np.ndarray
    artist: np.ndarray
    artists: int
    offered: np.ndarray
    factors: np.ndarray | None
    neighbours: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]


def opened(sources: Sources) -> Models:
    """Map the arrays, building them first where this node lacks them."""
    root = pathlib.Path(tempfile.gettempdir()) / f"musai-{os.getuid()}" / "models"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root / sources.key()
    with _lock(root / f"{folder.name}.lock"):
        if not folder.is_dir():
            _remove_stale(root)
            building = pathlib.Path(tempfile.mkdtemp(prefix=".building-", dir=root))
            try:
                _build(sources, building)
                building.rename(folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        os.utime(folder)
    return _mapped(folder, sources)


def dropped(sources: Sources) -> None:
    """Remove the arrays of this node; on a cluster other nodes drop theirs when they are stale."""
    root = pathlib.Path(tempfile.gettempdir()) / f"musai-{os.getuid()}" / "models"
    shutil.rmtree(root / sources.key(), ignore_errors=True)
    (root / f"{sources.key()}.lock").unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_stale(root: pathlib.Path) -> None:
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another builder was faster
            if folder.is_dir() and time.time() - folder.stat().st_mtime > STALE_S:
                shutil.rmtree(folder, ignore_errors=True)


def read_columns(uri: str, columns: Sequence[str], where: pc.Expression | None = None) -> pa.Table:
    """Columns of a table's folder, whatever file system it lies on."""
    system, path = file_system(uri)
    return ds.dataset(path, format="parquet", filesystem=system, partitioning=None).to_table(
        columns=list(columns), filter=where
    )


def _build(sources: Sources, folder: pathlib.Path) -> None:
    items = read_columns(sources.items, ["item_index", "track_id", "interactions"]).sort_by("item_index")
    known = items.num_rows
    ids = items["track_id"].combine_chunks()
    listeners = items["interactions"].to_numpy()
    artist_names = pa.nulls(known, pa.string())
    explicit = np.zeros(known, bool)
    if sources.tracks:
        tracks = read_columns(sources.tracks, ["track_id", "artist", "explicit"]).sort_by("track_id")
        fresh = tracks.filter(pc.invert(pc.is_in(tracks["track_id"], ids)))
        ids = pa.concat_arrays([ids, fresh["track_id"].combine_chunks()])
        where = pc.index_in(ids, tracks["track_id"].combine_chunks())
        artist_names = tracks["artist"].combine_chunks().take(where)
        explicit = tracks["explicit"].combine_chunks().take(where).fill_null(False).to_numpy(zero_copy_only=False)
        listeners = np.concatenate([listeners, np.zeros(len(ids) - known, np.int64)])
    codes = artist_names.dictionary_encode()
    offered = ~pc.is_in(ids, pa.array(sources.blocked, pa.string())).to_numpy(zero_copy_only=False)
    if sources.exclude_explicit:
        offered &= ~explicit
    order = np.lexsort((np.arange(len(ids)), -listeners))
    place = np.empty(len(ids), np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    with pa.OSFile(str(folder / "track_ids.arrow"), "wb") as file:
        batch = pa.record_batch({"track_id": ids.cast(pa.large_string())})
        with pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
    np.save(folder / "place.npy", place)
    np.save(folder / "listeners.npy", listeners)
    np.save(folder / "artist.npy", codes.indices.fill_null(-1).to_numpy().astype(np.int32))
    np.save(folder / "offered.npy", offered)
    (folder / "sizes.json").write_text(json.dumps({"known": known, "artists": len(codes.dictionary)}))
    if sources.factors:
        _build_factors(sources.factors, known, folder)
    for method in sources.methods:
        _build_neighbours(str(sources.neighbours), method, known, folder)


def _build_factors(uri: str, known: int, folder: pathlib.Path) -> None:
    table = read_columns(uri, ["row_index", "factors"], ds.field("side") == "track")
    vectors = table["factors"].combine_chunks()
    width = len(vectors.flatten()) // max(len(vectors), 1)
    factors = np.zeros((known, width), np.float32)
    factors[table["row_index"].to_numpy()] = vectors.flatten().to_numpy().reshape(-1, width)
    np.save(folder / "factors.npy", factors)


def _build_neighbours(uri: str, method: str, known: int, folder: pathlib.Path) -> None:
    table = read_columns(uri, ["item_index", "rank", "similar_index", "score"], ds.field("method") == method)
    rows = table["item_index"].to_numpy()
    order = np.lexsort((table["rank"].to_numpy(), rows))
    indptr = np.zeros(known + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=known), out=indptr[1:])
    np.save(folder / f"{method}.indptr.npy", indptr)
    np.save(folder / f"{method}.indices.npy", table["similar_index"].to_numpy()[order].astype(np.int32))
    np.save(folder / f"{method}.scores.npy", table["score"].to_numpy()[order].astype(np.float32))


def _mapped(folder: pathlib.Path, sources: Sources) -> Models:
    def array(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    sizes = json.loads((folder / "sizes.json").read_text())
    with pa.memory_map(str(folder / "track_ids.arrow")) as file:
        ids = pa.ipc.open_file(file).read_all()["track_id"].combine_chunks()
    return Models(
        track_ids=ids,
        known=sizes["known"],
        place=array("place"),
        listeners=array("listeners"),
        artist=array("artist"),
        artists=sizes["artists"],
        offered=array("offered"),
        factors=array("factors") if sources.factors else None,
        neighbours={
            method: (array(f"{method}.indptr"), array(f"{method}.indices"), array(f"{method}.scores"))
            for method in sources.methods
        },
    )
