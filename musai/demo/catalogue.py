"""The demo's catalogue: real tunes of music21's corpus, named by a manifest and checked against the installed files."""

import csv
import dataclasses
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from musai.config import conf_path
from musai.demo.corpus_text import abc_tunes, corpus_folder, file_digest, file_text
from musai.errors import InputError

log = logging.getLogger(__name__)

MANIFEST = "demo/catalogue.csv"
LYRICS = "demo/lyrics.csv"  # written for the demo: words for a few of the tunes
ENCODING_UNSTATED = "public-domain composition, encoding unstated"
TRACK_COLUMNS = (
    "track_id", "title", "artist", "album", "genre", "release_date", "language", "lyrics", "tags", "audio_path",
    "midi_path", "licence", "explicit",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Tune:
    """One line of the manifest: facts about a tune, never the tune itself."""

    track_id: str
    corpus_path: str  # of the file, from music21/corpus, with "/"
    tune_number: int  # X: within an ABC file; 1 where the file holds one score
    sha256: str  # of the whole file
    title: str
    artist: str  # composer, collector, or collection and kind of tune
    album: str  # the collection or the work
    genre: str
    year: str  # of the printed collection or the composition; "" where it is not known
    language: str  # of the title, ISO 639-1; "" where the title only names the work
    tags: str  # joined by |
    transcriber: str  # who typed the file, as it says itself
    rights_statement: str  # what the file says on rights; "none"
    rights_class: str


def read_manifest(path: Path | None = None) -> list[Tune]:
    """All tunes of the manifest, in its order (by track_id)."""
    with (path or conf_path(MANIFEST)).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [Tune(**{**row, "tune_number": int(row["tune_number"])}) for row in rows]  # type: ignore[arg-type]


def write_manifest(tunes: Iterable[Tune], path: Path) -> None:
    """Writes the manifest, sorted by track_id."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, [field.name for field in dataclasses.fields(Tune)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(tune) for tune in sorted(tunes, key=lambda tune: tune.track_id))


def installed_tunes(tunes: Iterable[Tune], corpus: Path | None = None) -> list[Tune]:
    """The tunes whose file is installed and has the digest of the manifest; every other is named in a warning."""
    folder = corpus or corpus_folder()
    if folder is None:
        raise InputError("the demo's tunes: music21 with its corpus is not installed (pip install music21)")
    good: list[Tune] = []
    bad: dict[str, list[str]] = {}
    for tune in tunes:
        path = folder / tune.corpus_path
        if not path.is_file():
            bad.setdefault(f"{tune.corpus_path} is missing", []).append(tune.track_id)
        elif file_digest(path) != tune.sha256:
            bad.setdefault(f"{tune.corpus_path} differs from the manifest", []).append(tune.track_id)
        else:
            good.append(tune)
    for fault, track_ids in bad.items():
        log.warning("demo: %s in %s: left out: %s", fault, folder, ", ".join(track_ids))
    if not good:
        raise InputError(f"the demo's tunes: {folder} holds none of the files of {MANIFEST}")
    return good


def score_of(tune: Tune, corpus: Path | None = None) -> str | Path:
    """What music21's `converter.parse` reads the tune from: the ABC text of this tune alone, or the MusicXML file."""
    folder = corpus or corpus_folder()
    if folder is None:
        raise InputError("the demo's tunes: music21 with its corpus is not installed (pip install music21)")
    path = folder / tune.corpus_path
    return abc_tunes(file_text(path))[tune.tune_number] if path.suffix == ".abc" else path


def read_lyrics() -> dict[str, tuple[str, str]]:
    """track_id -> (language, lyrics with " / " between lines)."""
    with conf_path(LYRICS).open(encoding="utf-8", newline="") as lines:
        return {row["track_id"]: (row["language"], row["lyrics"]) for row in csv.DictReader(lines)}


def track_rows(tunes: Iterable[Tune], paths: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """Rows of the input `tracks`: TRACK_COLUMNS as text, tags joined by |, release_date a year or empty.

    paths: track_id -> audio_path, midi_path. `language` is that of the words where there are any, else that of the
    title.
    """
    words = read_lyrics()
    return [
        {
            "track_id": tune.track_id,
            "title": tune.title,
            "artist": tune.artist,
            "album": tune.album,
            "genre": tune.genre,
            "release_date": tune.year,
            "language": words[tune.track_id][0] if tune.track_id in words else tune.language,
            "lyrics": words[tune.track_id][1] if tune.track_id in words else "",
            "tags": tune.tags,
            **paths[tune.track_id],
            "licence": tune.rights_class,
            "explicit": "false",
        }
        for tune in tunes
    ]
