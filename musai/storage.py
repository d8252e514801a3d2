"""Small files of the warehouse: read whole, replaced in one atomic step, created by exactly one.

Two engines: a local or mounted folder, and any file system that Spark's Hadoop client reaches (hdfs://, s3a://, ...),
through the session's own JVM so that its credentials serve. Paths are relative to the root, with `/`. What cannot be
read or written raises OSError in both.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import shutil
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

DELETED = ".deleted"  # ends the name of a folder that is being removed; what a kill leaves may go at any time


class Storage(Protocol):
    """`uri` is for people and for pyarrow, `spark_uri` for Spark's readers and writers."""

    root: str

    def uri(self, path: str) -> str: ...
    def spark_uri(self, path: str) -> str: ...
    def read(self, path: str) -> bytes | None: ...
    def replace(self, path: str, content: bytes) -> None: ...
    def create(self, path: str, content: bytes) -> bool: ...
    def move(self, source: str, target: str) -> None: ...
    def delete(self, path: str) -> None: ...
    def names(self, path: str) -> list[str]: ...


def at(root: str, session: Any = None) -> Storage:
    """The storage under `root`; a URI other than file:// needs the Spark `session`."""
    if not needs_session(root):
        parts = urllib.parse.urlsplit(root)
        return LocalStorage(parts.path if parts.scheme else root)
    if session is None:
        raise ValueError(f"{root}: a Spark session is due to reach this file system")
    return HadoopStorage(root, session)


def needs_session(root: str) -> bool:
    return urllib.parse.urlsplit(root).scheme not in ("", "file")


def file_system(path: str) -> tuple[Any, str]:
    """pyarrow's file system for a path or URI, and the name on it."""
    import pyarrow.fs

    scheme = urllib.parse.urlsplit(path).scheme
    if len(scheme) < 2:  # none
        return pyarrow.fs.LocalFileSystem(), str(pathlib.Path(path).absolute())
    if scheme == "file":  # Spark writes file:/folder too
        return pyarrow.fs.LocalFileSystem(), urllib.parse.unquote(urllib.parse.urlsplit(path).path)
    if scheme in ("s3a", "s3n"):
        path = "s3" + path[len(scheme) :]
    return pyarrow.fs.FileSystem.from_uri(path)


class LocalStorage:
    """A folder. `replace` and `create` are durable: content and folder entry are synced before they return."""

    def __init__(self, root: str) -> None:
        self.root = str(pathlib.Path(root).expanduser().absolute())

    def uri(self, path: str) -> str:
        return os.path.join(self.root, path) if path else self.root

    def spark_uri(self, path: str) -> str:
        """With its scheme: on a cluster a bare path would be one of the cluster's own file system."""
        return f"file://{self.uri(path)}"

    def read(self, path: str) -> bytes | None:
        try:
            return pathlib.Path(self.uri(path)).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def replace(self, path: str, content: bytes) -> None:
        with self._written(path, content) as temporary:
            os.replace(temporary, self.uri(path))

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False where another was faster."""
        with self._written(path, content) as temporary:
            try:
                os.link(temporary, self.uri(path))
            except FileExistsError:
                return False
            finally:
                os.unlink(temporary)
        return True

    def move(self, source: str, target: str) -> None:
        """Give a file another name, in a folder that is made where it lacks."""
        pathlib.Path(self.uri(target)).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.uri(source), self.uri(target))

    def delete(self, path: str) -> None:
        """Remove a file or a folder; a folder is gone in one step, so that nobody meets half of one."""
        target = pathlib.Path(self.uri(path))
        if not target.is_dir() or target.is_symlink():
            with contextlib.suppress(NotADirectoryError):
                target.unlink(missing_ok=True)
            return
        hidden = target.with_name(f".{uuid.uuid4().hex}{DELETED}")  # readers skip names with a dot
        try:
            os.rename(target, hidden)
        except FileNotFoundError:
            return
        shutil.rmtree(hidden)

    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.uri(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextlib.contextmanager
    def _written(self, path: str, content: bytes) -> Iterator[pathlib.Path]:
        target = pathlib.Path(self.uri(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise


class HadoopStorage:
    """Any file system of Spark's Hadoop client. `replace` and `create` rename a finished file into place: one atomic
    step on HDFS; an object store gives the guarantees that its client documents, so two that create one file at the
    same instant may both be told that they did."""

    def __init__(self, root: str, session: Any) -> None:
        self.root = root.rstrip("/")
        self._gateway = session.sparkContext._gateway
        self._jvm = session.sparkContext._jvm
        self._conf = session.sparkContext._jsc.hadoopConfiguration()
        with _as_os_error(root):
            self._fs = self._path("").getFileSystem(self._conf)
            self._context = self._jvm.org.apache.hadoop.fs.FileContext.getFileContext(self._fs.getUri(), self._conf)

    def uri(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def spark_uri(self, path: str) -> str:
        return self.uri(path)

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self.uri(path))

    def read(self, path: str) -> bytes | None:
        try:
            with _as_os_error(self.uri(path)):
                stream = self._fs.open(self._path(path))
                try:
                    return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
                finally:
                    stream.close()
        except FileNotFoundError:
            return None

    def replace(self, path: str, content: bytes) -> None:
        self._renamed(path, content, "OVERWRITE")

    def create(self, path: str, content: bytes) -> bool:
        try:
            self._renamed(path, content, "NONE")
        except FileExistsError:
            return False
        return True

    def _renamed(self, path: str, content: bytes, option: str) -> None:
        temporary = self._path(f"{os.path.dirname(path)}/.{uuid.uuid4().hex}.tmp".lstrip("/"))
        kinds = getattr(self._jvm.org.apache.hadoop.fs, "Options$Rename")
        options = self._gateway.new_array(kinds, 1)
        options[0] = getattr(kinds, option)
        try:
            with _as_os_error(self.uri(path), exists=errno.ENOTDIR):  # where its folder is due
                stream = self._fs.create(temporary, True)
                try:
                    stream.write(bytearray(content))
                finally:
                    stream.close()
            with _as_os_error(self.uri(path)):
                self._context.rename(temporary, self._path(path), options)
        except BaseException:
            with _as_os_error(self.uri(path)):
                self._fs.delete(temporary, False)
            raise

    def move(self, source: str, target: str) -> None:
        with _as_os_error(self.uri(source)):
            self._fs.mkdirs(self._path(os.path.dirname(target)))
            if not self._fs.rename(self._path(source), self._path(target)):
                raise OSError(errno.EIO, "cannot be moved", self.uri(source))

    def delete(self, path: str) -> None:
        with _as_os_error(self.uri(path)):
            self._fs.delete(self._path(path), True)

    def names(self, path: str) -> list[str]:
        try:
            with _as_os_error(self.uri(path)):
                return sorted(status.getPath().getName() for status in self._fs.listStatus(self._path(path)))
        except FileNotFoundError:
            return []


@contextlib.contextmanager
def _as_os_error(place: str, exists: int = errno.EEXIST) -> Iterator[None]:
    from py4j.protocol import Py4JJavaError

    known = {"FileNotFoundException": errno.ENOENT, "FileAlreadyExistsException": exists}
    try:
        yield
    except Py4JJavaError as error:
        kind = error.java_exception.getClass().getSimpleName()
        text = str(error.java_exception.getMessage()).splitlines()[0]
        raise OSError(known.get(kind, errno.EIO), f"{kind}: {text}", place) from error
