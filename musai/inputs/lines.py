"""How Spark takes a text line apart: SQL expressions, in stages that each use the columns of those before.

From `_text` (the line or record), `_valid` (it could be decoded) come `_kind` ('header', 'blank', null for a row),
`_reason` (why a row cannot be parsed, else null) and a text column for each field. The grammar is that of `records.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Stage = dict[str, str]  # column: expression

NOT_WHITE = r"(?U)\S"
MARK = "\ufeff"  # begins a file, and stands in the middle of files that were joined
NOT_JSON = "not a JSON object"
HALF_CHARACTER = "half a character in a \\u escape"


def literal(text: str) -> str:
    """A SQL string literal; all but the plainest characters as escapes, so that nothing in it means something."""
    plain = re.compile(r"[A-Za-z0-9 _,.:-]")
    return "'" + "".join(one if plain.match(one) else _escaped(one) for one in text) + "'"


def _escaped(one: str) -> str:
    return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"


def pattern(text: str) -> str:
    """A Java regular expression that matches the text itself."""
    return "".join(one if one.isalnum() or not one.isascii() else f"\\{one}" for one in text)


def is_text(column: str) -> str:
    """Whether a text holds more than white space, as Unicode has it."""
    return f"{column} rlike {literal(NOT_WHITE)}"


def delimited(
    separator: str, quote: str, header: str | None, width: int, columns: Sequence[tuple[str, int]], encoding: str
) -> list[Stage]:
    """Lines of `width` columns; `columns` are (field, index from 0)."""
    s, q = pattern(separator), pattern(quote)
    split = f"split(_text, {literal(s)}, -1)"
    if quote:  # lines without a quote, nearly all of them, take the fast way
        inside = f"{q}(?:[^{q}]++|{q}{q})*+{q}"
        plain = f"(?:(?!{s})[\\s\\S])*+" if len(separator) > 1 else f"[^{s}]*+"
        either = f"(?:{inside}|(?!{q}){plain})"
        whole = literal(f"^{either}(?:{s}{either})*+\\z")
        found = f"regexp_extract_all(concat({literal(separator)}, _text), {literal(f'{s}({inside}|{plain})')}, 1)"
        simple = f"NOT contains(_text, {literal(quote)})"
        split = f"CASE WHEN {simple} THEN {split} WHEN _text rlike {whole} THEN {found} END"
    kinds = f"CASE WHEN NOT contains(_text, {literal(separator)}) AND NOT {is_text('_text')} THEN 'blank' END"
    if header is not None:
        own = f"_text = {literal(header)} OR _text = {literal(MARK + header)}"  # a file joined to another
        kinds = f"CASE WHEN {own} THEN 'header' ELSE {kinds} END"
    reason = f"""CASE WHEN _kind IS NOT NULL THEN NULL
        WHEN NOT _valid THEN {literal(f"not valid {encoding}")}
        WHEN _tokens IS NULL THEN 'broken quoting'
        WHEN size(_tokens) <> {width} THEN concat(size(_tokens), {literal(f" columns where {width} are due")}) END"""
    return [
        {"_kind": f"CASE WHEN _valid THEN {kinds} END"},
        {"_tokens": f"CASE WHEN _valid AND _kind IS NULL THEN {split} END"},
        {"_reason": reason, "_fields": f"CASE WHEN size(_tokens) = {width} THEN _tokens END"},
        {field: _unquoted(f"_fields[{index}]", quote) for field, index in columns},
    ]


def _unquoted(token: str, quote: str) -> str:
    if not quote:
        return token
    one, two = literal(quote), literal(quote * 2)
    inner = f"replace(substr({token}, 2, length({token}) - 2), {two}, {one})"
    return f"CASE WHEN startswith({token}, {one}) THEN {inner} ELSE {token} END"


# A \u escape of a surrogate without its other half: Java would read it as "?", and different ids as one.
_SURROGATE = r"\ud"
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = rf"(?<!\\)(?:\\\\)*+(?:{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW})"


def json_object(columns: Sequence[tuple[str, str]], encoding: str) -> list[Stage]:
    """JSON lines; `columns` are (field, key). Numbers, lists and objects come as their JSON text.

    The line is read as the first of two elements of a list, for Spark's reader takes no notice of what follows an
    object, and takes the first element of a list for an object.
    """
    keys = list(dict.fromkeys(key for _, key in columns))
    named = ", ".join(f"`{key.replace('`', '``')}`: string" for key in keys)
    numbered = ", ".join(f"k{index}: string" for index in range(len(keys)))
    schema = literal(f"array<struct<{named}>>")
    parsed = f"from_json(concat('[', _text, ',{{}}]'), {schema}, map('allowSingleQuotes', 'false'))"
    reason = f"""CASE WHEN _kind IS NOT NULL THEN NULL
        WHEN NOT _valid THEN {literal(f"not valid {encoding}")}
        WHEN _object IS NULL THEN {literal(NOT_JSON)}
        WHEN contains(lower(_text), {literal(_SURROGATE)}) AND _text rlike {literal(_HALF)}
            THEN {literal(HALF_CHARACTER)} END"""
    fields = {field: f"_object.k{keys.index(key)}" for field, key in columns}
    return [
        {"_kind": f"CASE WHEN _valid AND NOT {is_text('_text')} THEN 'blank' END"},
        {"_objects": f"CASE WHEN _valid AND _kind IS NULL THEN CAST({parsed} AS array<struct<{numbered}>>) END"},
        {"_object": "CASE WHEN size(_objects) = 2 THEN _objects[0] END"},
        {"_reason": reason},
        {field: f"CASE WHEN _reason IS NULL THEN {value} END" for field, value in fields.items()},
    ]
