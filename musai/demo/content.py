"""What the demo's files hold, as bytes: the log in three parts, the catalogue, the aliases and the README."""

import collections
import csv
import dataclasses
import datetime as dt
import io
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

from musai.demo import dirt, listeners, sounds
from musai.demo.catalogue import TRACK_COLUMNS, Tune, installed_tunes, read_lyrics, read_manifest, track_rows

LOG_COLUMNS = ("user_id", "track_id", "event", "plays", "timestamp")
ALIASES = 12  # tunes that have a bad id beside the good one
ALIAS_SHARE = 0.15  # of their rows that use it


@dataclasses.dataclass(frozen=True)
class DemoContent:
    """The files by name (with "/"), and what the README says of them."""

    files: dict[str, bytes]
    tunes: list[Tune]  # of the catalogue
    rows: int  # good rows of the log
    silent: list[str]  # track ids without listeners
    aliases: dict[str, str]  # bad id -> good id
    dirty: list[tuple[str, dirt.DirtyRow]]  # file name, row


def demo_content() -> DemoContent:
    """All files but the README; the same on every run with the same installed tunes."""
    manifest = read_manifest()
    tunes = installed_tunes(manifest)
    installed = {tune.track_id for tune in tunes}
    # Simulated over the whole manifest, so that a tune that is left out takes no more than its own rows away.
    events = [event for event in listeners.simulate(manifest) if manifest[event.track].track_id in installed]
    heard = collections.Counter(manifest[event.track].track_id for event in events)
    aliases = {_bad_id(track_id): track_id for track_id, _ in sorted(heard.most_common(5 * ALIASES))[::5]}
    parts = _log_parts(manifest, events, {good: bad for bad, good in aliases.items()})
    mixed, dirty = dirt.mix_in(list(parts.values()), listeners.SEED + 2)
    files = {name: b"\n".join(lines) + b"\n" for name, lines in zip(parts, mixed, strict=True)}
    heard_and_read, paths = sounds.files(tunes)
    files |= heard_and_read
    rows = track_rows(tunes, paths)
    files["tracks.csv"] = _csv([TRACK_COLUMNS, *([row[column] for column in TRACK_COLUMNS] for row in rows)])
    files["aliases.csv"] = _csv([("bad_id", "good_id"), *sorted(aliases.items())])
    names = list(parts)
    return DemoContent(
        files=files,
        tunes=tunes,
        rows=len(events),
        silent=[tune.track_id for tune in tunes if tune.track_id not in heard],
        aliases=aliases,
        dirty=[(names[row.file], row) for row in dirty],
    )


def _bad_id(track_id: str) -> str:
    return track_id.upper().replace("-", "_")


