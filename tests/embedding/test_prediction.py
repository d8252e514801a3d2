"""What `predict_factors` reads of the catalogue's content."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from musai.embedding import prediction


def test_what_several_networks_hear_stands_side_by_side(tmp_path) -> None:
    """In the order of their names; a track that one of them did not hear has no sound."""
    tracks = {name: pa.nulls(3, pa.string()) for name in prediction.COLUMNS} | {"track_id": ["c", "a", "b"]}
    heard = [("a", "fcn-1", [1.0, 2.0]), ("b", "fcn-1", [3.0, 4.0]), ("c", "fcn-1", [5.0, 6.0]),
             ("b", "crnn-2", [8.0]), ("a", "crnn-2", [7.0])]  # fmt: skip
    ids, models, vectors = zip(*heard, strict=True)
    embeddings = pa.table({"track_id": ids, "model": models, "embedding": pa.array(vectors, pa.list_(pa.float32()))})
    for name, table in (("tracks", pa.table(tracks)), ("embeddings", embeddings)):
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "part-0.parquet")
    sources = prediction.Sources(str(tmp_path / "tracks"), "", "", str(tmp_path / "embeddings"), None)
    content = prediction.read(sources)
    assert content.track_ids == ["a", "b", "c"]
    np.testing.assert_array_equal(content.sound, [[7, 1, 2], [8, 3, 4], [np.nan, 5, 6]])
    assert content.has("sound").tolist() == [True, True, False]
    assert prediction.read(prediction.Sources(sources.tracks, "", "", None, None)).sound.shape == (3, 0)
