"""The small files of a warehouse, in a folder and through Spark's Hadoop client."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import resource
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from musai import storage
from musai.storage import HadoopStorage, LocalStorage, Storage

FOLDER = "a folder #1 with %20, ü and 楽"


@pytest.fixture(params=["local", "hadoop"])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Storage:
    root = tmp_path / FOLDER
    if request.param == "local":
        return LocalStorage(str(root))
    return HadoopStorage(f"file:{root}", request.getfixturevalue("spark"))


def test_what_is_written_is_read(store: Storage) -> None:
    assert store.read("a/b.json") is None
    store.replace("a/b.json", b"one")
    assert store.read("a/b.json") == b"one"
    every_byte = bytes(range(256)) * 1000
    store.replace("a/b.json", every_byte)
    assert store.read("a/b.json") == every_byte
    store.replace("a/b.json", b"")
    assert store.read("a/b.json") == b""
    assert store.names("a") == ["b.json"]


def test_create_happens_once(store: Storage) -> None:
    assert store.create("a/one", b"first") is True
    assert store.create("a/one", b"second") is False
    assert store.read("a/one") == b"first"
    assert store.names("a") == ["one"]
    store.delete("a/one")
    assert store.create("a/one", b"third") is True


def test_delete(store: Storage) -> None:
    for path in ("a/b/c", "a/b/d/e", "a/f"):
        store.replace(path, b"x")
    store.delete("a/f")
    store.delete("a/none")
    store.delete("none/at/all")
    assert store.names("a") == ["b"]
    store.delete("a/b")
    assert store.names("a") == []
    assert store.read("a/b/c") is None


def test_names_are_sorted_and_none_where_there_is_no_folder(store: Storage) -> None:
    for name in ("b", "a", "ü", "run_id=2"):
        store.replace(f"x/{name}", b"")
    assert store.names("x") == ["a", "b", "run_id=2", "ü"]
    assert store.names("y") == []
    assert store.names("") == ["x"]


def test_a_file_where_a_folder_is_due_is_an_os_error(store: Storage) -> None:
    store.replace("file", b"x")
    assert store.read("file/below") is None
    with pytest.raises(OSError, match="file"):
        store.replace("file/below", b"y")
    with pytest.raises(OSError, match="file"):
        store.create("file/below", b"y")
    assert store.read("file") == b"x"


def test_uris(store: Storage, spark, tmp_path: pathlib.Path) -> None:
    """What Spark writes under `spark_uri` lies where `uri` says, whatever characters the path holds."""
    spark.range(3).write.parquet(store.spark_uri("t/run_id=1"))
    assert store.names("t") == ["run_id=1"]
    assert (tmp_path / FOLDER / "t/run_id=1").is_dir()
    assert spark.read.parquet(store.spark_uri("t/run_id=1")).count() == 3
    if isinstance(store, LocalStorage):
        assert ds.dataset(store.uri("t/run_id=1"), format="parquet").count_rows() == 3


def test_the_engine_follows_from_the_root(spark, tmp_path: pathlib.Path) -> None:
    assert isinstance(storage.at(str(tmp_path)), LocalStorage)
    assert storage.at(f"file://{tmp_path}").root == str(tmp_path)
    assert storage.at("~/x").root == str(pathlib.Path.home() / "x")
    assert pathlib.Path(storage.at("var/w").root).is_absolute()
    assert not storage.needs_session("a:b/c".replace(":", "_"))
    assert storage.needs_session("hdfs://host/w")
    with pytest.raises(ValueError, match="hdfs://host/w: a Spark session is due"):
        storage.at("hdfs://host/w")
    with pytest.raises(OSError, match="nosuch"):
        storage.at("nosuch://host/w", spark)


def test_create_by_eight_threads_has_one_winner(tmp_path: pathlib.Path) -> None:
    store = LocalStorage(str(tmp_path))
    for attempt in range(50):
        winners: list[int] = []
        barrier = threading.Barrier(8)

        def create(number: int, path: str = f"x/{attempt}", start=barrier, won=winners) -> None:
            start.wait()
            if store.create(path, str(number).encode() * 5000):
                won.append(number)

        threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
        run_all(threads)
        assert len(winners) == 1
        assert store.read(f"x/{attempt}") == str(winners[0]).encode() * 5000
    assert len(store.names("x")) == 50, "no temporary file is left"


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_polling_reader_sees_whole_files_only(tmp_path: pathlib.Path) -> None:
    store = LocalStorage(str(tmp_path))
    store.replace("p", b"0" * 100_000)
    seen: set[bytes] = set()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            content = store.read("p") or b"missing"
            seen.add(content[:1] if content == content[:1] * 100_000 else content[:20])

    pollers = [threading.Thread(target=poll) for _ in range(3)]
    for poller in pollers:
        poller.start()
    for number in range(100):
        store.replace("p", str(number % 10).encode() * 100_000)
    done.set()
    for poller in pollers:
        poller.join()
    assert seen <= {str(number).encode() for number in range(10)}
    assert len(seen) > 1, "the reader saw no replacement"


def test_a_folder_is_deleted_in_one_step(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle leaves a hidden name, which nobody takes for the table."""
    store = LocalStorage(str(tmp_path))
    for number in range(3):
        store.replace(f"t/run/part-{number}", b"x")

    def killed(folder: pathlib.Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.delete("t/run")
    assert store.read("t/run/part-0") is None
    (left,) = store.names("t")
    assert left.startswith(".")
    assert left.endswith(storage.DELETED)
    store.delete(f"t/{left}")
    assert store.names("t") == []


def test_two_that_delete_one_folder_are_both_content(tmp_path: pathlib.Path) -> None:
    store = LocalStorage(str(tmp_path))
    failed: list[BaseException] = []

    def delete(path: str) -> None:
        try:
            store.delete(path)
        except OSError as error:
            failed.append(error)

    for attempt in range(20):
        for number in range(30):
            (tmp_path / f"{attempt}").mkdir(exist_ok=True)
            (tmp_path / f"{attempt}" / f"{number}").touch()
        run_all([threading.Thread(target=delete, args=(str(attempt),)) for _ in range(4)])
    assert failed == []
    assert store.names("") == []


def test_what_a_kill_leaves_is_never_seen_by_readers(tmp_path: pathlib.Path, spark) -> None:
    """Temporary names start with a dot: neither pyarrow nor Spark takes them for data."""
    store = LocalStorage(str(tmp_path))
    with pytest.raises(KeyboardInterrupt), pretending_to_be_killed():
        store.replace("t/part-0.parquet", b"half of a file")
    assert [name.startswith(".") for name in store.names("t")] == [True]
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "t/part-1.parquet")
    assert ds.dataset(tmp_path / "t", format="parquet").to_table().num_rows == 2
    assert spark.read.parquet(store.spark_uri("t")).count() == 2


