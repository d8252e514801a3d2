"""The page of a listening test: static, from disk, with styles and script in it; its clips lie beside it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from musai.report.markup import digest, escape, script_json

NAME = "index.html"


def rendered(test: str, pairs: Sequence[Sequence[str]], seconds: float) -> str:
    """HTML; `pairs`: names of clips. The order of pairs and sides is drawn in the browser, for each rater anew."""
    css, js = (_asset(name) for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; style-src '{digest(css)}'; script-src '{digest(js)}'; media-src 'self'"
    data = script_json({"test": test, "pairs": [list(pair) for pair in pairs], "seconds": seconds})
    sides = "".join(
        f'<div class="side"><h3 id="title-{side}">{side.upper()}</h3>'
        f'<audio id="{side}" controls controlslist="nodownload noplaybackrate" preload="auto" '
        f'aria-labelledby="title-{side}"></audio>'
        f'<label><input type="radio" name="chosen" value="{side}"> {side.upper()} is the better music</label></div>'
        for side in ("a", "b")
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Listening test {escape(test)}</title><style>{css}</style></head><body><main>"
        "<h1>Which is the better music?</h1>"
        f'<section id="start"><p>You will hear {len(pairs)} pairs of clips of {seconds:g} seconds. Some were written '
        "by people, some by a machine; choose the one that you find better as music. There is no right answer, but "
        "listen to both before you choose. Headphones help; set the loudness once and leave it.</p>"
        "<p>It takes about "
        f"{max(1, round(len(pairs) * 2.5 * seconds / 60))} minutes. Your choices stay in this browser until you "
        "download them at the end; nothing is sent.</p>"
        '<button type="button" id="begin">Begin</button></section>'
        '<section id="trial" hidden aria-labelledby="place"><h2 id="place" tabindex="-1"></h2>'
        f'<form><fieldset><legend class="unseen">Which is the better music?</legend><div class="sides">{sides}</div>'
        '</fieldset><p id="hint" role="status"></p>'
        '<button type="submit" id="next">Next pair</button></form>'
        '<progress id="progress" max="1" value="0" aria-label="Pairs that are done"></progress></section>'
        '<section id="end" hidden><h2 id="thanks" tabindex="-1">Thank you</h2><p>Download your answers and hand the '
        "file to who gave you this test.</p>"
        '<p><a id="answers" class="button">Download the answers</a></p>'
        '<p><button type="button" id="again" class="plain">Begin anew as another listener</button></p></section>'
        "<noscript><p>The test needs JavaScript.</p></noscript></main>"
        f'<script type="application/json" id="data">{data}</script><script>{js}</script></body></html>\n'
    )


def _asset(name: str) -> str:
    return importlib.resources.files("musai.listening").joinpath(name).read_text(encoding="utf-8")
