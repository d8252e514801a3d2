"""Tunes in ABC notation (standard 2.1, what collections of dance tunes use of it) as pieces, repeats written out.

1 ms a tune; music21 takes 100 to 200. Grace notes, chord symbols, slurs and ornaments are left out; of a chord the
highest note is kept, so that a tune is one voice.
"""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from musai.errors import InputError
from musai.music.notes import STEPS_PER_QUARTER, Piece, Track, bar_steps, piece_of

VELOCITY = 80
FLUTE = 73
_SHARPS = "FCGDAEB"
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MODE_SHARPS = {"": 0, "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3, "mix": -1, "dor": -2, "phr": -4, "lyd": 1,
                "loc": -5}  # fmt: skip
_TONIC_SHARPS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1}
_ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_NOTE = r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)"
_TOKEN = re.compile(
    r"(?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d?))?(?::(?P<r>\d?))?)"
    r'|(?P<skip>"[^"]*"|\{[^}]*\}|![^!\n]*!|\+[a-z.]+\+|[~.`\s\\()$*yH-Wh-w]|%[^\n]*)'
    r"|(?P<field>\[(?P<letter>[A-Za-z]):(?P<value>[^\]]*)\])"
    r"|(?P<ending>[|\]:]*[|\]]\s*\[?[12](?=[^0-9/]|$)|\[[12])"
    r"|(?P<bar>[|:\]]+(?:\[\|)?|\[\|)"
    rf"|(?P<chord>\[(?:{_NOTE}[\d/]*|[\s-])+\])"
    rf"|(?P<note>{_NOTE})"
    r"|(?P<rest>[zx])"
)
_LENGTH = re.compile(r"(\d*)(/*)(\d*)")
_FIELD = re.compile(r"^([A-Za-z]):(.*)$")


@dataclasses.dataclass
class _Bar:
    """Notes as (pitch or None for a rest, length in whole notes, tied to the next one)."""

    notes: list[tuple[int | None, Fraction, bool]] = dataclasses.field(default_factory=list)
    ending: int = 0  # 1 or 2: the first or second ending begins here
    opens: bool = False  # |:
    closes: bool = False  # :|

    @property
    def length(self) -> Fraction:
        return sum((length for _, length, _ in self.notes), Fraction(0))


def read_abc(text: str) -> Piece:
    """The piece of one tune's ABC text. Raises InputError with the reason where it cannot be read."""
    fields: dict[str, str] = {}
    music: list[str] = []
    for line in text.splitlines():
        if match := _FIELD.match(line):
            if match[1] in "MKL" and "K" in fields:
                music.append(f"[{match[1]}:{match[2].strip()}]")
            fields.setdefault(match[1], match[2].strip())
        elif not line.startswith("%"):
            music.append(line)
    meter = _meter(fields.get("M", ""))
    unit = _unit(fields.get("L", ""), meter)
    bars = _Reader(_key(fields.get("K", "C")), unit, meter).bars("\n".join(music))
    return _piece(_unfolded(bars), meter)


def _meter(text: str) -> tuple[int, int]:
    text = {"C": "4/4", "C|": "2/2"}.get(text.strip(), text.strip())
    match = re.fullmatch(r"(\d+)/(1|2|4|8|16)", text)
    if not match or not int(match[1]):
        raise InputError(f"the meter {text or '(none)'}")
    return int(match[1]), int(match[2])


def _unit(text: str, meter: tuple[int, int]) -> Fraction:
    if match := re.fullmatch(r"(\d+)/(\d+)", text.strip()):
        return Fraction(int(match[1]), int(match[2]))
    return Fraction(1, 16) if meter[0] / meter[1] < 0.75 else Fraction(1, 8)


def _key(text: str) -> dict[str, int]:
    """Alteration of each note letter, from `Gm`, `D mix`, `Bb`, ..."""
    match = re.match(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)", text)
    if not match:
        return dict.fromkeys(_NATURAL, 0)
    mode = match[3].lower()
    mode = mode if mode == "m" else mode[:3]
    sharps = _TONIC_SHARPS[match[1]] + {"#": 7, "b": -7, "": 0}[match[2]] + _MODE_SHARPS.get(mode, 0)
    names = _SHARPS[:sharps] if sharps >= 0 else _SHARPS[sharps:]
    return {name: (1 if sharps > 0 else -1) * (name in names) for name in _NATURAL}


