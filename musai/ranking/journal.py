"""What a long search found so far, a small file an entry, on any file system that pyarrow reaches."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

import pyarrow.fs

from musai.storage import file_system


@dataclasses.dataclass(frozen=True)
class Journal:
    """`uri`: a folder of its own; where it is missing nothing was found yet."""

    uri: str

    def entries(self) -> list[dict[str, Any]]:
        """All of them in the order in which they were added."""
        system, folder = file_system(self.uri)
        there = system.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
        found = []
        for path in sorted(info.path for info in there if info.path.endswith(".json")):
            with system.open_input_stream(path) as file:
                found.append(json.loads(file.read()))
        return found

    def add(self, number: int, entry: dict[str, Any]) -> None:
        """Whole, or not there: what a kill leaves of it has another name, and so has what another process writes."""
        system, folder = file_system(self.uri)
        system.create_dir(folder)
        part = f"{folder}/{number:06}.{uuid.uuid4().hex}.part"
        with system.open_output_stream(part) as file:
            file.write(json.dumps(entry).encode())
        system.move(part, f"{folder}/{number:06}.json")
