"""Where the catalogue's paths of sound and MIDI files may lead: into the folders that the configuration allows."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence

from musai.config import Inputs

FIELDS = ("audio_path", "midi_path")


def roots_of(inputs: Inputs) -> tuple[str, ...]:
    """`inputs.media_roots`, or without them the folder in which the catalogue lies."""
    if inputs.media_roots is not None:
        return tuple(inputs.media_roots)
    if inputs.tracks is None:
        return ()
    return (inputs.tracks if os.path.isdir(inputs.tracks) else os.path.dirname(inputs.tracks) or ".",)


def located(path: str, roots: Sequence[str]) -> str | None:
    """The file that a path of the catalogue names; a relative one lies under the first root.

    None where it leads out of every root, by `..`, by a link or as it stands. In a URI nothing is resolved: one with
    `..` in it leads out.
    """
    if not roots or "\0" in path:
        return None
    if "://" not in path and "://" in roots[0]:
        path = posixpath.join(roots[0], path)
    if "://" in path:
        inside = any("://" in root and path.startswith(root.rstrip("/") + "/") for root in roots)
        return path if inside and ".." not in path.split("/") else None
    try:
        real = os.path.realpath(os.path.join(os.path.expanduser(roots[0]), path))
        folders = [os.path.realpath(os.path.expanduser(root)) for root in roots if "://" not in root]
    except (OSError, ValueError):  # too long a name, a surrogate
        return None
    return real if any(os.path.commonpath([real, folder]) == folder != real for folder in folders) else None
