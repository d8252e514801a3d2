"""Makes the manifest of the demo's tunes: python -m musai.demo.make_manifest [FILE]

Draws a fixed number of tunes of each kind from the candidates, in an order given by a digest of their names, and
keeps those that music21 can turn into MIDI. The committed conf/demo/catalogue.csv was made with music21 10.5.1; run
it again only to move to files of another version.
"""

import collections
import hashlib
import logging
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from musai.config import conf_path
from musai.demo.art_tunes import art_candidates
from musai.demo.catalogue import MANIFEST, Tune, score_of, write_manifest
from musai.demo.corpus_text import NO_STATEMENT, corpus_folder
from musai.demo.folk_tunes import AIRD, ONEILL, RYAN, folk_candidates
from musai.errors import InputError

log = logging.getLogger(__name__)

# How many tunes of each collection and kind; chorales and quartets are all taken that can be played.
FOLK_COUNTS = {
    (ONEILL, "air"): 48,
    (ONEILL, "jig"): 36,
    (ONEILL, "slip jig"): 18,
    (ONEILL, "reel"): 36,
    (ONEILL, "hornpipe"): 28,
    (RYAN, "reel"): 24,
    (RYAN, "hornpipe"): 20,
    (RYAN, "jig"): 14,
    (RYAN, "slip jig"): 4,
    (RYAN, "strathspey"): 14,
    (RYAN, "clog"): 8,
    (AIRD, "march"): 24,
    (AIRD, "strathspey"): 8,
}


def chorale_titles() -> dict[str, str]:
    """Titles of Bach's chorales by BWV number, as music21 lists them."""
    from music21.corpus import chorales

    listed = chorales.ChoraleListRKBWV()
    entries = [entry for by in (listed.byTitle, listed.byBWV, listed.byRiemenschneider) for entry in by.values()]
    return {str(entry["bwv"]): str(entry["title"]).replace("’", "'") for entry in entries}


def chosen(candidates: Iterable[Tune]) -> list[Tune]:
    """FOLK_COUNTS tunes of each kind, no two of one id or title, each of them playable."""
    drawn: list[Tune] = []
    left = collections.Counter(FOLK_COUNTS)
    ids, titles = set(), set()
    for tune in sorted(candidates, key=_lot):
        stratum, title = (tune.album, tune.genre), _words(tune.title)
        fresh = tune.track_id not in ids and title not in titles
        if left[stratum] > 0 and fresh and tune.rights_statement == NO_STATEMENT and playable(tune):
            drawn.append(tune)
            left[stratum] -= 1
            ids.add(tune.track_id)
            titles.add(title)
    return drawn


def _lot(tune: Tune) -> str:
    return hashlib.sha256(f"{tune.corpus_path}#{tune.tune_number}".encode()).hexdigest()


def _words(title: str) -> str:
    kinds = {"the", "a", "reel", "jig", "hornpipe", "strathspey", "clog", "march"}
    return " ".join(word for word in title.lower().replace("'", "").split() if word not in kinds)


def playable(tune: Tune) -> bool:
    """Whether music21 reads the tune and writes MIDI from it (0.1 s a folk tune, up to 30 s a long quartet)."""
    from music21 import converter

    score = score_of(tune)
    try:
        with tempfile.TemporaryDirectory() as folder:
            parsed = converter.parse(score, format="abc" if isinstance(score, str) else "musicxml")
            parsed.write("midi", fp=str(Path(folder) / "tune.mid"))
    except Exception as error:  # noqa: BLE001  whatever a score makes music21 raise, the tune is no use
        log.warning("%s: music21 cannot play it: %s: %s", tune.track_id, type(error).__name__, error)
        return False
    return True


def main(arguments: list[str]) -> None:
    """Writes the manifest to the file named first, or over the one in conf/."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    corpus = corpus_folder()
    if corpus is None:
        raise InputError("music21 with its corpus is not installed (pip install music21)")
    art = [tune for tune in art_candidates(corpus, chorale_titles()) if playable(tune)]
    tunes = [*art, *chosen(folk_candidates(corpus))]
    target = Path(arguments[0]) if arguments else conf_path(MANIFEST)
    write_manifest(tunes, target)
    log.info("%s: %d tunes", target, len(tunes))


if __name__ == "__main__":
    main(sys.argv[1:])
