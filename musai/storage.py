"""Small files of the warehouse: read whole, replaced in one atomic step, created by exactly one.

Two engines: a local or mounted folder, and any file system that Spark's Hadoop client reaches (hdfs://, s3a://, ...),
through the session's own JVM so that its credentials serve. Paths are relative to the root, with `/`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import urllib.parse
import uuid
from typing import Any, Protocol


class Storage(Protocol):
    root: str

    def uri(self, path: str) -> str: ...
    def read(self, path: str) -> bytes | None: ...
    def replace(self, path: str, content: bytes) -> None: ...
    def create(self, path: str, content: bytes) -> bool: ...
    def delete(self, path: str) -> None: ...
    def names(self, path: str) -> list[str]: ...


def at(root: str, session: Any = None) -> Storage:
    """The storage under `root`; a URI other than file:// needs the Spark `session`."""
    parts = urllib.parse.urlsplit(root)
    if parts.scheme in ("", "file"):
        return LocalStorage(parts.path if parts.scheme else root)
    if session is None:
        raise ValueError(f"{root}: a Spark session is due to reach this file system")
    return HadoopStorage(root, session)


def needs_session(root: str) -> bool:
    return urllib.parse.urlsplit(root).scheme not in ("", "file")


class LocalStorage:
    """A folder. `replace` and `create` are durable: content and folder entry are synced before they return."""

    def __init__(self, root: str) -> None:
        self.root = str(pathlib.Path(root).expanduser().absolute())

    def uri(self, path: str) -> str:
        return os.path.join(self.root, path)

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

    def delete(self, path: str) -> None:
        target = pathlib.Path(self.uri(path))
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.uri(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextlib.contextmanager
    def _written(self, path: str, content: bytes):
        target = pathlib.Path(self.uri(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")  # readers skip names with a dot
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
    """Any file system of Spark's Hadoop client. `replace` renames over the old file (one atomic step on HDFS; on
    object stores the client's own guarantee for one object holds)."""

    def __init__(self, root: str, session: Any) -> None:
        self.root = root.rstrip("/")
        self._gateway = session.sparkContext._gateway
        self._jvm = session.sparkContext._jvm
        self._conf = session.sparkContext._jsc.hadoopConfiguration()
        self._fs = self._path("").getFileSystem(self._conf)

    def uri(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self.uri(path))

    def read(self, path: str) -> bytes | None:
        target = self._path(path)
        if not self._fs.exists(target):
            return None
        stream = self._fs.open(target)
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def _write(self, target: Any, content: bytes, overwrite: bool) -> None:
        stream = self._fs.create(target, overwrite)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def replace(self, path: str, content: bytes) -> None:
        temporary = self._path(f"{os.path.dirname(path)}/.{uuid.uuid4().hex}.tmp".lstrip("/"))
        self._write(temporary, content, True)
        hadoop = self._jvm.org.apache.hadoop.fs
        context = hadoop.FileContext.getFileContext(self._path("").toUri(), self._conf)
        options = self._gateway.new_array(getattr(hadoop, "Options$Rename"), 1)
        options[0] = getattr(hadoop, "Options$Rename").OVERWRITE
        context.rename(temporary, self._path(path), options)

    def create(self, path: str, content: bytes) -> bool:
        from py4j.protocol import Py4JJavaError

        try:
            self._write(self._path(path), content, False)
        except Py4JJavaError as error:
            if "FileAlreadyExistsException" in str(error.java_exception):
                return False
            raise
        return True

    def delete(self, path: str) -> None:
        self._fs.delete(self._path(path), True)

    def names(self, path: str) -> list[str]:
        target = self._path(path)
        if not self._fs.exists(target):
            return []
        return sorted(status.getPath().getName() for status in self._fs.listStatus(target))