def _log_parts(
    manifest: Sequence[Tune], events: Iterable[listeners.Event], bad_ids: dict[str, str]
) -> dict[str, list[bytes]]:
    """The log's lines by file name, a file for each period, header first, in order of time."""
    rng = np.random.default_rng(listeners.SEED + 1)
    length = dt.timedelta(days=listeners.DAYS // listeners.PERIODS)
    starts = [listeners.FIRST_DAY + length * period for period in range(listeners.PERIODS)]
    names = [f"interactions/{start}_{start + length - dt.timedelta(days=1)}.csv" for start in starts]
    parts = {name: [",".join(LOG_COLUMNS).encode()] for name in names}
    midnight = dt.datetime.combine(listeners.FIRST_DAY, dt.time(), dt.UTC)
    for event in events:
        track_id = manifest[event.track].track_id
        if track_id in bad_ids and rng.random() < ALIAS_SHARE:
            track_id = bad_ids[track_id]
        when = (midnight + dt.timedelta(seconds=event.second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = f"{event.user_id},{track_id},{event.event},{event.plays},{when}"
        parts[names[event.second // (86400 * length.days)]].append(row.encode())
    return parts


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def readme_text(content: DemoContent) -> str:
    """What the README of the demo's folder says."""
    genres = collections.Counter(tune.genre for tune in content.tunes)
    albums = collections.Counter(tune.album if tune.genre != "classical" else tune.artist for tune in content.tunes)
    typists = sorted({tune.transcriber for tune in content.tunes} - {""})
    circles = [
        f"  {share:4.0%}  {name}: " + ", ".join(f"{genre} {weight:g}" for genre, weight in tastes.items())
        for name, (share, tastes) in listeners.CIRCLES.items()
    ]
    words = read_lyrics()
    dirty = [f"  {name}:{row.line}: {row.kind}" for name, row in content.dirty]
    return _README.format(
        tunes=len(content.tunes),
        songs=sum(tune.track_id in words for tune in content.tunes),
        genres=", ".join(f"{genre} {count}" for genre, count in sorted(genres.items())),
        albums="\n".join(f"  {count:4d}  {album}" for album, count in sorted(albums.items())),
        typists=textwrap.fill(", ".join(typists), 118),
        sounds=sum(name.startswith("sound/") for name in content.files),
        sound_s=sounds.SOUND_S,
        listeners=listeners.LISTENERS,
        rows=content.rows,
        first=listeners.FIRST_DAY,
        last=listeners.LAST_DAY,
        seed=listeners.SEED,
        circles="\n".join(circles),
        zipf=listeners.ZIPF_EXPONENT,
        wandering=listeners.WANDERING,
        median=listeners.MEDIAN_EVENTS,
        brief=listeners.BRIEF_LISTENERS,
        late=listeners.LATE_TUNES,
        silent=len(content.silent),
        silent_ids="\n".join(f"  {track_id}" for track_id in content.silent),
        aliases=len(content.aliases),
        dirty_count=len(content.dirty),
        blank=dirt.BLANK_LINES,
        dirty="\n".join(dirty),
    )


_README = """\
MusAI: input files of the built-in demo
=======================================

THE LISTENERS ARE SIMULATED. No person stands behind any row of the log, and nothing was learnt from real listening:
figures measured on it show that the programs work, not how well they would serve people.
THE TUNES ARE REAL. They are {tunes} public-domain tunes whose notes come with the Python package music21 (its corpus).
Here are facts about them (titles, composers or collectors, collections, kinds) and, made from the installed package,
their notes and some sound. MusAI itself ships none of the notes.

The catalogue: tracks.csv
-------------------------
{albums}

By genre: {genres}.

Bach's chorales, string quartets of Haydn, Mozart and Beethoven, Francis O'Neill's "Music of Ireland" (1903), "Ryan's
Mammoth Collection" (1883) and James Aird's "Airs" (from 1778), from files in which no word on rights was found. Their
class, in the column licence: the composition is in the public domain; who typed the file says nothing on the encoding.
For folk tunes `artist` is the collector or composer that the file names, else the collection and the kind of
tune. {songs} of the tunes have words, in English or Chinese, which were written for this demo and are no part of
the tradition; `language` is that of the words, else that of the title. conf/demo/catalogue.csv in MusAI names each
file with its sha256 and the statement found; a tune whose installed file differs is left out.
Typed, as the files say, by:
{typists}.

Their notes as music21's corpus has them are in midi/ (repeats of scores are played once), with the instruments of their
kind; {sounds} of them have sound in sound/ too: the first {sound_s:g} seconds, by MusAI's own synthesizer.

The log: interactions/
----------------------
{rows} good rows of {listeners} simulated listeners, {first} to {last} (UTC), made with seed {seed}:
each listener belongs to a circle (share of listeners; tastes as Dirichlet concentrations, .05 for kinds not named),
{circles}
and draws from it a share of taste for each kind of tune, for each artist within a kind, and a leaning to slow and to
minor tunes. Tunes have a Zipf popularity (exponent {zipf}); the chance of a play is taste times popularity ^ .75,
and {wandering:.0%} of the events follow popularity alone. The number of events is log-normal (median {median}); {brief}
listeners have only one to three. More is heard in the evening and at the weekend; chorales rise and marches fall over
the 60 days; {late} tunes arrive only after 20 or 40 days. Events are play, like (more often for what is near the
listener's taste) and skip (more often for what is not). Some ids are in other scripts, one holds a space.

{silent} tunes have no listeners at all (new releases):
{silent_ids}

aliases.csv: {aliases} bad ids of tunes with the good ones; some rows of the log use them.

Put in on purpose: {blank} blank lines in each file of the log, and {dirty_count} rows that cannot be used
(file:line; the header is line 1):
{dirty}
"""
