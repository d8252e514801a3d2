"""Rows that cannot be used, and blank lines, mixed into the demo's log on purpose: real logs hold such rows."""

import dataclasses
from collections.abc import Sequence

import numpy as np

BLANK_LINES = 4  # in each file

# Rows of user_id,track_id,event,plays,timestamp. {u} and {t} become ids of the log, {d} one of its times.
KINDS: dict[str, tuple[bytes, ...]] = {
    "no id": (b",{t},play,1,{d}", b"{u},,play,2,{d}", b",,like,1,{d}", b",{t},skip,1,{d}"),
    "plays is no number": (
        b"{u},{t},play,abc,{d}",
        b"{u},{t},play,one,{d}",
        b"{u},{t},play,1O,{d}",
        b"{u},{t},play,-,{d}",
    ),
    "plays is NaN": (b"{u},{t},play,NaN,{d}",) * 4,
    "plays is infinite": (
        b"{u},{t},play,Infinity,{d}",
        b"{u},{t},play,-Infinity,{d}",
        b"{u},{t},play,Infinity,{d}",
        b"{u},{t},play,1e999,{d}",
    ),
    "plays is negative": (
        b"{u},{t},play,-1,{d}",
        b"{u},{t},play,-3,{d}",
        b"{u},{t},like,-1,{d}",
        b"{u},{t},play,-0.5,{d}",
    ),
    "impossible date": (
        b"{u},{t},play,1,2025-11-31T10:00:00Z",
        b"{u},{t},play,1,2025-13-01T10:00:00Z",
        b"{u},{t},play,1,2999-01-01T00:00:00Z",
        b"{u},{t},play,1,yesterday",
    ),
    "broken quoting": (
        b'"{u},{t},play,1,{d}',
        b'{u},"{t},play,1,{d}',
        b'{u},{t},"play,1,{d}',
        b'{u},{t},play,1,"{d}',
    ),
    "wrong number of columns": (
        b"{u},{t},play",
        b"{u}",
        b"{u},{t},play,1,{d},extra",
        b"{u},{t},play,1,{d},,",
    ),
    "bad UTF-8": (
        b"{u}\xff,{t},play,1,{d}",
        b"\xc3\x28{u},{t},play,1,{d}",
        b"{u},{t}\xe8\x81,play,1,{d}",
        b"{u},{t}\x80,play,1,{d}",
    ),
}


@dataclasses.dataclass(frozen=True)
class DirtyRow:
    """Where a row that cannot be used lies; lines are counted from 1, the header is line 1."""

    file: int  # place in the list of files
    line: int
    kind: str


def mix_in(files: Sequence[Sequence[bytes]], seed: int) -> tuple[list[list[bytes]], list[DirtyRow]]:
    """The files' lines (header first, without line ends) with dirty rows and BLANK_LINES blank lines among them."""
    rng = np.random.default_rng(seed)
    dirty: list[list[tuple[str, bytes]]] = [[("", b"")] * BLANK_LINES for _ in files]
    templates = [(kind, template) for kind, rows in KINDS.items() for template in rows]
    for index, (kind, template) in enumerate(templates):
        place = index % len(files)
        model = files[place][1 + int(rng.random() * (len(files[place]) - 1))].split(b",")
        row = template.replace(b"{u}", model[0]).replace(b"{t}", model[1]).replace(b"{d}", model[-1])
        dirty[place].append((kind, row))
    mixed, found = [], []
    for place, lines in enumerate(files):
        after = np.sort(1 + (rng.random(len(dirty[place])) * (len(lines) - 1)).astype(np.int64)).tolist()
        order = rng.permutation(len(dirty[place])).tolist()
        out = [lines[0]]
        for number, line in enumerate(lines[1:], start=1):
            out.append(line)
            while after and after[0] == number:
                after.pop(0)
                kind, row = dirty[place][order.pop()]
                out.append(row)
                if kind:
                    found.append(DirtyRow(place, len(out), kind))
        mixed.append(out)
    return mixed, found
