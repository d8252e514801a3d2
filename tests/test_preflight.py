"""The checks before set-up, against `java` commands made here, real ones, and real file systems."""

import ast
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from musai import preflight

MODERN = 'openjdk version "{}" 2025-04-15\nOpenJDK Runtime Environment (build {}+6)\n'


def fake_java(folder: pathlib.Path, version_text: str, first_option: str = "exit 0", status: int = 0) -> pathlib.Path:
    """A `java` that prints `version_text`; `first_option` is what it does when it is given --add-modules."""
    path = folder / "java"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#!/bin/sh\n"
        f"say() {{ cat >&2 <<'END'\n{version_text}END\n}}\n"
        f'case "$1" in --add-modules=*) say; {first_option};; -version) say; exit {status};; esac\n'
        "exit 9\n"
    )
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def no_java(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A PATH with `cat` and one empty folder, which is returned; no JAVA_HOME."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", f"{empty}{os.pathsep}{tools}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return empty


@pytest.mark.parametrize(
    ("printed", "release"),
    [
        (MODERN.format("17.0.15", "17.0.15"), 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2"', 11),
        ("bash: java: nothing", None),
    ],
)
def test_release(printed: str, release: int | None) -> None:
    assert preflight.java_release(printed) == release


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_java_on_path(no_java: pathlib.Path, version: str) -> None:
    java = fake_java(no_java, MODERN.format(version, version))
    assert preflight.find_java() == str(java)


def test_java_home_wins_over_path(
    no_java: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(no_java, 'java version "1.8.0_392"\n', "exit 1")
    java = fake_java(tmp_path / "jdk" / "bin", MODERN.format("17.0.1", "17.0.1"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert preflight.find_java() == str(java)


def test_an_empty_java_home_is_none(no_java: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = fake_java(no_java, MODERN.format("17.0.1", "17.0.1"))
    monkeypatch.setenv("JAVA_HOME", "")
    assert preflight.find_java() == str(java)


@pytest.mark.parametrize(
    ("version_text", "first_option", "status", "words"),
    [
        ('java version "1.8.0_392"\n', "exit 1", 0, "is Java 8:"),
        (MODERN.format("11.0.2", "11.0.2"), "exit 0", 0, "is Java 11:"),
        (MODERN.format("17.0.2", "17.0.2"), "exit 1", 0, "lacks the module jdk.incubator.vector"),
        ("Unable to locate a Java Runtime.\n", "exit 1", 1, "does not run (Unable to locate a Java Runtime.)"),
        ("", "exit 1", 3, "does not run (exit status 3)"),
        ("hello\nworld\n", "exit 0", 0, "names no version (hello world)"),
    ],
)
def test_a_java_that_cannot_be_used(
    no_java: pathlib.Path, version_text: str, first_option: str, status: int, words: str
) -> None:
    java = fake_java(no_java, version_text, first_option, status)
    with pytest.raises(preflight.PreflightError) as caught:
        preflight.find_java()
    text = str(caught.value)
    assert words in text
    assert f"Java 17 or later is needed, and {java} " in text
    assert "apt-get install openjdk-17-jre-headless" in text
    assert "\n" not in text


def test_no_java_at_all() -> None:
    with pytest.raises(preflight.PreflightError, match="no java on PATH and JAVA_HOME is not set: install one"):
        preflight.find_java()


def test_a_java_that_is_no_program(no_java: pathlib.Path) -> None:
    java = no_java / "java"
    java.write_bytes(b"\x7fELF of another machine")
    java.chmod(0o755)
    with pytest.raises(preflight.PreflightError, match="does not run"):
        preflight.find_java()


def test_a_wrong_java_home(no_java: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark does not fall back to PATH, so neither do we."""
    fake_java(no_java, MODERN.format("17.0.1", "17.0.1"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(preflight.PreflightError, match="gone has no bin/java"):
        preflight.find_java()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", preflight.__file__, *arguments], capture_output=True, text=True, check=False
    )


def test_the_command_is_silent_where_nothing_is_missing(no_java: pathlib.Path, tmp_path: pathlib.Path) -> None:
    fake_java(no_java, MODERN.format("17.0.1", "17.0.1"))
    done = run(str(tmp_path / "not" / "yet" / "there"), "0", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_names_every_fault_in_a_line_each(tmp_path: pathlib.Path) -> None:
    done = run(str(tmp_path), "1000000", "0.5")
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert len(lines) == 2
    assert all(line.startswith("MusAI cannot be set up here: ") for line in lines)
    assert "there is no java on PATH" in lines[0]
    assert "GB of free disk are needed for" in lines[1]
    assert str(tmp_path) in lines[1]


def test_folders_on_one_file_system_share_its_space(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**10, 7 * 10**9, 3 * 10**9))
    here, there = str(tmp_path / "a"), str(tmp_path / "b")
    assert preflight._disk_faults([(here, 2.0), (there, 0.9)]) == []
    assert preflight._disk_faults([(here, 2.0), (there, 1.1)])[0].startswith("3.1 GB of free disk are needed for")


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert preflight._python_faults()[0].startswith(
        f"Python 3.11 or later is needed, and {sys.executable} is Python 3.9.1"
    )


def test_a_python_without_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    (fault,) = preflight._python_faults()
    assert "ensurepip" in fault
    assert f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in fault


def test_an_old_python_can_read_the_file() -> None:
    """It has to say that Python is too old, not fail on its own syntax."""
    tree = ast.parse(pathlib.Path(preflight.__file__).read_text(), feature_version=(3, 5))
    too_new = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Match)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, too_new)] == []


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: needs root")
def test_a_full_disk(no_java: pathlib.Path, tmp_path: pathlib.Path) -> None:
    fake_java(no_java, MODERN.format("17.0.1", "17.0.1"))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(small)], check=True)
    try:
        done = run(str(small / ".venv"), "0.5", "0")
    finally:
        subprocess.run(["/bin/umount", str(small)], check=True)
    assert done.returncode == 2
    assert f"0.5 GB of free disk are needed for {small}, and 0.1 GB are free there" in done.stderr
