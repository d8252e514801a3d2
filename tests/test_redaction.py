"""No credential of a URI or a setting reaches a log, a message or a table."""

from __future__ import annotations

import logging

import pytest

from musai import cli
from musai.redaction import Formatter, plain, redacted

SECRETS = ("AKIAKEY", "s3/cr+et==", "hunter2", "abc.def-ghi")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("s3a://AKIAKEY:hunter2@bucket/a b.csv", "s3a://***@bucket/a b.csv"),
        ("s3a://AKIAKEY:s3/cr+et==@bucket/x", "s3a://***@bucket/x"),
        ("jdbc:postgresql://musai:hunter2@db:5432/x?sslmode=on", "jdbc:postgresql://***@db:5432/x?sslmode=on"),
        ("jdbc:mysql://db/x?user=u&password=hunter2&a=1", "jdbc:mysql://db/x?user=u&password=***&a=1"),
        ("spark.hadoop.fs.s3a.secret.key=s3/cr+et== x", "spark.hadoop.fs.s3a.secret.key=*** x"),
        ("{'fs.s3a.access.key': 'AKIAKEY', 'a': 1}", "{'fs.s3a.access.key': ***, 'a': 1}"),
        ('"session_token": "abc.def-ghi", "b": 2', '"session_token": ***, "b": 2'),
        ("https://h/p?sig=abc.def-ghi&se=2027", "https://h/p?sig=***&se=2027"),
        ("hdfs://name:8020/data/a@b.csv and me@example.org", "hdfs://name:8020/data/a@b.csv and me@example.org"),
        ("s3a://bucket/keys/token.parquet:12: no track id", "s3a://bucket/keys/token.parquet:12: no track id"),
    ],
)
def test_credentials_are_hidden_and_nothing_else(text: str, due: str) -> None:
    assert redacted(text) == due
    assert not any(secret in redacted(text) for secret in SECRETS)


def test_a_log_line_and_its_traceback_hold_none() -> None:
    try:
        raise OSError("s3a://AKIAKEY:hunter2@bucket: no such host")
    except OSError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("musai", logging.ERROR, __file__, 1, "read %s", ("x://u:hunter2@h",), info)
    line = Formatter("%(message)s").format(record)
    assert "hunter2" not in line
    assert "x://***@h" in line
    assert "OSError: s3a://***@bucket" in line


def test_the_command_says_what_is_wrong_without_them(capsys, tmp_path) -> None:
    wrong = f"inputs.interactions=file://AKIAKEY:hunter2@{tmp_path}/none.csv"
    assert cli.main(["check", wrong, "spark.conf={fs.s3a.secret.key: [hunter2]}"]) == 2
    assert cli.main(["check", wrong]) == 2
    said = capsys.readouterr().err
    assert "fs.s3a.secret.key" in said
    assert not any(secret in said for secret in SECRETS)


def test_what_steers_a_terminal_is_spelt_out() -> None:
    assert plain("a\x1b[31m\n\t\x00\x9b\u202eé\U0001f3b5") == "a\\x1b[31m\\n\\t\\x00\\x9b\\u202eé\U0001f3b5"
