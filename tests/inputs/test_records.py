"""The grammar of lines and records, against Python's csv module and by hand."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musai.inputs import records


def strict(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def read(raw: bytes, encoding: str = "utf-8", multiline: bool = False) -> list[tuple[int, str, bool]]:
    return [tuple(one) for one in records.records(io.BytesIO(raw), encoding, ",", '"', multiline)]


@settings(max_examples=2000)
@given(st.text(alphabet='",ab é', min_size=1, max_size=12))
def test_fields_are_those_of_a_strict_csv_reader(text: str) -> None:
    assert records.tokens(text, ",", '"') == strict(text)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), min_size=2, max_size=4))
def test_what_a_csv_writer_wrote_comes_back(fields: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="").writerow(fields)
    assert records.tokens(written.getvalue(), ",", '"') == fields


@pytest.mark.parametrize(
    ("text", "separator", "quote", "fields"),
    [
        ('a::"b::c"::', "::", '"', ["a", "b::c", ""]),
        ("a:b::c", "::", '"', ["a:b", "c"]),
        ("a.b.'c.''d'", ".", "'", ["a", "b", "c.'d"]),
        ('"a","b', ",", "", ['"a"', '"b']),
        ('"a"x,b', ",", '"', None),
        ('"a" ,b', ",", '"', None),
        ('a,"b', ",", '"', None),
    ],
)
def test_separators_and_quotes(text: str, separator: str, quote: str, fields: list[str] | None) -> None:
    assert records.tokens(text, separator, quote) == fields


def test_half_a_million_doubled_quotes_are_no_trouble() -> None:
    assert records.tokens('"' + '""' * 500_000 + '",x', ",", '"') == ['"' * 500_000, "x"]


def test_lines_end_with_lf_crlf_or_cr_and_nothing_else() -> None:
    raw = "a\nb\r\nc\rd\x0be\x0cf\x85g\u2028h\n\ni".encode()
    assert read(raw) == [
        (1, "a", True),
        (2, "b", True),
        (3, "c", True),
        (4, "d\x0be\x0cf\x85g\u2028h", True),
        (5, "", True),
        (6, "i", True),
    ]


def test_a_byte_order_mark_begins_no_field() -> None:
    assert read(b"\xef\xbb\xbfa\n\xef\xbb\xbfb") == [(1, "a", True), (2, "\ufeffb", True)]
    assert read("a\nb".encode("utf-16"), "utf-16") == [(1, "a", True), (2, "b", True)]


def test_bad_bytes_are_marked_in_their_line_alone_and_shown() -> None:
    found = list(records.records(io.BytesIO(b"ok\nu\xff\xc3(\nok"), "utf-8", ",", '"', multiline=False))
    assert [one.valid for one in found] == [True, False, True]
    assert found[1].shown == r"u\xff\xc3("
    half = "a\n".encode("utf-16-le") + b"\x00\xd8" + "b\nc".encode("utf-16-le")
    found = list(records.records(io.BytesIO(half), "utf-16-le", ",", '"', multiline=False))
    assert [one.valid for one in found] == [True, False, True]
    assert found[1].shown == r"\x00\xd8b"


def test_a_quoted_field_goes_on_over_lines() -> None:
    assert read(b'u,t\n"a\r\nb ""x""\n",1\nc,2', multiline=True) == [
        (1, "u,t", True),
        (2, '"a\r\nb ""x""\n",1', True),
        (5, "c,2", True),
    ]


def test_a_field_that_is_never_closed_costs_one_line() -> None:
    raw = b'"open,1\na,1\n"good\nfield",2\n"again,1\nb,1\nc,1\n'
    assert [(line, text) for line, text, _ in read(raw, multiline=True)] == [
        (1, '"open,1'),
        (2, "a,1"),
        (3, '"good\nfield",2'),
        (5, '"again,1'),
        (6, "b,1"),
        (7, "c,1"),
    ]


def test_a_field_that_stays_open_too_long_costs_one_line() -> None:
    lines = records.RECORD_LINES + 10
    found = read(b'"open,1\n' + b"u,t\n" * lines + b'x"\n', multiline=True)
    assert len(found) == lines + 2
    assert found[0] == (1, '"open,1', True)


@given(st.lists(st.lists(st.text(alphabet='a",\n\r ', max_size=6), min_size=2, max_size=3), min_size=1, max_size=6))
def test_records_are_those_of_a_csv_writer(rows: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    found = read(written.getvalue().encode(), multiline=True)
    assert [records.tokens(text, ",", '"') for _, text, _ in found] == rows


@pytest.mark.parametrize(
    ("text", "separator", "blank"),
    [
        ("", ",", True),
        (" \t", ",", True),
        ("\u3000\xa0", ",", True),
        ("\t\t", "\t", False),
        (" ", " ", False),
        (",", ",", False),
        ("x", ",", False),
        ('""', ",", False),
        ("  ", "", True),
    ],
)
def test_blank_lines(text: str, separator: str, blank: bool) -> None:
    assert records.blank(text, separator) is blank
