"""What an error of Spark comes down to, in one line."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JNetworkError

from musai.session import reason


def test_the_cause_is_named_rather_than_what_wraps_it(spark, tmp_path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(Exception, match=str(blocked)) as caught:
        spark.range(1).write.parquet(f"file://{blocked}/table")
    assert "An error occurred while calling" not in reason(caught.value)
    assert str(blocked) in reason(caught.value)
    assert "\n" not in reason(caught.value)


def test_errors_without_a_cause() -> None:
    assert reason(ValueError("one\ntwo")) == "one"
    assert reason(ValueError()) == "ValueError"
    worker = "An exception was thrown:\nTraceback (most recent call last):\n  File a\nKeyError: 'x'\n SQLSTATE: 38000\n"
    assert reason(ValueError(worker)) == "KeyError: 'x'"
    assert reason(ValueError("job\n\tat a.b\nCaused by: x: y\n\tat c\nCaused by: No space left")) == "No space left"
    gone = "Spark's process is gone (killed, or out of memory: spark.driver_memory)"
    assert reason(Py4JNetworkError("empty")) == reason(ConnectionRefusedError()) == gone