@contextlib.contextmanager
def pretending_to_be_killed() -> Iterator[None]:
    """Dies before a file is in place, and cleans nothing up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pathlib.Path, "unlink", lambda path, missing_ok=False: None)
        patch.setattr(os, "replace", interrupted)
        yield


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path: pathlib.Path) -> None:
    store = LocalStorage(str(tmp_path))
    store.replace("t/p", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a write beyond it fails, as on a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            store.replace("t/p", b"x" * 5000)
        with pytest.raises(OSError, match="too large"):
            store.create("t/q", b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.read("t/p") == b"old"
    assert store.names("t") == ["p"]


def test_a_read_only_folder_gives_os_errors() -> None:
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        store = LocalStorage(str(folder))
        store.replace("t/p", b"old")
        for path in (folder, folder / "t"):
            path.chmod(0o555)
        actions: list[Callable[[], object]] = [
            lambda: store.replace("t/p", b"new"),
            lambda: store.create("t/q", b"new"),
            lambda: store.replace("u/p", b"new"),
            lambda: store.delete("t/p"),
            lambda: store.delete("t"),
        ]
        assert [as_somebody(action) for action in actions] == ["PermissionError"] * len(actions)
        assert as_somebody(lambda: store.read("t/p")) == b"old"
        assert store.names("t") == ["p"]
    finally:
        for path in (folder, folder / "t"):
            path.chmod(0o755)
        shutil.rmtree(folder)


def as_somebody(action: Callable[[], object]) -> object:
    """What an action gives, or the name of its OSError, in a process that is not root's: root may write anywhere."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            theirs.send(action())
        except OSError as error:
            theirs.send(type(error).__name__)

    process = context.Process(target=child)
    process.start()
    answer = ours.recv() if ours.poll(30) else "no answer"
    process.join()
    return answer


def test_a_file_moves_into_a_folder_that_is_made(store: Storage) -> None:
    store.replace("a/b", b"x")
    store.move("a/b", "c/d/e")
    assert store.read("c/d/e") == b"x"
    assert store.names("a") == []
    with pytest.raises(OSError, match="none"):
        store.move("a/none", "c/f")
