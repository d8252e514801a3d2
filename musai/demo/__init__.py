"""The built-in demo: a catalogue of real public-domain tunes and listeners that are simulated, and say so."""

import os
from pathlib import Path


def write_demo(folder: Path) -> dict[str, Path]:
    """Writes the demo's input files into `folder` and returns their paths by name.

    `interactions`: a folder of three CSV files, one for each part of the 60 days; `tracks`, `aliases`: CSV files, with
    MIDI and sound of the tracks beside them; `readme`: what all this is. The bytes are the same on every run; each file
    appears at once, when it is whole.
    """
    from musai.demo.content import demo_content, readme_text  # numpy, and the corpus is read

    content = demo_content()
    for name, data in {**content.files, "README.txt": readme_text(content).encode()}.items():
        _write_whole(folder, name, data)
    return {
        "interactions": folder / "interactions",
        "tracks": folder / "tracks.csv",
        "aliases": folder / "aliases.csv",
        "readme": folder / "README.txt",
    }


def _write_whole(folder: Path, name: str, data: bytes) -> None:
    """Writes `folder/name` under a hidden name outside the inputs, then renames it: a kill leaves no half file."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = folder / f".{target.name}.{os.getpid()}.part"
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
