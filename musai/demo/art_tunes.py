"""Candidates for the manifest from the MusicXML files: Bach's chorales and string quartets without a rights text.

Most Bach files of music21 carry "PDF (c) 2004 Margaret Greentree" in their credits: those are left out, as is every
file that says anything on rights or names another source.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from musai.demo.catalogue import ENCODING_UNSTATED, Tune
from musai.demo.corpus_text import NO_STATEMENT, file_digest, file_text, rights_statement

# Folder of the corpus with a file for each movement -> composer, work, year of the composition as it is commonly
# given ("": not known). Files of whole quartets (op. 18 no. 3, op. 74, ...) take minutes to read and are left out.
WORKS = {
    "haydn/opus1no1": ("Joseph Haydn", "String Quartet, Op. 1 No. 1", ""),
    "haydn/opus74no1": ("Joseph Haydn", "String Quartet, Op. 74 No. 1", "1793"),
    "mozart/k80": ("Wolfgang Amadeus Mozart", "String Quartet, K. 80", "1770"),
    "mozart/k155": ("Wolfgang Amadeus Mozart", "String Quartet, K. 155", "1772"),
    "mozart/k156": ("Wolfgang Amadeus Mozart", "String Quartet, K. 156", "1772"),
    "mozart/k458": ("Wolfgang Amadeus Mozart", "String Quartet, K. 458", "1784"),
    "beethoven/opus18no1": ("Ludwig van Beethoven", "String Quartet, Op. 18 No. 1", "1800"),
    "beethoven/opus59no1": ("Ludwig van Beethoven", "String Quartet, Op. 59 No. 1", "1806"),
    "beethoven/opus59no2": ("Ludwig van Beethoven", "String Quartet, Op. 59 No. 2", "1806"),
    "beethoven/opus59no3": ("Ludwig van Beethoven", "String Quartet, Op. 59 No. 3", "1806"),
}
LONGEST_FILE = 30_000  # bytes: music21 takes ten seconds of CPU and more for a longer movement


def art_candidates(corpus: Path, chorale_titles: dict[str, str]) -> Iterator[Tune]:
    """Bach's chorales, one file per BWV number, and the movements of WORKS; only files that say nothing on rights.

    `chorale_titles`: titles by BWV number ("112.5") as far as music21 lists them.
    """
    seen: set[str] = set()
    for path in sorted((corpus / "bach").glob("bwv*"), key=lambda path: path.stem):
        full_number = path.stem.removeprefix("bwv")
        number = full_number.split("-")[0]
        if path.suffix in {".mxl", ".xml"} and number not in seen and rights_statement(path) == NO_STATEMENT:
            seen.add(number)
            title = chorale_titles.get(full_number) or chorale_titles.get(number, "")
            yield _tune(
                corpus,
                path,
                track_id=f"bach-{path.stem}",
                title=f"{title} (BWV {full_number})" if title else f"Chorale, BWV {full_number}",
                artist="Johann Sebastian Bach",
                album="Four-part chorales",
                genre="chorale",
                year="",
                language="de" if title else "",
                first_tag="choir",
            )
    for folder, (composer, work, year) in WORKS.items():
        for path in sorted((corpus / folder).glob("movement?.mxl")):
            if path.stat().st_size > LONGEST_FILE or rights_statement(path) != NO_STATEMENT:
                continue
            movement = path.stem.removeprefix("movement")
            yield _tune(
                corpus,
                path,
                track_id=f"{folder.replace('/', '-')}-{movement}",
                title=f"{work}: movement {movement}",
                artist=composer,
                album=work,
                genre="classical",
                year=year,
                language="",
                first_tag="string quartet",
            )


def _tune(corpus: Path, path: Path, *, first_tag: str, **facts: str) -> Tune:
    return Tune(
        corpus_path=path.relative_to(corpus).as_posix(),
        tune_number=1,
        sha256=file_digest(path),
        tags="|".join([first_tag, *_key_and_meter(file_text(path))]),
        transcriber="",
        rights_statement=NO_STATEMENT,
        rights_class=ENCODING_UNSTATED,
        **facts,
    )


def _key_and_meter(text: str) -> list[str]:
    """The first stated mode and meter of a MusicXML score, as far as the file states them."""
    tags = [mode[1].strip() for mode in [re.search(r"<mode>\s*(major|minor)\s*</mode>", text)] if mode]
    meter = re.search(r"<beats>\s*(\d+)\s*</beats>\s*<beat-type>\s*(\d+)\s*</beat-type>", text)
    return tags + ([f"{meter[1]}/{meter[2]}"] if meter else [])
