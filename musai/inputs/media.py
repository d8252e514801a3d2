"""Where the catalogue's paths of sound and MIDI files may lead: into the folders that the configuration allows."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence

from musai.config import Inputs

FIELDS = ("audio_path", "midi_path")


def roots_of(inputs: Inputs) -> tuple[str, ...]:
    """`inputs.media_roots`, or without them the folder in which the catalogue lies."""
    roots = inputs.media_roots
    if roots is None:
        tracks = os.path.expanduser(inputs.tracks or "")
        roots = [tracks if os.path.isdir(tracks) else os.path.dirname(tracks) or "."] if tracks else []
    return tuple(root if "://" in root else os.path.abspath(os.path.expanduser(root)) for root in roots)


def located(path: str, roots: Sequence[str]) -> str | None:
    """The file that a path of the catalogue names; a relative one lies under the first root.

    None where it leads out of every root, by `..`, by a link or as it stands. In a URI nothing is resolved: one with
    `..` in it leads out.
    """
    if not roots or "\0" in path:
        return None
    path = path.removeprefix("file://")
    if "://" not in path and "://" in roots[0]:
        path = posixpath.join(roots[0], path)
    if "://" in path:
        inside = any("://" in root and path.startswith(root.rstrip("/") + "/") for root in roots)
        return path if inside and ".." not in path.split("/") else None
    try:
        real = os.path.realpath(os.path.join(roots[0], path))
        folders = [os.path.realpath(root) for root in roots if "://" not in root]
    except (OSError, ValueError):  # too long a name, a surrogate
        return None
    return real if any(os.path.commonpath([real, folder]) == folder != real for folder in folders) else None
