"""One track at a time: from what there is of it to a row of `track_emotions`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from musai.emotion.fusion import Emotion, fuse
from musai.emotion.models import Models
from musai.inputs.media import located
from musai.music.midi import MidiFault, content_of, read_midi

READ = ("lyrics", "language", "tags", "title", "genre")  # columns of `tracks` that are read, besides the MIDI
RULES = 4  # raised when the code that reads a track changes what it finds


@dataclasses.dataclass(frozen=True)
class Content:
    """What is there of a track: the columns READ, its MIDI file's bytes, its embeddings by model."""

    columns: Mapping[str, Any]
    midi: bytes | None
    embeddings: Mapping[str, Sequence[float]]

    def digest(self, models: str) -> str:
        """sha256 over all of it and the models' digest."""
        said = {name: self.columns[name] for name in READ}
        sounds = {name: list(values) for name, values in sorted(self.embeddings.items())}
        content = hashlib.sha256(json.dumps([RULES, models, said, sounds], sort_keys=True).encode())
        content.update(b"" if self.midi is None else hashlib.sha256(self.midi).digest())
        return content.hexdigest()


def midi_of(path: str | None, roots: Sequence[str]) -> tuple[bytes | None, str | None]:
    """(bytes of a MIDI file of the catalogue, why they cannot be read); roots: see `musai.inputs.media`."""
    if not path:
        return None, None
    file = located(path, roots)
    if file is None:
        return None, "MIDI: leads out of inputs.media_roots"
    try:
        return content_of(pathlib.Path(file)), None
    except MidiFault as error:
        return None, f"MIDI: {error.faults[0]}"
    except OSError as error:
        return None, f"MIDI: {error.strerror or 'cannot be read'}"


def emotion(content: Content, models: Models) -> tuple[Emotion | None, str | None]:
    """(what all sources say together, why the MIDI file says nothing)."""
    columns, fault = content.columns, None
    readings = [
        models.words(columns["lyrics"], columns["language"]),
        models.sound(content.embeddings),
        models.tags(columns["tags"], columns["title"], columns["genre"]),
    ]
    if content.midi is not None:
        try:
            readings.append(models.notes(read_midi(content.midi)))
        except MidiFault as error:
            fault = f"MIDI: {error.faults[0]}"
    return fuse([reading for reading in readings if reading]), fault
