"""The memory-based predictors as parts of the blend: the lists are those of the predictor's own scores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
import torch

from musai import config as configuration
from musai.emotion.fusion import LABELS
from musai.errors import InputError
from musai.ranking import blocks, models, predicted
from musai.ranking.mood_taste import mood_taste
from musai.similarity import neighbours, predictors
from musai.similarity.low_pass import low_pass
from musai.similarity.popularity import popularity
from musai.similarity.torch_contrastive import contrastive
from musai.similarity.user_knn import user_knn

USERS, TRACKS = 30, 25
SETTINGS = [
    *("similarity.neighbours=10", "similarity.low_pass_factors=6"),
    *("similarity.contrastive_device=cpu", "similarity.contrastive_factors=8", "similarity.contrastive_epochs=2"),
]


def written(folder, name, **columns):
    (folder / name).mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / name / "part-0.parquet")
    return str(folder / name)


@pytest.mark.parametrize("method", predicted.METHODS)
def test_the_lists_are_in_the_order_of_the_predictions(tmp_path, method):
    random = np.random.default_rng(3)
    dense = np.where(random.random((USERS, TRACKS)) < 0.3, random.integers(1, 9, (USERS, TRACKS)), 0).astype(np.float32)
    dense[4] = 0  # a listener without weights
    matrix = sp.csr_matrix(dense)
    settings = configuration.load([], SETTINGS).similarity
    near = neighbours.track_neighbours(matrix, "mean_centred", settings, 1)
    row, place = np.nonzero(near.indices >= 0)
    coo = matrix.tocoo()
    likely = [[(LABELS[i % 4], 0.5 + i / 100), (LABELS[4], 0.5 - i / 100)] for i in range(TRACKS)]
    emotions = {
        "track_id": [f"t{i:02d}" for i in range(TRACKS)],
        "arousal": np.zeros(TRACKS),
        "label": ["neutral"] * TRACKS,
        "confidence": np.linspace(0.1, 0.9, TRACKS),
        "probabilities": pa.array(likely, pa.map_(pa.string(), pa.float64())),
    }
    sources = models.Sources(
        items=written(
            tmp_path, "items", item_index=pa.array(range(TRACKS), pa.int32()),
            track_id=[f"t{i:02d}" for i in range(TRACKS)], interactions=np.count_nonzero(dense, axis=0),
        ),
        neighbours=written(
            tmp_path, "near", method=[method] * len(row), item_index=row.astype(np.int32),
            rank=(place + 1).astype(np.int32), similar_index=near.indices[row, place], score=near.scores[row, place],
        ),
        factors=None, tracks=None, blocked=(), exclude_explicit=False, methods=(method,), digest=str(tmp_path),
        matrix=written(
            tmp_path, "matrix", user_index=coo.row.astype(np.int32), item_index=coo.col.astype(np.int32),
            weight=coo.data,
        ),
        users=USERS, similarity=settings, seed=1, emotions=written(tmp_path, "emotions", **emotions),
    )  # fmt: skip
    opened = models.opened(sources)
    block = blocks.Block(
        pa.array([f"u{u}" for u in range(USERS)]), matrix.indptr.astype(np.int64), matrix.indices, matrix.data, None
    )
    ranked = blocks.recommend(block, opened, blocks.Lists(5, ("for_you",), {method: 1.0}, 0))
    expected = {
        "mean_centred": predictors.mean_centred(matrix, near),
        "neighbourhood_average": predictors.neighbourhood_average(matrix),
        "popularity": popularity(matrix),
        "low_pass": low_pass(matrix, 6, 1),
        "user_knn": user_knn(matrix, settings),
        "contrastive": contrastive(matrix, settings, 1),
        "mood": mood_taste(pa.table(emotions), pa.array(emotions["track_id"], pa.large_string())),
    }[method].scores(matrix)
    names = blocks.source_names(opened)
    for u in range(USERS):
        items = ranked.items[u, 0]
        if u == 4:
            assert {names[s] for s in ranked.source[u, 0]} == {"popularity"}
            continue
        unheard = np.flatnonzero(dense[u] == 0)
        best = np.sort(expected[u, unheard])[::-1][:5]
        np.testing.assert_allclose(expected[u, items], best, rtol=1e-5)
    models.dropped(sources)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_a_part_asks_for_and_that_is_not_there_is_told_before_any_work():
    settings = configuration.load([], ["similarity.contrastive_device=gpu"]).similarity
    predicted.check(["low_pass"], settings)  # nobody asks for that part
    with pytest.raises(InputError, match="contrastive_device: gpu cannot be used here"):
        predicted.check(["low_pass", "contrastive"], settings)
