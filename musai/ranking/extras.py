"""Arrays behind the lists that only some settings ask for: categories of tracks, popularity by segment, fold-in."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musai.factorization import fold_in
from musai.factorization.fold_in import FoldIn
from musai.matrix.reading import read_matrix, read_table
from musai.ranking import categories

if TYPE_CHECKING:
    from musai.ranking.models import Sources

MOOD = "mood"  # recommend.calibrate_by: the label of track_emotions; else a column of the catalogue


@dataclasses.dataclass(frozen=True)
class Extras:
    """category int32 [all] as of `categories.of_tracks`; segment and popular as of `categories.popularities`; each
    None where nothing asks for it."""

    category: np.ndarray | None = None
    segment: np.ndarray | None = None
    popular: np.ndarray | None = None
    fold_in: FoldIn | None = None


def build(sources: Sources, ids: pa.Array, known: int, folder: pathlib.Path) -> None:
    """Write what `sources` asks for; ids: all tracks, the `known` ones first."""
    if sources.calibrate_by:
        np.save(folder / "category.npy", _category(sources, sources.calibrate_by, ids))
    if not (sources.popularity_by or sources.folding):
        return
    matrix = read_matrix(str(sources.matrix), sources.users, known)
    if sources.popularity_by:
        popularity = np.load(folder / "popularity.npy")
        made = categories.popularities(matrix, _category(sources, sources.popularity_by, ids), popularity)
        for name, array in zip(("segment", "popular"), made, strict=True):
            np.save(folder / f"{name}.npy", array)
    if sources.folding:
        np.save(folder / "fold_in.square.npy", fold_in.prepared(np.load(folder / "factors.npy", mmap_mode="r")))
        np.save(folder / "fold_in.scales.npy", np.array(fold_in.scales_of(matrix, sources.folding)))


def opened(sources: Sources, factors: np.ndarray | None, folder: pathlib.Path) -> Extras:
    """The same over mapped arrays; factors: those of the known tracks."""

    def mapped(name: str, asked: str | None) -> np.ndarray | None:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) if asked else None

    fold = None
    if sources.folding and factors is not None:
        square, scales = (np.load(folder / f"fold_in.{name}.npy", allow_pickle=False) for name in ("square", "scales"))
        fold = FoldIn(factors, square, float(scales[0]), float(scales[1]), sources.folding)
    by = sources.popularity_by
    return Extras(mapped("category", sources.calibrate_by), mapped("segment", by), mapped("popular", by), fold)


def _category(sources: Sources, by: str, ids: pa.Array) -> np.ndarray:
    if by == MOOD:
        rows = read_table(str(sources.emotions), ["track_id", "label", "confidence"])
        rows, column = rows.filter(pc.greater_equal(rows["confidence"], sources.min_confidence)), "label"
    else:
        rows, column = read_table(str(sources.tracks), ["track_id", by]), by
    track_ids, texts = (rows[name].cast(pa.large_string()).combine_chunks() for name in ("track_id", column))
    return categories.of_tracks(ids, track_ids, texts)
