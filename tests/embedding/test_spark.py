"""Embeddings by Spark: those of one process, whatever the tasks; unchanged tracks are carried, bad files told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from musai import config
from musai.embedding import spark as distributed
from musai.embedding import tracks
from musai.embedding.audio import Plan
from musai.embedding.tracks import Embedded, Heard, embedded, embedder_of, embedders_of
from musai.embedding.training import Schedule
from musai.errors import InputError
from tests.embedding.conftest import tone


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    for number in range(7):
        soundfile.write(folder / f"{number}.wav", tone(2 + 3 * number, hz=110 * 2 ** (number / 2)), 16_000)
    (folder / "bad.wav").write_text("no sound")
    return folder


def embedder(folder, **overrides):
    settings = config.load([], [f"embedding.{key}={value}" for key, value in overrides.items()]).embedding
    return embedder_of(settings, [str(folder)])


def vectors(rows) -> dict[str, np.ndarray]:
    return {row["track_id"]: np.array(row["embedding"], np.float32) for row in rows if row["embedding"] is not None}


def test_one_process_and_tasks_give_the_same_and_only_what_changed_is_computed(spark, folder):
    names = [*(f"{number}.wav" for number in range(7)), "bad.wav", "gone.wav"]
    one = embedder(folder)
    local = {row.track_id: row for row in embedded([Heard(name, name, None) for name in names], one, threads=1)}
    tracks = spark.createDataFrame(
        [(name, name, None) for name in names], "track_id string, audio_path string, midi_path string"
    )
    rows = distributed.embed(tracks, None, one, cores=2).collect()
    found = vectors(rows)
    assert len(rows) == len(names)
    assert sorted(found) == names[:7]
    for name, vector in found.items():
        np.testing.assert_array_equal(vector, local[name].embedding)
    assert not any(row["carried"] for row in rows)
    reasons = {row["track_id"]: [reject["reason"] for reject in row["rejects"]] for row in rows if row["rejects"]}
    assert reasons == {
        "bad.wav": ["no sound file that can be decoded"],
        "gone.wav": ["cannot be read: No such file or directory"],
    }

    soundfile.write(folder / "3.wav", tone(4, hz=3000), 16_000)
    earlier = spark.createDataFrame([row for row in rows if row["embedding"] is not None], distributed.SCHEMA)
    again = distributed.embed(tracks, earlier, one, cores=2).collect()
    carried = {row["track_id"]: row["carried"] for row in again}
    assert [name for name in names[:7] if not carried[name]] == ["3.wav"]
    assert np.abs(vectors(again)["3.wav"] - found["3.wav"]).max() > 0.01
    np.testing.assert_array_equal(vectors(again)["4.wav"], found["4.wav"])


def test_the_company_in_a_batch_changes_no_bit(folder):
    one = embedder(folder, batch_excerpts=4)
    together = {
        row.track_id: row.embedding
        for row in embedded([Heard(f"{n}.wav", f"{n}.wav", None) for n in (0, 5, 6)], one, 1)
    }
    (alone,) = embedded([Heard("5.wav", "5.wav", None)], one, 1)
    np.testing.assert_array_equal(alone.embedding, together["5.wav"])


def test_batches_are_full_but_for_the_last(folder, monkeypatch):
    """Six excerpts of a track and four at once: what is left over waits for the next track."""
    heard: list[int] = []
    through = tracks._through

    def counted(network, excerpts, *rest):
        heard.append(len(excerpts))
        return through(network, excerpts, *rest)

    monkeypatch.setattr(tracks, "_through", counted)
    found = embedded([Heard(f"{n}.wav", "6.wav", None) for n in range(3)], embedder(folder, batch_excerpts=4), 1)
    assert [row.track_id for row in found] == ["0.wav", "1.wav", "2.wav"]
    assert heard == [4, 4, 4, 3]  # 20 s: five excerpts of 4 s each


def test_all_layers_follow_the_last(folder):
    last, whole = (embedder(folder, layers=layers) for layers in ("last", "all"))
    assert last.model != whole.model
    (short,), (long,) = (embedded([Heard("3.wav", "3.wav", None)], one, 1) for one in (last, whole))
    assert short.embedding is not None
    assert long.embedding is not None
    assert (len(short.embedding), len(long.embedding)) == (128, 128 + 336)
    np.testing.assert_array_equal(long.embedding[:128], short.embedding)


def test_a_network_is_named_once(folder):
    settings = config.load([], ["embedding.also=[{network: small, layers: all}]"]).embedding
    first, second = embedders_of(settings, [str(folder)])
    assert (first.layers, second.layers, first.plan) == ("last", "all", second.plan)
    settings = config.load([], ["embedding.also=[{network: small}]"]).embedding
    with pytest.raises(InputError, match="named twice"):
        embedders_of(settings, [str(folder)])


def test_the_models_name_changes_with_the_weights_and_the_way_of_listening(folder):
    assert embedder(folder).model == embedder(folder, batch_excerpts=3).model
    assert embedder(folder).model != embedder(folder, excerpts=3).model
    assert embedder(folder).plan == Plan(4.0, 6, 6 * 3600)


def test_a_reject_shows_a_thousand_characters_of_an_id():
    rejected = Embedded("x" * 5000, None, None, (("audio", "a.wav", "silence"),))
    (reject,) = distributed._batch([rejected])["rejects"][0].as_py()
    assert reject == {"source": "audio", "place": "a.wav", "reason": "silence", "raw": "x" * 1000}


def lesson_table(tracks: int) -> pa.Table:
    return pa.table(
        {
            "track_id": [f"{number}" for number in range(tracks)],
            "artist": [f"Artist {number // 2}" for number in range(tracks)],
            "audio_path": [f"{number % 7}.wav" for number in range(tracks)],
            "midi_path": pa.nulls(tracks, pa.string()),
            "factors": [[float(number % 7), 1.0] for number in range(tracks)],
            "interactions": [10] * tracks,
        }
    )


@pytest.mark.slow
def test_two_processes_train_together(spark, folder, tmp_path):
    """By TorchDistributor: the same weights once more, by one process that keeps the checkpoint."""
    rows, one, schedule = lesson_table(12), embedder(folder, excerpts=1), Schedule(2, 10, 0.1, 3)
    found = distributed.train_on_executors(spark, rows, one, schedule, f"{tmp_path}/a", 2)
    assert found.figures.epochs == 2
    assert np.isfinite(found.figures.head)
    assert len(list((tmp_path / "a").iterdir())) == 1
    assert distributed.train_on_executors(spark, rows, one, schedule, f"{tmp_path}/b", 2).digest == found.digest


def test_processes_need_room_and_lessons(spark, folder, tmp_path):
    one, schedule = embedder(folder), Schedule(1, 1, 0.0, 1)
    with pytest.raises(InputError, match=r"embedding.train_processes: 99 do not fit into the \d+ tasks"):
        distributed.train_on_executors(spark, lesson_table(4), one, schedule, str(tmp_path), 99)
    with pytest.raises(InputError, match="train_embedder: 0 tracks with usable files are too few to learn from"):
        distributed.train_on_executors(spark, lesson_table(0), one, schedule, str(tmp_path), 2)
