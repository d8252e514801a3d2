"""What a row of the catalogue may hold: SQL expressions, stages as in `musai.inputs.lines`."""

from __future__ import annotations

from collections.abc import Mapping

from musai.inputs.lines import Stage, is_text, literal, pattern
from musai.inputs.sources import FIELDS

TYPES = {"release_date": "date", "tags": "array<string>", "explicit": "boolean"}  # the other columns are text
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
YEAR = r"^(?!0000)[0-9]{4}\z"
MONTH = r"^(?!0000)[0-9]{4}-[0-9]{2}\z"
DAY = r"^(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,Z+-]*)?\z"  # the time, where one is given, is left out


def stages(types: Mapping[str, str], tags_separator: str) -> list[Stage]:
    """From the fields and `_kind`, `_reason`: every column of the table, `_status` header, blank, rejected or used."""
    columns = {field: _column(field, types.get(field), tags_separator) for field in FIELDS["tracks"]}
    parsed = {f"_{field}": sql for field, sql in columns.items()}
    unread = {
        "release_date": "release_date cannot be read",
        "explicit": "explicit is neither true nor false",
    }
    cases = ["WHEN _track_id IS NULL THEN 'no track id'"]
    for field, reason in unread.items():
        if types.get(field) == "string":
            cases.append(f"WHEN {is_text(field)} AND _{field} IS NULL THEN {literal(reason)}")
    cases.append("WHEN year(_release_date) NOT BETWEEN 1 AND 9999 THEN 'release_date cannot be read'")
    reason = f"CASE WHEN _kind IS NOT NULL THEN NULL WHEN _reason IS NOT NULL THEN _reason {' '.join(cases)} END"
    status = "coalesce(_kind, CASE WHEN _reason IS NOT NULL THEN 'rejected' ELSE 'used' END)"
    return [parsed, {"_reason": reason}, {"_status": status, **{field: f"_{field}" for field in columns}}]


def _column(field: str, type_: str | None, tags_separator: str) -> str:
    if type_ is None:
        return f"CAST(NULL AS {TYPES.get(field, 'string')})"
    if field == "tags":
        return _tags(type_, tags_separator)
    if type_ != "string":
        return field
    if field == "release_date":
        text = f"btrim({field})"
        return f"""CASE WHEN {text} rlike {literal(DAY)} THEN try_cast(substr({text}, 1, 10) AS date)
            WHEN {text} rlike {literal(MONTH)} THEN try_cast(concat({text}, '-01') AS date)
            WHEN {text} rlike {literal(YEAR)} THEN try_cast(concat({text}, '-01-01') AS date) END"""
    if field == "explicit":
        yes, no = (", ".join(map(literal, words)) for words in (TRUE, FALSE))
        text = f"lower(btrim({field}))"
        return f"CASE WHEN {text} IN ({yes}) THEN true WHEN {text} IN ({no}) THEN false END"
    return f"CASE WHEN {is_text(field)} THEN {field} END"


def _tags(type_: str, separator: str) -> str:
    """A list: as it is, as JSON writes it, or between separators; without empty tags, and null where none is left."""
    found = "tags"
    if type_ == "string":
        listed = "CASE WHEN startswith(ltrim(tags), '[') THEN from_json(tags, 'array<string>') END"
        found = f"coalesce({listed}, split(tags, {literal(pattern(separator))}, -1))"
    trimmed = f"filter(transform({found}, tag -> btrim(tag)), tag -> tag <> '')"
    return f"CASE WHEN size({trimmed}) > 0 THEN {trimmed} END"