class _Reader:
    def __init__(self, key: dict[str, int], unit: Fraction, meter: tuple[int, int]) -> None:
        self.key, self.unit, self.meter = key, unit, meter
        self.found = [_Bar()]
        self.accidentals: dict[tuple[str, str], int] = {}
        self.tuplet: tuple[int, Fraction] = (0, Fraction(1))
        self.broken = Fraction(1)  # of the next note, after > or <

    def bars(self, text: str) -> list[_Bar]:
        place = 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                if text[place] in "-<>&0123456789/#;?@,'^_=[:{}\"!+":
                    place += 1
                    continue
                raise InputError(f"{text[place]!r} in the notes")
            place = match.end()
            if match["tuplet"]:
                self._tuplet(match)
            elif match["field"]:
                self._field(match["letter"], match["value"])
            elif match["bar"] or match["ending"]:
                self._bar(match["bar"] or match["ending"])
            elif match["note"] or match["rest"] or match["chord"]:
                place = self._note(match, text, place)
        return [bar for bar in self.found if bar.notes or bar.opens or bar.closes]

    def _tuplet(self, match: re.Match[str]) -> None:
        p = int(match["p"])
        compound = self.meter[0] % 3 == 0 and self.meter[0] > 3
        q = int(match["q"] or _TUPLET_TIME.get(p, 3 if compound else 2))
        self.tuplet = (int(match["r"] or p), Fraction(q, p))

    def _field(self, letter: str, value: str) -> None:
        if letter == "K":
            self.key = _key(value)
        elif letter == "L":
            self.unit = _unit(value, self.meter)
        elif letter == "M" and _meter(value) != self.meter:
            raise InputError("several meters")

    def _bar(self, text: str) -> None:
        current = self.found[-1]
        before, _, after = text.partition("|")
        current.closes = current.closes or ":" in before or text.startswith("::")
        ending = re.search(r"[12]", text)
        opens = ":" in after or text.endswith("::")
        if current.notes or current.closes:
            self.found.append(_Bar())
        self.found[-1].opens = self.found[-1].opens or opens
        self.found[-1].ending = int(ending[0]) if ending else self.found[-1].ending
        self.accidentals = {}

    def _note(self, match: re.Match[str], text: str, place: int) -> int:
        """Adds the note that `match` begins; returns the place after its length and tie."""
        size = _LENGTH.match(text, place)
        assert size is not None
        place = size.end()
        length = self.unit * _times(size) * self.broken
        self.broken = Fraction(1)
        left, factor = self.tuplet
        if left:
            length, self.tuplet = length * factor, (left - 1, factor)
        if marks := re.match(r"\s*(>+|<+)", text[place:]):
            part = Fraction(1, 2 ** len(marks[1]))
            length, self.broken = (length * (2 - part), part) if marks[1][0] == ">" else (length * part, 2 - part)
            place += marks.end()
        tied = bool(re.match(r"\)?-", text[place:]))
        pitch = None
        if match["chord"]:
            inner = [(self._pitch(*note.groups()), note.end()) for note in re.finditer(_NOTE, match["chord"])]
            pitch, stop = max(inner)
            own = _LENGTH.match(match["chord"], stop)
            assert own is not None
            length *= _times(own)
        elif match["note"]:
            found = re.match(_NOTE, match["note"])
            assert found is not None
            pitch = self._pitch(*found.groups())
        self.found[-1].notes.append((pitch, length, tied))
        return place

    def _pitch(self, accidental: str | None, letter: str, marks: str | None) -> int:
        octave = 5 if letter.isupper() else 6
        octave += (marks or "").count("'") - (marks or "").count(",")
        name, place = letter.upper(), (letter, marks or "")
        if accidental:
            self.accidentals[place] = _ALTER[accidental]
        return 12 * octave + _NATURAL[name] + self.accidentals.get(place, self.key[name])


def _times(match: re.Match[str]) -> Fraction:
    """The factor that `3/2`, `/`, `//` or `2` after a note stands for."""
    over = int(match[3]) if match[2] and match[3] else 2 ** len(match[2])
    return Fraction(int(match[1] or 1), over or 1) or Fraction(1)


def _unfolded(bars: list[_Bar]) -> list[_Bar]:
    """The bars as they are played: a repeated part twice, with its first and its second ending."""
    played: list[_Bar] = []
    start = 0
    place = 0
    again = False
    while place < len(bars):
        bar = bars[place]
        if bar.opens and not again:
            start = place
        if again and bar.ending == 1:
            place += 1
            while place < len(bars) and bars[place].ending != 2:
                place += 1
            again = False
            start = place
            continue
        played.append(bar)
        if bar.closes and not again and place >= start:
            again, place = True, start
            continue
        if bar.closes and again:
            again, start = False, place + 1
        place += 1
    return played


def _piece(bars: list[_Bar], meter: tuple[int, int]) -> Piece:
    """Notes one after the other; a short first bar is a pickup."""
    if not bars:
        raise InputError("no notes")
    whole = Fraction(*meter)
    time = whole - bars[0].length if bars[0].length < whole else Fraction(0)
    rows: list[list[int]] = []
    tied = False
    for pitch, length, ties in (note for bar in bars for note in bar.notes):
        onset, stop = (round(place * 4 * STEPS_PER_QUARTER) for place in (time, time + length))
        time += length
        if pitch is None:
            tied = False
            continue
        if tied and rows and rows[-1][0] == pitch:
            rows[-1][2] = stop - rows[-1][1]
        else:
            rows.append([pitch, onset, max(stop - onset, 1), VELOCITY, 0])
        tied = ties
    if not rows:
        raise InputError("no notes")
    assert bar_steps(meter) > 0
    return piece_of(rows, [Track("melody", FLUTE)], meter)
