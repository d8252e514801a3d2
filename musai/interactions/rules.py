"""Which row of the listening log counts, and for what: SQL expressions over the fields that an input has.

Stages as in `musai.inputs.lines`: each uses the columns of those before. `types` are the Spark types of the fields;
text is parsed here, a number or a moment of a Parquet file is taken as it is. The first reason that holds is given.
What nearly all rows hold is tried first, and the expressions are kept short: Spark compiles them into one Java method,
and Java runs a method of more than 8,000 bytes many times slower.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from musai.config import Ingest
from musai.days.sums import MICRO
from musai.inputs.lines import Stage, is_text, literal

MAX_PLAYS = 1e9
FUTURE = "timestamp is in the future"
TOLERANCE = dt.timedelta(days=1)  # of clocks: a moment later than that from now is in the future

NUMBER = r"\s*+[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?\s*+"  # possessive: never slow
PLAYS = rf"^(?:{NUMBER}|\s*(?i:nan|[+-]?inf(?:inity)?)\s*)\z"
QUOTED = r'^"(?:NaN|[+-]?Infinity)"\z'  # as from_json gives what is no JSON number
SECONDS = rf"^(?=[\s\S]{{1,100}}\z){NUMBER}\z"  # no longer: to read n digits as a decimal takes n x n steps
USUAL = (  # what Spark's cast reads by itself; it would take much more (2021, T12:30, words)
    r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?\s*\z"
)
TIME = r"[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?"
OTHER = (  # the other forms of ISO 8601: see `moment`
    rf"^\s*([0-9]{{4}})(?:-([0-9]{{2}})-|([0-9]{{2}}))([0-9]{{2}}){TIME}"
    r"((?:[.,][0-9]++)?) ?((?:Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)\s*\z"
)


def stages(types: Mapping[str, str], ingest: Ingest, now: dt.datetime) -> list[Stage]:
    """From the fields, `_kind`, `_reason` and `_erased`: `_status` and what a good row adds up to.

    `_status` is header, blank, erased, rejected or good, in that precedence; `_micro` the plays x weight in millionths,
    `_at` the moment. A good row is used where its day is not `outside`.
    """
    return [
        {"_plays": _plays(types), "_weight": _weight(types, ingest.event_weights), "_at": _moment(types)},
        {"_reason": _reason(types, ingest, now)},
        {
            "_status": """CASE WHEN _kind IS NOT NULL THEN _kind
                WHEN _erased THEN 'erased'
                WHEN _reason IS NOT NULL THEN 'rejected'
                ELSE 'good' END""",
            "_micro": f"CAST(rint(greatest(least(_plays * _weight * {MICRO!r}D, 9e18D), -9e18D)) AS bigint)",
        },
    ]


def _is_text(types: Mapping[str, str], field: str) -> bool:
    return types.get(field) == "string"


def _plays(types: Mapping[str, str]) -> str:
    """The number, or null where there is none; a row without plays counts as one."""
    if "plays" not in types:
        return "1.0D"
    if not _is_text(types, "plays"):
        return "coalesce(plays, 1.0D)"
    return f"""CASE WHEN plays rlike {literal(PLAYS)} THEN try_cast(plays AS double)
        WHEN plays IS NULL OR NOT {is_text("plays")} THEN 1.0D
        WHEN plays rlike {literal(QUOTED)} THEN try_cast(btrim(plays, '"') AS double) END"""


def _weight(types: Mapping[str, str], weights: Mapping[str, float]) -> str:
    """Of the row's event; null where it has one that is not in the configuration."""
    play = f"{float(weights['play'])!r}D" if "play" in weights else "CAST(NULL AS double)"
    if "event" not in types:
        return play
    cases = " ".join(f"WHEN {literal(event)} THEN {float(weight)!r}D" for event, weight in weights.items())
    return f"CASE WHEN event IS NULL OR NOT {is_text('event')} THEN {play} ELSE CASE btrim(event) {cases} END END"


