"""The parts of the blend that score every track at once: the memory-based predictors (musai.similarity.predictors),
popularity, the low-pass filter (musai.similarity.low_pass), the graph network (musai.similarity.torch_contrastive),
what like listeners have (musai.similarity.user_knn) and the moods that a listener has more of than others
(musai.ranking.mood_taste).

Their arrays are worked out on each node from the whole matrix, so they serve where one machine holds it; what they
predict for every track then stands in the blend as any other part does.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai import columns
from musai.config import Similarity
from musai.devices import choose
from musai.matrix.reading import read_matrix, read_table
from musai.ranking import mood_taste
from musai.ranking.mood_taste import MoodTaste
from musai.similarity import neighbours, predictors
from musai.similarity.low_pass import low_pass
from musai.similarity.popularity import popularity
from musai.similarity.projection import Projection
from musai.similarity.user_knn import UserKnn, user_knn

CONTRASTIVE = "contrastive"
BY_ITSELF: dict[str, type[Projection | UserKnn]] = {  # fields are arrays
    columns.POPULARITY: Projection,
    "low_pass": Projection,
    "user_knn": UserKnn,
    CONTRASTIVE: Projection,
}
OF_ARRAYS: dict[str, type[Projection | UserKnn | MoodTaste]] = {**BY_ITSELF, mood_taste.METHOD: MoodTaste}
METHODS = ("mean_centred", "neighbourhood_average", *OF_ARRAYS)
Predictor = predictors.MeanCentred | predictors.NeighbourhoodAverage | Projection | UserKnn | MoodTaste


def asked(methods: Sequence[str]) -> list[str]:
    """Those of `methods` that predict; the others score by a product with their neighbours."""
    return [method for method in methods if method in METHODS]


def check(methods: Sequence[str], settings: Similarity) -> None:
    """Raises InputError where a part among `methods` asks for a GPU that this process does not have."""
    if CONTRASTIVE in methods and settings.contrastive_device == "gpu":
        choose(settings.contrastive_device, "similarity.contrastive_device")


def build(
    methods: Sequence[str],
    matrix_uri: str,
    users: int,
    near: neighbours.Neighbours,
    settings: Similarity,
    seed: int,
    emotions_uri: str | None,
    ids: pa.Array,
    folder: pathlib.Path,
) -> None:
    """Write the arrays of `methods` from the matrix [users, known]; `near`: the neighbours of mean_centred; ids: the
    known tracks, which `mood` finds in `track_emotions`."""
    matrix = read_matrix(matrix_uri, users, len(near.indices))
    for method in methods:
        if method in BY_ITSELF:
            _save_arrays(folder, method, by_itself(method, matrix, settings, seed))
        elif method == mood_taste.METHOD:
            emotions = read_table(str(emotions_uri), mood_taste.COLUMNS)
            _save_arrays(folder, method, mood_taste.mood_taste(emotions, ids))
        elif method == "mean_centred":
            centred = predictors.mean_centred(matrix, near)
            _save(folder, method, centred.similarity, centred.item_means, centred.mean)
        else:
            average = predictors.neighbourhood_average(matrix)
            _save(folder, method, average.extra, average.base, 0.0)


def by_itself(method: str, matrix: sp.csr_matrix, settings: Similarity, seed: int) -> Projection | UserKnn:
    """A part that needs the matrix alone."""
    if method == CONTRASTIVE:
        from musai.similarity import torch_contrastive

        return torch_contrastive.contrastive(matrix, settings, seed)
    if method == columns.POPULARITY:
        return popularity(matrix)
    if method == "low_pass":
        return low_pass(matrix, settings.low_pass_factors, seed)
    return user_knn(matrix, settings)


def opened(methods: Sequence[str], folder: pathlib.Path) -> dict[str, Predictor]:
    """The predictors over mapped arrays."""
    found: dict[str, Predictor] = {}
    for method in methods:
        if kind := OF_ARRAYS.get(method):
            found[method] = kind(*(_mapped(folder, method, field.name) for field in dataclasses.fields(kind)))
            continue
        data, indices, indptr, per_item, mean = (_mapped(folder, method, part) for part in PARTS)
        square = sp.csr_matrix((data, indices, indptr), shape=(len(per_item), len(per_item)), copy=False)
        if method == "mean_centred":
            found[method] = predictors.MeanCentred(square, per_item, float(mean[0]))
        else:
            found[method] = predictors.NeighbourhoodAverage(square, per_item)
    return found


def scores(predictor: Predictor, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, known: int) -> np.ndarray:
    """float32 [users, known] for a block's rows (CSR; values 0 = heard without weight); zeros for users without any."""
    rows = sp.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, known), copy=True)
    rows.eliminate_zeros()
    found = predictor.scores(rows)
    found[np.diff(rows.indptr) == 0] = 0  # a mean for everyone is no taste: popularity serves them
    return np.ascontiguousarray(found, np.float32)


PARTS = ("data", "indices", "indptr", "per_item", "mean")


def _save_arrays(folder: pathlib.Path, method: str, made: Projection | UserKnn | MoodTaste) -> None:
    for field in dataclasses.fields(made):
        np.save(folder / f"{method}.{field.name}.npy", getattr(made, field.name))


def _save(folder: pathlib.Path, method: str, square: sp.csr_matrix, per_item: np.ndarray, mean: float) -> None:
    arrays = (square.data, square.indices, square.indptr, per_item, np.array([mean]))
    for part, array in zip(PARTS, arrays, strict=True):
        np.save(folder / f"{method}.{part}.npy", array)


def _mapped(folder: pathlib.Path, method: str, part: str) -> np.ndarray:
    return np.load(folder / f"{method}.{part}.npy", mmap_mode="r", allow_pickle=False)
