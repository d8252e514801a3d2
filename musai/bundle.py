"""What the nodes of a cluster need of this environment, as one archive for `spark-submit --archives`.

    python -m musai.bundle WHEEL ARCHIVE [--node-python PATH] [--extra EXTRA]     (make bundle calls it)

The archive is a virtual environment in which nothing names its own place: the packages that MusAI depends on as they
are installed here, MusAI itself from its wheel, and bin/python, a link to the Python of the nodes. Left out is what a
node has to bring: that Python (of the same release as this one), and pyspark, which must be of one version with the
Spark that runs there, and which every process that Spark starts finds on its PYTHONPATH. The same packages give the
same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import pathlib
import platform
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OF_THE_CLUSTER = ("pyspark",)
SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
OF_THIS_PLACE = ("direct_url.json",)
COMPRESSION = 1  # most of it is compiled code: 9 takes several times as long for a tenth less


def needed(name: str, extras: Iterable[str] = ()) -> list[Distribution]:
    """The distributions that `name` with its `extras` depends on here, without itself and what the cluster brings.

    Raises importlib.metadata.PackageNotFoundError for one that is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting = [(name, extra) for extra in ("", *extras)]
    seen = set()
    while waiting:
        one = waiting.pop()
        if one in seen or one[0] in OF_THE_CLUSTER:
            continue
        seen.add(one)
        found[one[0]] = distribution(one[0])
        for text in found[one[0]].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": one[1]}):
                waiting += [(canonicalize_name(requirement.name), extra) for extra in ("", *requirement.extras)]
    return [found[key] for key in sorted(found) if key != name]


def contents(distributions: Iterable[Distribution], wheel: pathlib.Path) -> Iterator[tuple[str, bytes, bool]]:
    """(name in the archive, content, executable) of every file, sorted; scripts and compiled files stay behind."""
    files = {}
    for one in distributions:
        for file in one.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in OF_THIS_PLACE:
                files[file.as_posix()] = pathlib.Path(str(one.locate_file(file)))
    for name in sorted(files):
        yield f"{SITE_PACKAGES}/{name}", files[name].read_bytes(), os.access(files[name], os.X_OK)
    with zipfile.ZipFile(wheel) as packed:
        for name in sorted(packed.namelist()):
            yield f"{SITE_PACKAGES}/{name}", packed.read(name), False


def write(archive: pathlib.Path, files: Iterable[tuple[str, bytes, bool]], node_python: str) -> None:
    """Write the archive whole, or not at all."""
    part = archive.with_name(f"{archive.name}.part")
    settings = f"home = {pathlib.Path(node_python).parent}\ninclude-system-site-packages = false\n"
    with (
        part.open("wb") as file,
        gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name in ("bin/python", "bin/python3"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, node_python
            tar.addfile(link)
        version = f"version = {platform.python_version()}\n"
        for name, content, executable in (("pyvenv.cfg", (settings + version).encode(), False), *files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if executable else 0o644
            tar.addfile(entry, io.BytesIO(content))
    part.replace(archive)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m musai.bundle", description="pack this environment for a cluster")
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("archive", type=pathlib.Path)
    parser.add_argument("--node-python", default=os.path.realpath(sys.executable), help="its path on every node")
    parser.add_argument("--extra", action="append", default=[], help="gpu, where it is installed here")
    options = parser.parse_args(arguments)
    write(options.archive, contents(needed("musai", options.extra), options.wheel), options.node_python)


if __name__ == "__main__":
    main()
