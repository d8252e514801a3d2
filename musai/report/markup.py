"""HTML as text. Ids and titles are anybody's text: all of it goes through `escape`, or through `script_json`."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # no characters of HTML
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
IN_SCRIPT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def escape(value: object) -> str:
    """As text or in a quoted attribute: &, <, >, quotes; a control character becomes the replacement character."""
    return html.escape(CONTROLS.sub("\ufffd", str(value)), quote=True)


def script_json(value: Any) -> str:
    """JSON that stands safely in a <script type="application/json">: nothing in it ends the element or a line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(IN_SCRIPT)


def digest(text: str) -> str:
    """Of a style or script that stands in the page, as its content policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def name(text: object, language: str | None = None) -> str:
    """Somebody's own text, apart in direction and language from the sentence around it."""
    known = f' lang="{language}"' if language and LANGUAGE.fullmatch(language) else ""
    return f'<bdi dir="auto"{known}>{escape(text)}</bdi>'


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], key: str, numbers: Sequence[int] = ()
) -> str:
    """A table whose first column names its rows; cells are HTML. `numbers`: columns that are set to the right.

    It scrolls sideways within a region of its own, which the keyboard reaches, where a screen is too narrow.
    """
    number = [' class="number"' if place in numbers else "" for place in range(len(head))]
    titles = "".join(f'<th scope="col"{number[place]}>{title}</th>' for place, title in enumerate(head))
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{number[place]}>{cell}</td>" for place, cell in enumerate(row) if place)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{key}"><table><caption id="{key}">{caption}'
        f"</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{caption}</figcaption></figure>"


def card(label: str, value: str, more: str = "") -> str:
    """A figure in large with what it is."""
    small = f'<dd class="more">{more}</dd>' if more else ""
    return f'<div class="card"><dt>{label}</dt><dd class="large">{value}</dd>{small}</div>'


def section(key: str, title: str, content: str) -> str:
    return f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>{content}</section>'


def absent(what: str) -> str:
    """The one line of a part without its table."""
    return f'<p class="absent">{what}</p>'


def seconds(value: float) -> str:
    """12.3 s, 4 min 05 s, 2 h 03 min."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
