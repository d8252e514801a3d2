"""Facts about tunes in music21's corpus, read from the text of its files; music21 itself is not imported.

An ABC file holds one tune or many (`X:` opens each, by its number); a MusicXML file (.mxl: zipped) holds one.
"""

import functools
import hashlib
import importlib.util
import re
import zipfile
from pathlib import Path

NO_STATEMENT = "none"

# Words by which a file says something on rights, in small letters. In ABC they are looked for in comments and in the
# fields in which people write sentences: `(c)` is a note in brackets elsewhere, and "The Book of Rights" is a title.
_RIGHTS_WORDS = (
    "copyright", "©", "&#169;", "&#xa9;", "(c)", "licens", "licenc", "reserved", "permission", "permitted",
    "public domain", "commercial", "creative commons", "cc by", "cc-by",
)  # fmt: skip
_STATING_ELEMENT = re.compile(r"<(rights|source)\b[^>]*>([^<]*)<")
_ABC_TUNE = re.compile(r"^X:\s*(\d+)", re.MULTILINE)
_ABC_FIELD = re.compile(r"^([A-Za-z]):(.*)$")
_ABC_SILENT_FIELDS = frozenset("TXKMLQ")


def corpus_folder() -> Path | None:
    """The folder `music21/corpus` of this environment; None where music21 is not installed."""
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "corpus"
    return folder if folder.is_dir() else None


@functools.cache
def file_digest(path: Path) -> str:
    """sha256 of the file's bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def file_text(path: Path) -> str:
    """The text of an ABC or MusicXML file; of a zipped one, that of every score in it, one after the other."""
    if path.suffix != ".mxl":
        return _decode(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF/") and not name.endswith("/")]
        return "\n".join(_decode(archive.read(name)) for name in names)


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16").replace("\r\n", "\n")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\r\n", "\n")


def abc_tunes(text: str) -> dict[int, str]:
    """The tunes of an ABC file by number (`X:`), each with its own text; of two with one number the first."""
    starts = list(_ABC_TUNE.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    tunes: dict[int, str] = {}
    for match, end in zip(starts, ends, strict=True):
        tunes.setdefault(int(match[1]), text[match.start() : end])
    return tunes


def abc_fields(tune: str) -> dict[str, list[str]]:
    """The information fields of one tune by letter: {"T": [titles], "K": [keys], ...}, without outer quotes."""
    fields: dict[str, list[str]] = {}
    for line in tune.splitlines():
        if match := _ABC_FIELD.match(line):
            value = match[2].strip().strip(':"').strip()
            if value:
                fields.setdefault(match[1], []).append(value)
    return fields


def abc_bars(tune: str) -> int:
    """The number of bar lines in the notes of one tune."""
    notes = [line for line in tune.splitlines() if not _ABC_FIELD.match(line) and not line.startswith("%")]
    return len(re.findall(r"[|:\]\[]*\|[|:\]\[]*", "".join(notes)))


def rights_statement(path: Path) -> str:
    """What the file says on rights: the line that says it (at most 200 characters), or "none".

    A file that names another place as its `<source>` counts as saying something: terms may stand there.
    """
    text = file_text(path)
    if path.suffix == ".abc":
        parts = [line for line in text.splitlines() if _speaks(line)]
    else:
        for element, content in _STATING_ELEMENT.findall(text):
            if content.strip():
                return f"{element}: {' '.join(content.split())}"[:200]
        small = text.lower()
        found = any(word in small for word in _RIGHTS_WORDS)
        parts = re.split(r"[<>]" if path.suffix in {".mxl", ".xml"} else "\n", text) if found else []
    for part in parts:
        if any(word in part.lower() for word in _RIGHTS_WORDS):
            return " ".join(part.split())[:200]
    return NO_STATEMENT


def _speaks(abc_line: str) -> bool:
    """Whether a line of an ABC file is a comment or a field in which people write sentences."""
    if abc_line.startswith("%"):
        return True
    match = _ABC_FIELD.match(abc_line)
    return match is not None and match[1] not in _ABC_SILENT_FIELDS
