"""Candidates for the manifest from the three ABC collections: O'Neill's, Ryan's and Aird's.

Titles, kinds, collectors and composers are what the files say, cleaned; nothing is guessed from the notes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from musai.demo.catalogue import ENCODING_UNSTATED, Tune
from musai.demo.corpus_text import abc_bars, abc_fields, abc_tunes, file_digest, file_text, rights_statement

ONEILL, RYAN, AIRD = "O'Neill's Music of Ireland", "Ryan's Mammoth Collection", "Aird's Airs"
FOLDERS = {ONEILL: "oneills1850", RYAN: "ryansMammoth", AIRD: "airdsAirs"}
YEARS = {ONEILL: "1903", RYAN: "1883", AIRD: ""}  # of Aird's six volumes only the first file names its year
_AIRD_BOOK1_YEAR = "1778"
PREFIXES = {ONEILL: "oneill", RYAN: "ryan", AIRD: "aird"}
REGIONS = {ONEILL: "ireland", RYAN: "america", AIRD: "scotland"}
PLURALS = {"march": "marches"}

_LAST_AIR_OF_ONEILL = 625  # the book's first section, Airs; most of its tunes carry no R:
_KINDS = {
    "double jig": "jig", "jig": "jig", "slip jig": "slip jig", "slipjig": "slip jig", "reel": "reel", "air": "air",
    "hornpipe": "hornpipe", "strathspey": "strathspey", "clog": "clog", "march": "march",
}  # fmt: skip
_AIRD_KINDS = (("strathspey", "strathspey"), ("quick step", "march"), ("march", "march"))
# Collectors that O'Neill's names often, by their letters alone (the files spell them in many ways).
_COLLECTORS = {
    re.sub(r"[^a-z]", "", name.lower()): name
    for name in (
        "F. O'Neill", "J. O'Neill", "McFadden", "Cronin", "Ennis", "O'Reilly", "Fielding", "Early", "Delaney",
        "Kennedy", "Hartnett", "Beamish", "Tobin", "Gillan", "Carey",
    )
}  # fmt: skip
_NO_COMPOSER = {"", "trad", "scotch", "irish"}
_SAME_COMPOSER = {
    "Frank Livingstone": "Frank Livingston", "Jas. Hand": "J. Hand", "E. Christie": "Edwin Christie",
    "G. I. Tracy": "G. L. Tracy", "Zeke Bacus": "Zeke Backus",
}  # fmt: skip
_SAME_TRANSCRIBER = {"Trish O'Nei": "Trish O'Neil"}
_GOOD_TITLE = re.compile(r"[A-Z][A-Za-z0-9 ',.&!?-]+")
# Minstrel-stage and other slurs that such collections hold: not for a demo.
_UNWELCOME = re.compile(
    r"\b(coon|darkey|darkie|nigger|negro|plantation|slave|squaw|gyps\w*|gips\w*|savage|indian\w*|turk\w*|black mary|"
    r"virginny|jew|dixie|sambo|cuffee|jump jim|essence|walk ?around|stiff|whore|tinker|tinkers|minstrel\w*|de|dar|dat|"
    r"dem|massa|ole)\b|\.\.",
    re.IGNORECASE,
)
_SMALL_WORDS = {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "o'"}
_PACES = ("very slow", "slow", "moderate", "lively", "spirited", "with spirit", "tenderly", "gaily", "animated")


def folk_candidates(corpus: Path) -> Iterator[Tune]:
    """Every tune of the three collections with a clean title, a stated kind, a key and a meter, and 8 to 60 bars."""
    for collection, folder in FOLDERS.items():
        for path in sorted((corpus / folder).glob("*.abc")):
            for number, text in abc_tunes(file_text(path)).items():
                tune = _candidate(collection, path, number, text)
                if tune is not None:
                    yield tune


def _candidate(collection: str, path: Path, number: int, text: str) -> Tune | None:
    fields = abc_fields(text)
    raw_title = fields.get("T", [""])[0]
    title = clean_title(raw_title)
    genre = _kind(collection, number, fields, raw_title)
    key, meter = fields.get("K", [""])[0], fields.get("M", [""])[0]
    artist = _artist(collection, genre, fields)
    if not (_GOOD_TITLE.fullmatch(title) and genre and artist and key and meter) or not 8 <= abc_bars(text) <= 60:
        return None
    if any(_UNWELCOME.search(value) for value in fields["T"]):
        return None
    return Tune(
        track_id=f"{PREFIXES[collection]}-{_slug(title) if collection == RYAN else f'{number:04d}'}",
        corpus_path=f"{FOLDERS[collection]}/{path.name}",
        tune_number=number,
        sha256=file_digest(path),
        title=title,
        artist=artist,
        album=collection,
        genre=genre,
        year=_AIRD_BOOK1_YEAR if path.name == "book1.abc" else YEARS[collection],
        language="en",
        tags="|".join(["traditional", REGIONS[collection], *_tags(fields, key, meter)]),
        transcriber=_transcriber(fields),
        rights_statement=rights_statement(path),
        rights_class=ENCODING_UNSTATED,
    )


def clean_title(raw: str) -> str:
    """A title as people write it: "ADMIRAL'S -- HORNPIPE" -> "Admiral's Hornpipe", "Glass, The" -> "The Glass"."""
    title = re.sub(r"\s*--\s*", " ", raw).strip().rstrip(".,")
    if match := re.fullmatch(r"(.*?)[., ]*\b(The|A|An)( (?:Jig|Reel|Hornpipe|Clog|Strathspey))?", title, re.IGNORECASE):
        title = f"{match[2]} {match[1]}{match[3] or ''}"
    if sum(map(str.isupper, title)) > sum(map(str.islower, title)):
        title = title.lower()
    title = re.sub(r"(?i)\bslip-?jig\b", "Slip Jig", title)
    words = [
        word.lower() if index and word.lower() in _SMALL_WORDS else word[:1].upper() + word[1:]
        for index, word in enumerate(title.split())
    ]
    return re.sub(r"(-|\bMc|\bO')([a-z])(?!'?r\b)", lambda match: match[1] + match[2].upper(), " ".join(words))


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower().replace("'", "")).strip("-")


def _kind(collection: str, number: int, fields: dict[str, list[str]], title: str) -> str:
    """The kind of tune (the genre); "" where the file does not say it or contradicts itself."""
    if collection == AIRD:
        return next((kind for word, kind in _AIRD_KINDS if word in title.lower()), "")
    stated = _KINDS.get(fields.get("R", [""])[0].lower(), "")
    called = next((kind for kind in ("slip jig", "jig", "reel", "hornpipe") if kind in title.lower()), stated)
    if called != stated and not stated.endswith(called):
        return ""
    if collection == ONEILL and not fields.get("R") and number <= _LAST_AIR_OF_ONEILL:
        return "air"
    if collection == ONEILL and not fields.get("R") and fields.get("C") == ["O'Carolan"]:
        return "air"
    return stated


def _artist(collection: str, genre: str, fields: dict[str, list[str]]) -> str:
    """Composer (Ryan's), O'Carolan or the collector (O'Neill's), else the collection and the kind of tune.

    "" where a name is given that we cannot read for sure.
    """
    unnamed = f"{collection}: {PLURALS.get(genre, genre + 's')} (trad.)"
    composer = fields.get("C", [""])[0]
    if collection == RYAN:
        name = composer.strip(" .").title() if composer.isupper() else composer.strip(" .")
        name = re.sub(r"\.(?=[A-Z])", ". ", name)
        if name.lower() in _NO_COMPOSER:
            return unnamed
        return _SAME_COMPOSER.get(name, name) if re.fullmatch(r"[A-Z][A-Za-z.]*( [A-Z][a-z.]+)+", name) else ""
    if collection == ONEILL:
        if composer == "O'Carolan":
            return "Turlough O'Carolan"
        notes = [part for value in (*fields.get("N", []), composer) for part in value.split('"')]
        names = [re.sub(r"collected (by|from)|[^a-z]", "", note.lower()) for note in notes]
        if collector := next((_COLLECTORS[name] for name in names if name in _COLLECTORS), None):
            return f"{collector} (collector)"
        return "" if composer or any(re.search(r"(?i)collected|\([a-z]+\)", note) for note in notes) else unnamed
    return unnamed


def _tags(fields: dict[str, list[str]], key: str, meter: str) -> list[str]:
    """Mode, meter and, where the file says it, pace."""
    mode = key.strip()[1:].strip("#b ").lower()
    names = (("mix", "mixolydian"), ("dor", "dorian"), ("min", "minor"), ("aeo", "minor"), ("phr", "phrygian"))
    tags = [next((name for start, name in names if mode.startswith(start)), "minor" if mode == "m" else "major")]
    tags.append({"C": "4/4", "C|": "2/2"}.get(meter, meter))
    notes = " ".join(fields.get("N", [])).lower()
    return tags + [pace for pace in _PACES if re.search(rf"\b{pace}\b", notes)][:1]


def _transcriber(fields: dict[str, list[str]]) -> str:
    """The person who typed the tune, without addresses and dates; "" where none is named."""
    for line in fields.get("Z", []):
        text = re.sub(r"(?i)\b(transcribed|transcription|contributed|corrected)\b:?", "", line)
        text = re.sub(r"<.*|\(.*|\*.*|\S*[@:]\S*|\d\S*", "", text).strip(" ,.\"'")
        text = re.sub(r"^by\b", "", text).strip(" ,.\"'")
        if re.fullmatch(r"[A-Z][\w.']+( ?[A-Z][\w.']*){1,3}", text):
            return _SAME_TRANSCRIBER.get(text, text)
    return ""
