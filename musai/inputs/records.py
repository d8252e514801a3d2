"""Lines and records of a text file, read by Python: for headers, for quoted fields that hold line ends, and for
encodings whose lines do not end with the byte 10 or 13. Everything else is read by Spark (`lines.py`, `spark.py`).

Both take one grammar. A field is quoted where it begins with the quote: it ends with a single quote right before a
separator or the end, and a quote in it is doubled. Any other field is taken as it stands, quotes inside included.
A line ends with LF, CR LF or CR.
"""

from __future__ import annotations

import codecs
import collections
import functools
import io
import re
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

MARKED = "musai.marked"  # error handler: each byte that cannot be decoded becomes U+DC00 + byte
MARKS = re.compile("[\udc00-\udcff]")
RECORD_LINES = 1000  # a quoted field that is still open after so many lines, or characters, was never closed
RECORD_CHARACTERS = 2**17


class Record(NamedTuple):
    """`line` is where it begins, from 1. Where it is not valid, `text` holds a mark for each bad byte."""

    line: int
    text: str
    valid: bool

    @property
    def shown(self) -> str:
        """The text with bad bytes as \\xNN."""
        return self.text if self.valid else MARKS.sub(lambda mark: f"\\x{ord(mark[0]) - 0xDC00:02x}", self.text)


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


codecs.register_error(MARKED, _marked)


def decoded(raw: bytes, encoding: str, line: int = 0) -> Record:
    """One line in an encoding whose lines end with the byte 10 or 13."""
    text = raw.decode(encoding, MARKED)
    return Record(line, text, not MARKS.search(text))


class _Line(NamedTuple):
    number: int
    text: str
    end: str


def _lines(stream: IO[bytes], encoding: str) -> Iterator[_Line]:
    for number, line in enumerate(io.TextIOWrapper(stream, encoding, errors=MARKED, newline=""), start=1):
        text = line.removesuffix("\n").removesuffix("\r")
        end = line[len(text) :]
        yield _Line(number, text.removeprefix("\ufeff") if number == 1 else text, end)


def records(stream: IO[bytes], encoding: str, separator: str, quote: str, multiline: bool) -> Iterator[Record]:
    """The records of a file: its lines, or with `multiline` as many lines as a quoted field goes on.

    Where a quoted field is never closed, or closed wrongly, only its first line is taken for broken: reading goes on
    with the next.
    """
    lines = _lines(stream, encoding)
    if not multiline or not quote:
        for number, text, _ in lines:
            yield Record(number, text, not MARKS.search(text))
        return
    opens = _patterns(separator, quote).opens
    again: collections.deque[_Line] = collections.deque()  # lines that were read ahead in vain
    while (last := again.popleft() if again else next(lines, None)) is not None:
        first, text, ahead = last, last.text, list[_Line]()
        open_quote = quote in text and opens(text)
        while open_quote and len(ahead) < RECORD_LINES and len(text) < RECORD_CHARACTERS:
            following = again.popleft() if again else next(lines, None)
            if following is None:
                break
            text, last = text + last.end + following.text, following
            ahead.append(following)
            open_quote = quote not in following.text or opens(text)
        if ahead and tokens(text, separator, quote) is None:
            again.extendleft(reversed(ahead))
            text = first.text
        yield Record(first.number, text, not MARKS.search(text))


class _Patterns(NamedTuple):
    whole: Callable[[str], object]  # whether a record is well formed
    opens: Callable[[str], object]  # whether it ends inside of a quoted field
    field: Callable[[str], list[str]]  # the fields of separator + record


@functools.cache
def _patterns(separator: str, quote: str) -> _Patterns:
    """The same expressions as `lines.py` gives to Spark; possessive, so that no input makes them slow or deep."""
    s, q = re.escape(separator), re.escape(quote)
    inside = f"{q}(?:[^{q}]++|{q}{q})*+"
    plain = f"(?:(?!{s})[\\s\\S])*+"
    either = f"(?:{inside}{q}|(?!{q}){plain})"
    return _Patterns(
        re.compile(f"{either}(?:{s}{either})*+").fullmatch,
        re.compile(f"(?:{either}{s})*+{inside}").fullmatch,
        re.compile(f"{s}({inside}{q}|{plain})").findall,
    )


def tokens(text: str, separator: str, quote: str) -> list[str] | None:
    """The fields of a record, unquoted; None where a quote is not closed, or not closed right before a separator."""
    if not quote or quote not in text:
        return text.split(separator)
    patterns = _patterns(separator, quote)
    if not patterns.whole(text):
        return None
    found = patterns.field(separator + text)
    return [token[1:-1].replace(quote * 2, quote) if token.startswith(quote) else token for token in found]


def blank(text: str, separator: str) -> bool:
    """Whether a line holds nothing: white space at most, and no separator."""
    return not text.strip() and not (separator and separator in text)
