"""What a machine must have before MusAI can be set up: Python, its venv module, Java, free disk.

`make` runs this file by path with whatever `python3` there is, before there is an environment: so it knows the standard
library alone, imports nothing of ours and keeps to syntax that every Python 3 reads. `musai.session` asks it for Java.

    python3 -I musai/preflight.py [FOLDER [GB [TEMPORARY_GB]]]

The numbers are the free disk that setting up FOLDER needs there and in the temporary folder. One line per fault on
standard error, exit status 2; silent and 0 where nothing is missing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

PYTHON = (3, 11)
JAVA = 17
# Measured for .venv: 1.4 GB and pip's cache of .4; 2.1 at most in the temporary folder, where pyspark is built.
DISK_GB = 2.0
TEMPORARY_GB = 2.2
# Spark starts Java with this module, and some cut-down runtimes lack it.
MODULE = "jdk.incubator.vector"
HOW_TO_GET_JAVA = (
    "install one (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17) "
    "or point JAVA_HOME at one"
)


class PreflightError(Exception):
    """Something that MusAI needs is missing on this machine; the text is one line that says what and how to get it."""


def find_java() -> str:
    """The path of the `java` that Spark will run: JAVA_HOME's where that is set, else the one on PATH.

    Raises PreflightError where there is none, or one that Spark cannot use.
    """
    path = _spark_java()
    opening = "Java {} or later is needed, and {} ".format(JAVA, path)
    status, printed = _run(path, "--add-modules=" + MODULE, "-version")
    if status != 0:  # Java 8 does not know the option, others may lack the module
        plain_status, plain = _run(path, "-version")
        if plain_status != 0:
            said = " ".join((plain or printed).split())[:200] or "exit status {}".format(plain_status)
            raise PreflightError("{}does not run ({}): {}".format(opening, said, HOW_TO_GET_JAVA))
        _check_version(plain, opening)
        raise PreflightError("{}lacks the module {}, which Spark needs: {}".format(opening, MODULE, HOW_TO_GET_JAVA))
    _check_version(printed, opening)
    return path


def java_release(printed: str) -> "int | None":
    """The feature release in what `java -version` printed: 8 for 1.8.0_392, 17 for 17.0.15, 26 for 26-ea."""
    found = re.search(r'version "(?:1\.)?(\d+)', printed)
    return int(found.group(1)) if found else None


def faults(folder: str = ".", disk_gb: float = DISK_GB, temporary_gb: float = TEMPORARY_GB) -> "list[str]":
    """All that is missing on this machine to make an environment in `folder`, a line each."""
    found = _python_faults()
    try:
        find_java()
    except PreflightError as fault:
        found.append(str(fault))
    try:
        needs = [(folder, disk_gb), (tempfile.gettempdir(), temporary_gb)]
    except OSError as fault:  # no folder that can be written to: the text names those tried
        return [*found, str(fault)]
    return found + _disk_faults(needs)


def main(arguments: "list[str]") -> int:
    folder, *gigabytes = arguments or ["."]
    found = faults(folder, *[float(gb) for gb in gigabytes])
    for fault in found:
        print("MusAI cannot be set up here: " + fault, file=sys.stderr)
    return 2 if found else 0


def _spark_java() -> str:
    """Where Spark's own start script looks; it does not fall back from JAVA_HOME to PATH."""
    home = os.environ.get("JAVA_HOME", "")
    if home:
        path = os.path.join(home, "bin", "java")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        raise PreflightError(
            "Java {} or later is needed, and JAVA_HOME={} has no bin/java: {}, or unset it".format(
                JAVA, home, HOW_TO_GET_JAVA
            )
        )
    on_path = shutil.which("java")
    if on_path is None:
        raise PreflightError(
            "Java {} or later is needed, and there is no java on PATH and JAVA_HOME is not set: {}".format(
                JAVA, HOW_TO_GET_JAVA
            )
        )
    return on_path


def _check_version(printed: str, opening: str) -> None:
    release = java_release(printed)
    if release is None:
        said = " ".join(printed.split())[:200]
        raise PreflightError("{}names no version ({}): {}".format(opening, said, HOW_TO_GET_JAVA))
    if release < JAVA:
        raise PreflightError("{}is Java {}: {}".format(opening, release, HOW_TO_GET_JAVA))


def _run(*command: str) -> "tuple[int, str]":
    """The exit status and all that was printed; -1 and the reason where it could not run."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as fault:
        return -1, str(fault)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _python_faults() -> "list[str]":
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON:
        return [
            "Python {}.{} or later is needed, and {} is Python {}: install one, or name one with "
            "make PYTHON=/path/to/python3".format(PYTHON[0], PYTHON[1], sys.executable, version)
        ]
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as fault:
        return [
            "{} (Python {}) has no module {}: install it (Debian, Ubuntu: apt-get install python{}.{}-venv)".format(
                sys.executable, version, fault.name, sys.version_info[0], sys.version_info[1]
            )
        ]
    return []


def _disk_faults(needs: "list[tuple[str, float]]") -> "list[str]":
    """Folders on one file system share its space, so their needs add up."""
    folders = {}  # type: dict[int, list[str]]
    needed_gb = {}  # type: dict[int, float]
    for folder, gb in needs:
        there = os.path.abspath(folder)
        while not os.path.exists(there):
            there = os.path.dirname(there)
        device = os.stat(there).st_dev
        folders.setdefault(device, []).append(there)
        needed_gb[device] = needed_gb.get(device, 0) + gb
    return [
        "{:.1f} GB of free disk are needed for {}, and {:.1f} GB are free there: make room, or name another temporary "
        "folder in TMPDIR".format(needed_gb[device], " and ".join(places), free_gb)
        for device, places in folders.items()
        for free_gb in [shutil.disk_usage(places[0]).free / 1e9]
        if free_gb < needed_gb[device]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