def _moment(types: Mapping[str, str]) -> str:
    """The instant of the row; null where there is none, or where it cannot be read."""
    if "timestamp" not in types:
        return "CAST(NULL AS timestamp)"
    return moment("`timestamp`") if _is_text(types, "timestamp") else "`timestamp`"


def moment(text: str) -> str:
    """A text as an instant: ISO 8601, or seconds since 1970; null where it is neither.

    Text without a zone is in the session's time zone. A day or hour that there is not gives null. The other forms,
    20210203T101010,5+01 say, are brought into the usual one: what is missing of minutes and seconds becomes 00.
    """
    whole = f"regexp_replace({text}, {literal(OTHER)}, {literal('$1-$2$3-$4T$5:$6:$7$8$9')})"
    zone = f"regexp_replace(translate({whole}, ',z', '.Z'), '([+-][0-9][0-9])([0-9][0-9])?$', {literal('$1:$2')})"
    usual = f"regexp_replace(regexp_replace({zone}, '(UTC|GMT)$', 'Z'), ':(?![0-9])', ':00')"
    return f"""CASE WHEN {text} rlike {literal(USUAL)} THEN try_cast({text} AS timestamp)
        WHEN {text} rlike {literal(SECONDS)}
            THEN timestamp_micros(try_cast(try_cast({text} AS decimal(25,6)) * 1000000 AS bigint))
        WHEN {text} rlike {literal(OTHER)} THEN try_cast({usual} AS timestamp) END"""


def instant(moment: dt.datetime) -> str:
    """A SQL expression for a moment with a zone."""
    return f"timestamp_micros({(moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)})"


def start_of(day: dt.date, ingest: Ingest) -> dt.datetime:
    """The first instant of a day in `ingest.time_zone`."""
    return dt.datetime.combine(day, dt.time(), ingest.zone)


def _reason(types: Mapping[str, str], ingest: Ingest, now: dt.datetime) -> str:
    cases = [f"WHEN user_id IS NULL OR NOT {is_text('user_id')} THEN 'no user id'"]
    cases += [f"WHEN track_id IS NULL OR NOT {is_text('track_id')} THEN 'no track id'"]
    if "plays" in types:
        cases += [
            "WHEN _plays IS NULL THEN 'plays is not a number'",
            "WHEN isnan(_plays) THEN 'plays is NaN'",
            "WHEN abs(_plays) = double('Infinity') THEN 'plays is infinite'",
            "WHEN _plays < 0 THEN 'plays is negative'",
            "WHEN _plays = 0 THEN 'plays is zero'",
            f"WHEN _plays > {MAX_PLAYS!r}D THEN 'plays is above 1e9'",
        ]
    cases += ["WHEN _weight IS NULL THEN 'event is not in ingest.event_weights'"]
    if "timestamp" in types:
        earliest = instant(start_of(ingest.earliest_date, ingest))
        cases += [
            f"WHEN _at > {instant(now + TOLERANCE)} THEN '{FUTURE}'",
            f"WHEN _at < {earliest} THEN 'timestamp is before ingest.earliest_date'",
        ]
        if _is_text(types, "timestamp"):
            cases += [f"WHEN _at IS NULL AND {is_text('`timestamp`')} THEN 'timestamp cannot be read'"]
    return f"CASE WHEN _kind IS NOT NULL THEN NULL WHEN _reason IS NOT NULL THEN _reason {' '.join(cases)} END"


def first_day(ingest: Ingest, run_date: dt.date) -> dt.date | None:
    """Of the window that ends with the run date; None where it has no bound, or one before the year 1."""
    if ingest.window_days is None or ingest.window_days > run_date.toordinal():
        return None
    return run_date - dt.timedelta(days=ingest.window_days - 1)


def outside(ingest: Ingest, run_date: dt.date) -> str:
    """Whether a `_day` (in the session's time zone) lies after the run date or before the window; without a moment a
    row lies in any."""
    first = first_day(ingest, run_date)
    bounds = [f"_day > DATE'{run_date}'", *([f"_day < DATE'{first}'"] if first else [])]
    return f"coalesce({' OR '.join(bounds)}, false)"
