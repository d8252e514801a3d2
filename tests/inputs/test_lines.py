"""Spark takes lines apart as `records.py` does."""

import json
import random

import pytest
from pyspark.sql import functions as F

from musai.inputs import lines, records


def parsed(spark, texts, stages):
    """The columns that the stages give to each text."""
    frame = spark.createDataFrame(list(enumerate(texts)), "number int, _text string").withColumn("_valid", F.lit(True))
    for stage in stages:
        frame = frame.withColumns({name: F.expr(expression) for name, expression in stage.items()})
    return [row.asDict(recursive=True) for row in frame.orderBy("number").coalesce(1).collect()]


@pytest.mark.parametrize(
    ("separator", "quote"),
    [(",", '"'), ("::", '"'), ("\t", "'"), ("|", '"'), (" ", ""), (".", "^"), ("]", "$"), ("é😀", "'")],
)
def test_the_grammar_is_that_of_the_python_reader(spark, separator: str, quote: str) -> None:
    draw = random.Random(f"{separator}{quote}")  # noqa: S311
    alphabet = [separator, separator, quote, quote, quote, "a", "\\", separator[0], " ", "é"]
    texts = ["".join(draw.choices(alphabet, k=draw.randint(1, 9))) for _ in range(3000)]
    width = 3
    stages = lines.delimited(separator, quote, None, width, [("x", 0), ("y", 1), ("z", 2)], "utf-8")
    for text, row in zip(texts, parsed(spark, texts, stages), strict=True):
        tokens = records.tokens(text, separator, quote)
        blank = records.blank(text, separator)
        fields = tokens if tokens and len(tokens) == width and not blank else [None] * width
        if blank:
            reason = None
        elif tokens is None:
            reason = "broken quoting"
        else:
            reason = None if len(tokens) == width else f"{len(tokens)} columns where {width} are due"
        assert (row["_kind"], row["_reason"]) == ("blank" if blank else None, reason), repr(text)
        assert [row["x"], row["y"], row["z"]] == fields, repr(text)


def test_headers_blank_lines_and_long_quotes(spark) -> None:
    texts = ['"x", y', '\ufeff"x", y', "x, y", "\u3000", "", '"' + '""' * 50_000 + '",b', '"' + "a," * 50_000 + '",b']
    rows = parsed(spark, texts, lines.delimited(",", '"', '"x", y', 2, [("x", 0)], "utf-8"))
    assert [row["_kind"] for row in rows] == ["header", "header", None, "blank", "blank", None, None]
    assert [row["x"] for row in rows[2:]] == ["x", None, None, '"' * 50_000, "a," * 50_000]


def test_json_lines(spark) -> None:
    good = [
        '{"user_id": "a", "n": 1}',
        '  {"n": 12345678901234567890123, "user_id": "é\\u00e9\\ud83d\\ude00\\u0000\\n"}\t',
        '{"user_id": 7, "n": 1.5, "user_id2": "x"}',
        '{"user_id": true, "n": null, "x": {"user_id": "no"}}',
        "{}",
        '{"user_id": "\\\\ud800"}',
        '{"user_id": "a\\"},{\\"b"}',
    ]
    bad = [
        '{"user_id": "a"} {"user_id": "b"}',
        '{"user_id": "a"}{}',
        '{"user_id": "a"},{"user_id": "b"}',
        '{"user_id": "a"}]',
        '{"user_id": "a"}] {}',
        '[{"user_id": "a"}]',
        "[]",
        "],[",
        "null",
        '"text"',
        "12",
        '{"user_id": "a"',
        '{"user_id": }',
        "{'user_id': 'a'}",
        '{user_id: "a"}',
        '{"user_id": "tab\there"}',
        '{"user_id": 01}',
        '// {"user_id": "a"}',
        '\ufeff\ufeff{"user_id": "a"}',
    ]
    halves = ['{"user_id": "\\ud800"}', '{"user_id": "x\\uDC00y"}', '{"user_id": "\\ude00\\ud83d"}']
    rows = parsed(spark, [*good, *bad, *halves], lines.json_object([("u", "user_id"), ("n", "n")], "utf-8"))
    for text, row in zip(good, rows, strict=False):
        value = json.loads(text)
        wanted = [value.get(key) for key in ("user_id", "n")]
        wanted = [json.dumps(one) if isinstance(one, int | float) else one for one in wanted]
        assert [row["_reason"], row["u"], row["n"]] == [None, *wanted], text
    assert {row["_reason"] for row in rows[len(good) : -len(halves)]} == {lines.NOT_JSON}
    assert {row["_reason"] for row in rows[-len(halves) :]} == {lines.HALF_CHARACTER}


def test_keys_of_json_are_any_text(spark) -> None:
    columns = [("u", "a`b"), ("t", "a.b c"), ("p", "a`b"), ("e", "A`B")]
    (row,) = parsed(spark, ['{"a`b": 1, "a.b c": 2, "A`B": 3}'], lines.json_object(columns, "utf-8"))
    assert [row[name] for name in "utpe"] == ["1", "2", "1", "3"]


def test_a_literal_is_the_text_whatever_it_holds(spark) -> None:
    text = "'; drop \\ \" \\u0041 ${x} %s \n\t\0 é 日本 😀 --"
    (row,) = spark.range(1).select(F.expr(lines.literal(text)).alias("x")).collect()
    assert row["x"] == text
