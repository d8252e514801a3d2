"""The files under a path: which there are, what they are by their suffix, and their bytes.

Paths are local, or URIs that pyarrow knows (`hdfs://`, `s3://` or `s3a://`, `gs://`, `file://`). Names are relative to
the input: they are what `rejected_rows.place` and the snapshot show.
"""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
import stat
from collections.abc import Iterator, Mapping
from typing import IO, Any, Literal, cast

import pyarrow.fs

from musai.config import FileFormat

Kind = Literal["parquet", "csv", "json"]

KINDS: Mapping[str, Kind] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".dat": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
HIDDEN = (".", "_")
SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file found under the path of an input."""

    path: str  # absolute, or a URI
    name: str  # relative to the input
    size: int  # -1: a dangling link or no regular file
    changed_ns: int  # of its content, its name or its rights, whichever came last

    @property
    def shown(self) -> str:
        """The name as text that can be written: bytes of it that are no UTF-8 become \\xNN."""
        return self.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    @property
    def spark_path(self) -> str:
        """With its scheme: on a cluster a bare path would be one of the cluster's own file system."""
        return self.path if "://" in self.path else f"file://{self.path}"


@dataclasses.dataclass(frozen=True)
class Form:
    """How to read a file; `separator` is None where it has none (Parquet, JSON lines)."""

    kind: Kind
    separator: str | None
    packed: bool  # gzip


def entries(path: str) -> list[Entry]:
    """All files at `path`, a file or a folder, by name; hidden ones and those that start with `_` are not inputs.

    Raises OSError where there is nothing, or nothing that can be listed.
    """
    if "://" in path:
        found = _remote_entries(path.rstrip("/"))
    else:
        root = pathlib.Path(path).expanduser()
        if root.is_dir():
            found = [*_below(root.resolve(), "", {root.resolve()})]
        else:  # a link keeps its own name, and so its suffix
            found = [_entry(root.parent.resolve() / root.name, root.name)]
    return sorted(found, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))


def _below(folder: pathlib.Path, prefix: str, seen: set[pathlib.Path]) -> Iterator[Entry]:
    """Links to folders are followed, once each."""
    for path in folder.iterdir():
        if path.name.startswith(HIDDEN):
            continue
        if not path.is_dir():
            yield _entry(path, prefix + path.name)
        elif (real := path.resolve()) not in seen:
            seen.add(real)
            yield from _below(path, f"{prefix}{path.name}/", seen)


def _entry(path: pathlib.Path, name: str) -> Entry:
    try:
        status = path.stat()
    except FileNotFoundError:
        if not path.is_symlink():
            raise
        return Entry(str(path), name, -1, 0)
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    return Entry(str(path), name, size, max(status.st_mtime_ns, status.st_ctime_ns))


def _remote_entries(uri: str) -> list[Entry]:
    system, root = _remote(uri)
    info = system.get_file_info(root)
    if info.type == pyarrow.fs.FileType.NotFound:
        raise FileNotFoundError(2, "No such file or directory", uri)
    if info.type == pyarrow.fs.FileType.File:
        return [Entry(uri, uri.rsplit("/", 1)[1], info.size, info.mtime_ns or 0)]
    found = []
    for info in system.get_file_info(pyarrow.fs.FileSelector(root, recursive=True)):
        name = info.path.removeprefix(root).lstrip("/")
        hidden = any(part.startswith(HIDDEN) for part in name.split("/"))
        if info.type == pyarrow.fs.FileType.File and not hidden:
            found.append(Entry(f"{uri}/{name}", name, info.size, info.mtime_ns or 0))
    return found


def _remote(uri: str) -> tuple[Any, str]:
    """The file system of a URI and the path in it; what follows the host is taken as it stands, as Hadoop does."""
    scheme, rest = uri.split("://", 1)
    host, _, path = rest.partition("/")
    system, top = pyarrow.fs.FileSystem.from_uri(f"{'s3' if scheme == 's3a' else scheme}://{host}/")
    return system, f"{top.rstrip('/')}/{path}"


def opened(path: str) -> IO[bytes]:
    """The bytes of a file, for reading anywhere in it."""
    if "://" not in path:
        return pathlib.Path(path).expanduser().open("rb")
    system, inner = _remote(path)
    return cast(IO[bytes], system.open_input_file(inner))


def unpacked(stream: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream))


def form(name: str, settings: FileFormat) -> Form:
    """How to read a file of this name. Raises ValueError with the reason where its suffix does not say."""
    path = pathlib.PurePosixPath(name)
    packed = path.suffix == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    kind = KINDS.get(suffix)
    if kind is None or (packed and kind == "parquet"):
        raise ValueError(f"its suffix is none of {', '.join(KINDS)} (.gz behind it: not for Parquet)")
    if kind != "csv":
        return Form(kind, None, packed)
    separator = SEPARATORS.get(suffix) if settings.separator is None else settings.separator.replace("\\t", "\t")
    if not separator:
        raise ValueError(f"{suffix} says no separator; name it in the configuration")
    return Form(kind, separator, packed)
