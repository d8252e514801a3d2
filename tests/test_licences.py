"""The licence list against packages made here, whose answers are known, and against this environment."""

import pathlib
import sys

import pytest

from tests.check_licences import Allowed, allows, faults, main, site_packages

RULES = Allowed(
    allowed=["MIT", "Apache-2.0", "BSD-3-Clause"],
    written_as={"MIT License": "MIT", "BSD License": "BSD-3-Clause"},
    exceptions={"old-driver": {"licence": "LGPL-3.0-only", "reason": "a test"}},
)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND Apache-2.0", True),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True),
        ("(MIT AND GPL-3.0-only) OR (MIT AND LGPL-3.0-only)", False),
        ("GPL-3.0-only OR MIT AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH Classpath-exception-2.0", False),
        ("MIT or Apache-2.0", True),
        ("MIT MIT", False),
        ("(MIT", False),
        ("MIT AND", False),
        ("", False),
    ],
)
def test_expression(expression: str, answer: bool) -> None:
    assert allows(expression, RULES) is answer


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("new", ["License-Expression: MIT"], []),
        ("field", ["License: MIT License"], []),
        ("classifier", ["Classifier: License :: OSI Approved :: BSD License"], []),
        (
            "long-text",
            ["License: Copyright of somebody, with ten lines", "Classifier: License :: OSI Approved :: BSD License"],
            [],
        ),
        ("gpl", ["License-Expression: GPL-3.0-only"], ["gpl 1.0: GPL-3.0-only"]),
        (
            "says-both",
            ["License: MIT", "Classifier: License :: OSI Approved :: GNU General Public License (GPL)"],
            ["says-both 1.0: GNU General Public License (GPL) AND MIT"],
        ),
        ("unknown-words", ["License: free for friends"], ["unknown-words 1.0: free for friends"]),
        ("silent", ["License: UNKNOWN"], ["silent 1.0: states no licence"]),
        ("empty", [], ["empty 1.0: states no licence"]),
        ("Old_Driver", ["License-Expression: LGPL-3.0-only"], []),
        ("old.driver", ["License-Expression: AGPL-3.0-only"], ["old-driver 1.0: AGPL-3.0-only"]),
        ("musai", [], []),
    ],
)
def test_package(tmp_path: pathlib.Path, name: str, lines: list[str], expected: list[str]) -> None:
    info = tmp_path / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""]))
    assert faults(tmp_path, RULES) == expected


def test_the_command_names_the_package_and_fails(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = tmp_path / "lib/python3.11/site-packages/gpl-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: gpl\nVersion: 1.0\nLicense-Expression: GPL-3.0-only\n")
    assert main([str(tmp_path), str(tmp_path / "absent")]) == 1
    assert "gpl 1.0: GPL-3.0-only" in capsys.readouterr().err


def test_this_environment() -> None:
    folders = list(site_packages(pathlib.Path(sys.prefix)))
    assert folders, "no site-packages under sys.prefix: nothing was checked"
    assert [fault for folder in folders for fault in faults(folder, Allowed.read())] == []


def test_every_exception_has_a_reason() -> None:
    assert all(entry.keys() == {"licence", "reason"} for entry in Allowed.read().exceptions.values())
