"""Completion as the shells themselves do it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from musai import completion
from musai.arguments import parser
from musai.cli import COMMANDS, main


def offered(shell: str, line: str) -> list[str]:
    """What the shell has to say when Tab is pressed at the end of the line."""
    if shell == "fish":
        asked = f"{completion.script('fish')}\ncomplete -C '{line}'"
        command = ["fish", "--no-config", "-c", asked]
    else:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        asked = f"""{completion.script("bash")}
            COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _musai; printf '%s\\n' "${{COMPREPLY[@]}}" """
        command = ["bash", "--norc", "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [found.split("\t")[0] for found in done.stdout.splitlines() if found]


@pytest.fixture(params=["bash", "fish"])
def shell(request) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} here: apt-get install {request.param}")
    name: str = request.param
    return name


def test_commands_options_and_what_they_take(shell: str) -> None:
    assert set(offered(shell, "musai ")) >= set(COMMANDS)
    assert offered(shell, "musai nigh") == ["nightly"]
    assert set(offered(shell, "musai nightly --")) >= {"--config", "--run-date", "--from", "--only"}
    assert offered(shell, "musai nightly --from train_a") == ["train_als"]
    assert offered(shell, "musai run tune") == ["tune_recommender"]
    assert set(offered(shell, "musai show ")) >= {"user", "track"}
    assert "recommendations" in offered(shell, "musai path recomm")
    assert "recommend.top_n=" in offered(shell, "musai nightly recommend.t")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here: apt-get install zsh")
def test_zsh_reads_it() -> None:
    done = subprocess.run(["zsh", "-f"], input=completion.script("zsh"), capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_command_prints_it(capsys) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == completion.script(shell)


def test_every_command_has_an_example_in_its_help(capsys) -> None:
    assert {one.name for one in completion.commands()} == set(COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            parser().parse_args([name, "--help"])
        assert f"example: musai {name}" in capsys.readouterr().out
