"""How Spark starts, and what an error of Spark comes down to, in one line."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
from py4j.protocol import Py4JNetworkError

from musai.session import CLASSES, LATE_COMPILER, reason


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_spark_starts_from_the_classes_that_the_set_up_has_read(spark) -> None:
    process = spark.sparkContext._gateway.proc.pid
    assert str(CLASSES.resolve()) in pathlib.Path(f"/proc/{process}/maps").read_text()


def test_java_knows_when_its_second_compiler_is_to_begin(spark) -> None:
    jvm = spark.sparkContext._jvm
    kind = jvm.java.lang.Class.forName("com.sun.management.HotSpotDiagnosticMXBean")
    bean = jvm.java.lang.management.ManagementFactory.getPlatformMXBean(kind)
    for name, value in re.findall(r"-XX:(\w+)=(\d+)", LATE_COMPILER):
        assert bean.getVMOption(name).getValue() == value


def test_classes_of_another_java_do_no_harm(tmp_path) -> None:
    classes = tmp_path / "classes.jsa"
    classes.write_text("of another Java")
    start = f"""
import pathlib
from musai import config, session
session.CLASSES = pathlib.Path({str(classes)!r})
print(session.build(config.load([], [])).range(3).count())
"""
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3"


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
