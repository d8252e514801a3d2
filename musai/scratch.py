"""This account's folder on this machine for what can be made again at any time: compiled loops, unpacked models."""

from __future__ import annotations

import os
import pathlib
import tempfile


def scratch(name: str) -> pathlib.Path:
    """`<temporary folder>/musai-<uid>/<name>`, made where it is missing.

    Nobody else may write there: what lies in it is loaded as code. Raises PermissionError where the folder is not
    this account's own.
    """
    root = pathlib.Path(tempfile.gettempdir()) / f"musai-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    state = root.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o022:  # of a link: 0o777
        raise PermissionError(f"{root}: this folder has to be this account's own; set TMPDIR to another place")
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
