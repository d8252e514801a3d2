"""Lists for a listener who arrived today: a few plays and the published night's models, nothing is trained.

The parts of the blend that work from plays take them as they are; the vector of ALS is folded in
(`musai.factorization.fold_in`). Rules, re-ranking and reasons are those of the night, so a listener of the night who
comes again with the same plays gets about the same lists.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.config import Config, load
from musai.errors import InputError
from musai.inputs.files import read_ids
from musai.matrix import weighting
from musai.matrix.reading import read_table
from musai.ranking import models, rows
from musai.ranking import run as of_run
from musai.ranking.blocks import Block
from musai.ranking.models import Models
from musai.steps import tuned
from musai.storage import at, needs_session
from musai.warehouse import Run, Warehouse

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("users", "items", "user_item", "track_neighbours", "als_factors")
COLUMNS = ["list", "rank", "track_id", "score", "source", "because_track_id"]  # of `recommendations`


@dataclasses.dataclass(frozen=True)
class Lists:
    """rows: COLUMNS, by list and rank; unknown: the tracks that no listener of the night had, which say nothing."""

    rows: pa.Table
    unknown: list[str]


def recommend(
    plays: Mapping[str, float] | Iterable[str],
    *,
    warehouse: str | os.PathLike[str] = "var/warehouse",
    config: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> pd.DataFrame:
    """The lists of a listener with these plays (track_id -> plays, or the ids alone), as rows of `recommendations`.

    warehouse: a local or mounted folder. config, settings: files and KEY=VALUE, those of the night. From the second
    call on the models are mapped, not built. Raises InputError as `lists` does.
    """
    root = os.fspath(warehouse)
    if needs_session(root):
        raise InputError(f"{root}: a local or mounted folder is due")
    loaded = load(config, [*settings, f"warehouse={root}"])
    counts = dict(plays) if isinstance(plays, Mapping) else dict.fromkeys(plays, 1.0)
    return lists(Warehouse(at(root), loaded), loaded, counts).rows.to_pandas()


def lists(published: Warehouse, config: Config, plays: Mapping[str, float]) -> Lists:
    """By the published night and the configuration that it had. plays: track_id -> number > 0; without any that the
    night knows, popularity speaks.

    Raises InputError for a number of plays that is none, where nothing is published, and where the run lacks what its
    lists were made from (`musai forget` keeps only the tables of the contract).
    """
    if faults := [f"{track}: plays > 0 are due, not {n}" for track, n in plays.items() if not 0 < n < math.inf]:
        raise InputError(faults)
    run = _run(published)
    config = _with_learned_blend(run, _tuned(published, config))
    withheld = _good(run, read_ids(config.inputs.blocked_tracks, "inputs.blocked_tracks"))
    opened = models.opened(of_run.sources_of(run, config, sorted(set(withheld)), fold_in=True))
    counts: dict[str, float] = {}
    for track, number in zip(_good(run, list(plays)), plays.values(), strict=True):
        counts[track] = counts.get(track, 0.0) + number
    places = pc.index_in(pa.array(list(counts), opened.track_ids.type), opened.track_ids).fill_null(-1).to_numpy()
    known = (places >= 0) & (places < opened.known)
    order = np.argsort(places[known])
    heard = places[known][order].astype(np.int32)
    played = np.array(list(counts.values()), np.float64)[known][order]
    block = Block(
        user_ids=pa.array(["newcomer"]),
        heard_indptr=np.array([0, len(heard)]),
        heard_indices=heard,
        values=_weights(run, config, opened, heard, played),
        factors=None,
    )
    fresh = np.setdiff1d(opened.fresh, places).astype(np.int32)
    fresh.setflags(write=False)  # as the mapped one: numba would compile for both
    unheard = dataclasses.replace(opened, fresh=fresh)
    found = pa.Table.from_batches([rows.ranked(block, unheard, of_run.lists_of(run, config))])
    return Lists(found.select(COLUMNS), [track for track, there in zip(counts, known, strict=True) if not there])


def _run(published: Warehouse) -> Run:
    pointer = published.pointer()
    run = published.run(pointer["run_id"]) if pointer else None
    if run is None:
        raise InputError(f"{published.storage.root}: nothing is published yet; `musai nightly` does it")
    if missing := [table for table in NEEDED if not run.has(table)]:
        raise InputError(f"run {run.run_id} lacks {', '.join(missing)}; the next night makes them")
    return run


def _tuned(published: Warehouse, config: Config) -> Config:
    """With the settings that `tune_recommender` published, as the night has them."""
    pointer = published.pointer()
    if not (config.tuning.used and pointer and "model_settings" in pointer["tables"]):
        return config
    table = read_table(published.published_path("model_settings"), ["name", "value"])
    return tuned(config, {row["name"]: json.loads(row["value"]) for row in table.to_pylist()})


def _with_learned_blend(run: Run, config: Config) -> Config:
    """With the blend that the night learned, if it did."""
    if not run.has("blend_weights"):
        return config
    rows = read_table(run.uri("blend_weights"), ["part", "weight"]).to_pylist()
    return tuned(config, {"recommend.blend": {row["part"]: row["weight"] for row in rows}})


def _good(run: Run, ids: list[str]) -> list[str]:
    """The ids, each that is an alias as what it stands for."""
    if not ids or not run.has("aliases"):
        return ids
    table = read_table(run.uri("aliases"), ["bad_id", "good_id"])
    found = table["good_id"].combine_chunks().take(pc.index_in(pa.array(ids), table["bad_id"])).to_pylist()
    return [good or one for one, good in zip(ids, found, strict=True)]


def _weights(run: Run, config: Config, opened: Models, heard: np.ndarray, plays: np.ndarray) -> np.ndarray:
    """What the night's matrix would hold of these plays; 0 for a track that its filter leaves out."""
    mean = 0.0
    if config.matrix.weighting == "bm25":
        mean = float(np.maximum(read_table(run.uri("users"), ["plays"])["plays"].to_numpy(), 0).mean())
    listeners = opened.popularity[heard]
    found = weighting.weights(plays, config.matrix, plays.sum(), listeners, run.rows("users") or 0, mean)
    return np.where(listeners >= config.matrix.min_users_per_track, found, np.float32(0))
