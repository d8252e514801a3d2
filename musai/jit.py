"""Compiled loops, kept on disk for the next process: a Spark task starts many."""

from __future__ import annotations

import functools
import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import numba

from musai.scratch import scratch


@functools.cache
def _folder(package: pathlib.Path) -> str:
    """In the scratch folder: the package may lie where nobody can write, and a task may have no home. By the content
    of `package`: numba itself sees neither a change in another file nor one that leaves a file's date and size."""
    digest = hashlib.sha256()
    for file in sorted(package.glob("*.py")):
        digest.update(file.read_bytes())
    return str(scratch("numba") / digest.hexdigest()[:16])


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """numba.njit with a cache that always works; NUMBA_CACHE_DIR wins where it is set."""
    settings: Any = numba.config
    before = settings.CACHE_DIR
    package = pathlib.Path(function.__code__.co_filename).parent
    settings.CACHE_DIR = before or _folder(package)  # read when the function is wrapped
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    finally:
        settings.CACHE_DIR = before
